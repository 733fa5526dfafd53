import type { Algorithm } from '../algorithms.ts'
import {
  isSigningKey,
  verifyingKeyOf,
  verifyingMaterialOf,
  type SigningKey,
  type VerifyingKey,
} from '../key/key.ts'

interface PublishedMembers {
  readonly kid: string
  readonly alg: Algorithm
  readonly use: 'sig'
}

/** The members of a public key that its value consists of (RFC 7518 §6.2, §6.3, RFC 8037 §2). */
export type PublicKeyMembers =
  | { readonly kty: 'RSA'; readonly n: string; readonly e: string }
  | {
      readonly kty: 'EC'
      readonly crv: 'P-256' | 'P-384' | 'P-521'
      readonly x: string
      readonly y: string
    }
  | { readonly kty: 'OKP'; readonly crv: 'Ed25519'; readonly x: string }

/** A public key as it stands in a JWKS (RFC 7517 §4): never a private member. */
export type PublicJwk = PublicKeyMembers & PublishedMembers

/**
 * The public half of a key, for publication: the members of its kind, `kid`, `alg` and `use: "sig"`.
 * Throws a `TypeError` for HMAC keys, which have no public half. A fresh object each time.
 */
export function publicJwkOf(key: SigningKey | VerifyingKey): PublicJwk {
  const verifyingKey = isSigningKey(key) ? verifyingKeyOf(key) : key
  const { publicJwk } = verifyingMaterialOf(verifyingKey)
  if (publicJwk === undefined) throw new TypeError('An HMAC key has no public half.')
  return { ...publicJwk }
}
