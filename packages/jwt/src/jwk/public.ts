import {
  isSigningKey,
  verifyingKeyOf,
  verifyingMaterialOf,
  type SigningKey,
  type VerifyingKey,
} from '../key/key.ts'
import type { PublicJwk } from './public-jwk.ts'

/**
 * Returns the public half of a key, for publication: the members of its kind, `kid`, `alg` and `use: "sig"`.
 * For a key that was imported from a certificate it also has `x5c` and `x5t#S256`. Throws a `TypeError` for
 * HMAC keys, which have no public half. The object is new each time.
 */
export function publicJwkOf(key: SigningKey | VerifyingKey): PublicJwk {
  const verifyingKey = isSigningKey(key) ? verifyingKeyOf(key) : key
  const { publicJwk } = verifyingMaterialOf(verifyingKey)
  if (publicJwk === undefined) throw new TypeError('An HMAC key has no public half.')
  const { x5c } = publicJwk
  return x5c === undefined ? { ...publicJwk } : { ...publicJwk, x5c: [...x5c] }
}
