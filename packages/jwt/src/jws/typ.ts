const TYP = /^[A-Za-z0-9!#$&^_.+/-]{1,127}$/
const PREFIX = 'application/'

/**
 * The one spelling under which a `typ` is compared, or `undefined` when it is none. Media types are
 * case-insensitive, and `application/` may be left out where no other slash follows (RFC 7515
 * §4.1.9). Only ASCII is let through before lower-casing: U+212A, the Kelvin sign, becomes a `k`.
 */
export function normalizeTyp(typ: unknown): string | undefined {
  if (typeof typ !== 'string' || !TYP.test(typ)) return undefined
  const lower = typ.toLowerCase()
  const rest = lower.startsWith(PREFIX) ? lower.slice(PREFIX.length) : lower
  return rest === '' || rest.includes('/') ? lower : rest
}

/** As `normalizeTyp`; throws a `TypeError` where a caller's option is none. */
export function assertTyp(typ: string): string {
  const normal = normalizeTyp(typ)
  if (normal === undefined) throw new TypeError('The option typ must be a media type.')
  return normal
}
