import type { Algorithm } from '../algorithms.ts'
import type { PublicJwk } from '../jwk/public-jwk.ts'

declare const kind: unique symbol

/**
 * A key that signs with one algorithm. It is sealed: neither a log, nor `JSON.stringify`, nor a caller can
 * reach its material. `kid` goes into the header of each signature.
 */
export interface SigningKey {
  readonly alg: Algorithm
  readonly kid: string | undefined
  readonly [kind]?: 'signing'
}

/** A key that verifies signatures of one algorithm, and no other. It is sealed like a signing key. */
export interface VerifyingKey {
  readonly alg: Algorithm
  readonly kid: string | undefined
  readonly [kind]?: 'verifying'
}

/**
 * Signs an encoded header and payload, which are ASCII, joined by a dot. Returns the encoded signature. It
 * takes two texts because joining them would create a third text that is read only once.
 */
export type SignText = (header: string, payload: string) => string

/**
 * Checks the signature of a compact token. The signature is the text after the dot at `payloadEnd`, and it
 * covers the text before that dot. Refuses every spelling of the signature other than the canonical one, and
 * every token that is not entirely ASCII. Code that reads the payload afterwards relies on both.
 */
export type VerifyToken = (token: string, payloadEnd: number) => boolean

/** The sealed material of a verifying key. `publicJwk` is `undefined` for HMAC. */
export interface VerifyingMaterial {
  readonly verify: VerifyToken
  readonly publicJwk: PublicJwk | undefined
  /** True if the JWK named its algorithm `EdDSA`. Its tokens may then use that name too (RFC 9864 §2.2). */
  readonly acceptsEdDsa: boolean
}

/** The sealed material of a signing key. */
export interface SigningMaterial {
  readonly sign: SignText
  readonly verifyingKey: VerifyingKey
}

const signing = new WeakMap<object, SigningMaterial>()
const verifying = new WeakMap<object, VerifyingMaterial>()

/** Makes the sealed object for a verifying key. */
export function sealVerifyingKey(
  alg: Algorithm,
  kid: string | undefined,
  material: VerifyingMaterial,
): VerifyingKey {
  const key: VerifyingKey = Object.freeze({ alg, kid })
  verifying.set(key, material)
  return key
}

/** Makes the sealed object for a signing key. It takes `kid` and algorithm from the verifying key. */
export function sealSigningKey(material: SigningMaterial): SigningKey {
  const { alg, kid } = material.verifyingKey
  const key: SigningKey = Object.freeze({ alg, kid })
  signing.set(key, material)
  return key
}

/**
 * Returns the material of a signing key. Throws a `TypeError` for any object that this package did not make.
 */
export function signingMaterialOf(key: SigningKey): SigningMaterial {
  const material = signing.get(key)
  if (material === undefined) throw new TypeError('This is not a signing key; import it first.')
  return material
}

/**
 * Returns the material of a verifying key. Throws a `TypeError` for any object that this package did not
 * make.
 */
export function verifyingMaterialOf(key: VerifyingKey): VerifyingMaterial {
  const material = verifying.get(key)
  if (material === undefined) throw new TypeError('This is not a verifying key; import it first.')
  return material
}

/** True for a verifying key that this package made. False for an object that only looks like one. */
export function isVerifyingKey(value: object): value is VerifyingKey {
  return verifying.has(value)
}

/** True for a signing key that this package made. False for an object that only looks like one. */
export function isSigningKey(value: object): value is SigningKey {
  return signing.has(value)
}

/** Returns the verifying key of a signing key, under the same `kid`. For HMAC it holds the same secret. */
export function verifyingKeyOf(key: SigningKey): VerifyingKey {
  return signingMaterialOf(key).verifyingKey
}
