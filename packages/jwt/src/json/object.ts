/** True for what JSON calls an object: no array, no null. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * The object itself, or where somebody has given `Object.prototype` members of their own, a copy
 * that inherits nothing: a host with such an `exp` would else accept tokens without one.
 */
export function withoutInherited<T extends object>(object: T): T {
  for (const inherited in Object.prototype) {
    if (inherited !== undefined) return Object.assign(Object.create(null), object)
  }
  return object
}
