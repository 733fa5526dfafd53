import type { Algorithm, MlDsaAlgorithm } from '../algorithms.ts'

interface PublishedMembers {
  readonly kid: string
  readonly alg: Algorithm
  readonly use: 'sig'
  /** The certificate that the key came from, as base64 of its DER (RFC 7517 §4.7). */
  readonly x5c?: string[]
  /** The SHA-256 thumbprint of that certificate, as base64url (RFC 7517 §4.9). */
  readonly 'x5t#S256'?: string
}

/** The members that make up the value of a public key (RFC 7518 §6, RFC 8037 §2, RFC 9964). */
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

/** A public key as a JWKS shows it (RFC 7517 §4). It never has a private member. */
export type PublicJwk = PublicKeyMembers & PublishedMembers
