const TYP = /^[A-Za-z0-9!#$&^_.+/-]{1,127}$/
const PREFIX = 'application/'

/**
 * Returns the spelling under which a `typ` is compared, or `undefined` if it is not a valid `typ`. Media
 * types ignore case, and `application/` may be omitted if no other slash follows (RFC 7515 §4.1.9). Only
 * ASCII is accepted before lower-casing, because the Kelvin sign U+212A becomes a `k`.
 */
export function normalizeTyp(typ: unknown): string | undefined {
  if (typeof typ !== 'string' || !TYP.test(typ)) return undefined
  const lower = typ.toLowerCase()
  const rest = lower.startsWith(PREFIX) ? lower.slice(PREFIX.length) : lower
  return rest === '' || rest.includes('/') ? lower : rest
}

/** Like `normalizeTyp`, but throws a `TypeError` if the option is not a media type. */
export function assertTyp(typ: string): string {
  const normal = normalizeTyp(typ)
  if (normal === undefined) throw new TypeError('The option typ must be a media type.')
  return normal
}
