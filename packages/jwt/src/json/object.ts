/** True for what JSON calls an object: not an array, not null. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * Returns the object itself. If some code has added members to `Object.prototype`, returns a copy that
 * inherits nothing. Otherwise an inherited `exp` would make tokens without `exp` acceptable.
 */
export function withoutInherited<T extends object>(object: T): T {
  for (const inherited in Object.prototype) {
    if (inherited !== undefined) return Object.assign(Object.create(null), object)
  }
  return object
}
