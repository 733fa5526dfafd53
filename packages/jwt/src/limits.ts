/** The longest token that is read, in bytes. A longer one is refused before anything is decoded. */
export const TOKEN_BYTES_MAX = 8192

/** The longest encoded header that is read, in bytes. */
export const HEADER_BYTES_MAX = 1024

/** The deepest accepted nesting of objects and arrays in a header or payload. `{}` has depth 1. */
export const JSON_DEPTH_MAX = 10

/** The largest clock tolerance that a verifier accepts, in seconds. */
export const TOLERANCE_SEC_MAX = 60

/**
 * The latest accepted NumericDate, in seconds: the end of the year 9999. A later one is a mistake in the unit
 * (milliseconds) or an attempt at a token that never expires, and would overflow a `Date`.
 */
export const NUMERIC_DATE_MAX = 253_402_300_799

/** How many keys of one JWKS are read. Later ones are ignored. */
export const KEY_SET_KEYS_MAX = 100

const KID = /^[A-Za-z0-9_-]{1,64}$/

/**
 * True for a `kid` that is safe everywhere. An attacker chooses this text, and it is used in look-ups and
 * logs. So it contains no dots, slashes, quotes or line ends (RFC 8725 §3.10).
 */
export function isKid(value: unknown): value is string {
  return typeof value === 'string' && KID.test(value)
}
