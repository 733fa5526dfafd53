import type { Algorithm, MlDsaAlgorithm } from '../algorithms.ts'
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
  /** The certificate that the key came from, as base64 of its DER (RFC 7517 §4.7). */
  readonly x5c?: string[]
  /** The SHA-256 thumbprint of that certificate, as base64url (RFC 7517 §4.9). */
  readonly 'x5t#S256'?: string
}

/** The members of a public key that its value consists of (RFC 7518 §6, RFC 8037 §2, RFC 9964). */
export type PublicKeyMembers =
  | { readonly kty: 'RSA'; readonly n: string; readonly e: string }
  | {
      readonly kty: 'EC'
      readonly crv: 'P-256' | 'P-384' | 'P-521'
      readonly x: string
      readonly y: string
    }
  | { readonly kty: 'OKP'; readonly crv: 'Ed25519'; readonly x: string }
  | { readonly kty: 'AKP'; readonly alg: MlDsaAlgorithm; readonly pub: string }

/** A public key as it stands in a JWKS (RFC 7517 §4): never a private member. */
export type PublicJwk = PublicKeyMembers & PublishedMembers

/**
 * The public half of a key, for publication: the members of its kind, `kid`, `alg` and `use: "sig"`;
 * `x5c` and `x5t#S256` too for a key that was imported from a certificate. Throws a `TypeError`
 * for HMAC keys, which have no public half. A fresh object each time.
 */
export function publicJwkOf(key: SigningKey | VerifyingKey): PublicJwk {
  const verifyingKey = isSigningKey(key) ? verifyingKeyOf(key) : key
  const { publicJwk } = verifyingMaterialOf(verifyingKey)
  if (publicJwk === undefined) throw new TypeError('An HMAC key has no public half.')
  const { x5c } = publicJwk
  return x5c === undefined ? { ...publicJwk } : { ...publicJwk, x5c: [...x5c] }
}
