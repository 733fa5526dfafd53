import type { Algorithm } from '../algorithms.ts'
import type { PublicJwk } from '../jwk/public-jwk.ts'

declare const kind: unique symbol

/**
 * A key that signs with one algorithm. Closed: it holds its material where neither a log, nor
 * `JSON.stringify`, nor a caller can reach it. `kid` goes into the header of each signature.
 */
export interface SigningKey {
  readonly alg: Algorithm
  readonly kid: string | undefined
  readonly [kind]?: 'signing'
}

/** A key that verifies signatures of one algorithm, and no other. Closed like a signing key. */
export interface VerifyingKey {
  readonly alg: Algorithm
  readonly kid: string | undefined
  readonly [kind]?: 'verifying'
}

/**
 * Signs an encoded header and payload, which are ASCII, and gives the encoded signature over both with
 * the dot between them. Two texts, since to join them would make a third, only to be read once.
 */
export type SignText = (header: string, payload: string) => string

/**
 * Checks the signature of a compact token: its text from behind the dot at `payloadEnd`, over its
 * text before that dot. Refuses every spelling of the signature but the canonical one, and any token
 * that is not ASCII throughout: what reads the payload afterwards relies on that.
 */
export type VerifyToken = (token: string, payloadEnd: number) => boolean

/** What a verifying key keeps to itself. `publicJwk` is `undefined` for HMAC. */
export interface VerifyingMaterial {
  readonly verify: VerifyToken
  readonly publicJwk: PublicJwk | undefined
  /** The JWK called its algorithm `EdDSA`, so its tokens may too (RFC 9864 §2.2). */
  readonly acceptsEdDsa: boolean
}

/** What a signing key keeps to itself. */
export interface SigningMaterial {
  readonly sign: SignText
  readonly verifyingKey: VerifyingKey
}

const signing = new WeakMap<object, SigningMaterial>()
const verifying = new WeakMap<object, VerifyingMaterial>()

/** Makes the closed object for a verifying key. */
export function sealVerifyingKey(
  alg: Algorithm,
  kid: string | undefined,
  material: VerifyingMaterial,
): VerifyingKey {
  const key: VerifyingKey = Object.freeze({ alg, kid })
  verifying.set(key, material)
  return key
}

/** Makes the closed object for a signing key; it takes name and algorithm of its other half. */
export function sealSigningKey(material: SigningMaterial): SigningKey {
  const { alg, kid } = material.verifyingKey
  const key: SigningKey = Object.freeze({ alg, kid })
  signing.set(key, material)
  return key
}

/** The material of a signing key. Throws a `TypeError` for any object that we did not make. */
export function signingMaterialOf(key: SigningKey): SigningMaterial {
  const material = signing.get(key)
  if (material === undefined) throw new TypeError('This is not a signing key; import it first.')
  return material
}

/** The material of a verifying key. Throws a `TypeError` for any object that we did not make. */
export function verifyingMaterialOf(key: VerifyingKey): VerifyingMaterial {
  const material = verifying.get(key)
  if (material === undefined) throw new TypeError('This is not a verifying key; import it first.')
  return material
}

/** True for a verifying key made here, and for nothing that merely looks like one. */
export function isVerifyingKey(value: object): value is VerifyingKey {
  return verifying.has(value)
}

/** True for a signing key made here, and for nothing that merely looks like one. */
export function isSigningKey(value: object): value is SigningKey {
  return signing.has(value)
}

/** The public half of a signing key, under the same `kid`; for HMAC, the same secret. */
export function verifyingKeyOf(key: SigningKey): VerifyingKey {
  return signingMaterialOf(key).verifyingKey
}
