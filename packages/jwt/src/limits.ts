/** Longest token that is read, in bytes. A longer one is refused before anything is decoded. */
export const TOKEN_BYTES_MAX = 8192

/** Longest encoded header that is read, in bytes. */
export const HEADER_BYTES_MAX = 1024

/** Deepest nesting of objects and arrays in a header or payload; `{}` has depth 1. */
export const JSON_DEPTH_MAX = 10

/** Widest clock tolerance that a verifier may be given, in seconds. */
export const TOLERANCE_SEC_MAX = 60

/**
 * Latest NumericDate that is believed, in seconds: the end of the year 9999. A later one is a unit
 * mistake (milliseconds) or an attempt to live for ever, and would overflow a `Date`.
 */
export const NUMERIC_DATE_MAX = 253_402_300_799

/** Keys read from one JWKS; later ones are ignored. */
export const KEY_SET_KEYS_MAX = 100

const KID = /^[A-Za-z0-9_-]{1,64}$/

/**
 * True for a `kid` that is safe everywhere. It is attacker-controlled text that ends up in look-ups
 * and logs, so it gets no dots, slashes, quotes or line ends (RFC 8725 §3.10).
 */
export function isKid(value: unknown): value is string {
  return typeof value === 'string' && KID.test(value)
}
