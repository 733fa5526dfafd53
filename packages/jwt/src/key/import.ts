import { createPublicKey, createSecretKey, KeyObject } from 'node:crypto'
import { specOf, type Algorithm, type AlgorithmSpec, type HmacSpec } from '../algorithms.ts'
import { parseJwk, type ParsedJwk } from '../jwk/parse.ts'
import type { PublicKeyMembers } from '../jwk/public-jwk.ts'
import { jwkThumbprint } from '../jwk/thumbprint.ts'
import { isKid } from '../limits.ts'
import {
  createAsymmetricSign,
  createAsymmetricVerify,
  plainFormat,
  type SignatureFormat,
} from './asymmetric.ts'
import { assertEcdsaKey, ecdsaFormat } from './ecdsa.ts'
import { assertEddsaKey, eddsaFormat } from './eddsa.ts'
import { createHmacText } from './hmac.ts'
import {
  sealSigningKey,
  sealVerifyingKey,
  type SigningKey,
  verifyingKeyOf,
  type SignText,
  type VerifyingKey,
} from './key.ts'
import { parsePkcs8, parseSpki } from './key-der.ts'
import { assertMlDsaKey, assertMlDsaRuntime } from './ml-dsa.ts'
import { parsePem } from './pem.ts'
import {
  assertOddModulus,
  assertRsaKey,
  rsaSignatureBytes,
  unwrapRsaKey,
  wrapAsPss,
} from './rsa.ts'
import { assertSecret } from './secret.ts'
import { readCertificate, type CertificateMembers } from './x509.ts'

/** The source of a key. The caller states its form, and nothing is guessed from its content. */
export type KeyInput =
  /** A key of node:crypto. */
  | { readonly keyObject: KeyObject }
  /** A parsed JWK (RFC 7517). */
  | { readonly jwk: unknown }
  /** One PEM block: SPKI `PUBLIC KEY` or unencrypted PKCS#8 `PRIVATE KEY`. */
  | { readonly pem: string }
  /** The same as bytes, without PEM: SPKI to verify, PKCS#8 to sign. */
  | { readonly der: Uint8Array }
  /**
   * One X.509 certificate, as PEM text or DER, to verify with its key. Only the key is checked. Check dates,
   * chain, names, key usage and revocation yourself before you import it.
   */
  | { readonly certificate: string | Uint8Array }
  /** The bytes of an HMAC secret, at least as many as the hash has. They are copied. */
  | { readonly secret: Uint8Array }

/** The one algorithm of the key, and the key's `kid` in headers: 1 to 64 characters of `A-Z a-z 0-9 _ -`. */
export interface ImportOptions {
  readonly alg: Algorithm
  readonly kid?: string
}

/**
 * Makes a signing key for exactly one algorithm. Its `kid` is the given `kid`, otherwise that of the JWK,
 * otherwise the RFC 7638 thumbprint. HMAC keys have no thumbprint. The import signs and verifies once. So a
 * private key with the public half of another key is found here, and not by every service.
 *
 * Throws a `TypeError` for a public key, a key of another kind or curve, RSA below 2048 bits, a secret
 * shorter than the hash, a JWK for another `alg` or `use`, and for ML-DSA on a runtime that does not support
 * it. The message never contains key material.
 */
export function importSigningKey(input: KeyInput, options: ImportOptions): SigningKey {
  const spec = specOf(options.alg)
  const source = readInput(input, options.alg, 'sign')
  const kid = readKid(options, source)
  if (spec.family === 'hmac') return sealHmac(source, spec, { ...options, kid })
  return sealPrivateKey(source, spec, { ...options, kid })
}

/**
 * Makes a verifying key for exactly one algorithm. `kid` and errors are as for `importSigningKey`, with the
 * halves exchanged: a private key is refused, because a verifier must not hold one.
 */
export function importVerifyingKey(input: KeyInput, options: ImportOptions): VerifyingKey {
  const spec = specOf(options.alg)
  const source = readInput(input, options.alg, 'verify')
  const kid = readKid(options, source)
  if (spec.family === 'hmac') return verifyingKeyOf(sealHmac(source, spec, { ...options, kid }))
  if (source.keyObject.type !== 'public') {
    throw new TypeError('Verifying with this algorithm needs a public key.')
  }
  return sealPublicKey(source, spec, { ...options, kid })
}

interface Source extends ParsedJwk {
  readonly certificate?: CertificateMembers
}

type AsymmetricSpec = Exclude<AlgorithmSpec, HmacSpec>

interface Naming {
  readonly alg: Algorithm
  readonly kid: string | undefined
}

function readInput(input: KeyInput, alg: Algorithm, operation: 'sign' | 'verify'): Source {
  if (typeof input !== 'object' || input === null || Object.keys(input).length !== 1) {
    throw new TypeError('A key input must have exactly one member, such as jwk, pem or secret.')
  }
  if (specOf(alg).family === 'ml-dsa') assertMlDsaRuntime()
  if ('jwk' in input) return parseJwk(input.jwk, alg, operation)
  if ('certificate' in input) {
    const { keyObject, members } = readCertificate(input.certificate)
    return { keyObject, kid: undefined, acceptsEdDsa: false, certificate: members }
  }
  return { keyObject: readKeyObject(input, alg, operation), kid: undefined, acceptsEdDsa: false }
}

function readKeyObject(
  input: Exclude<KeyInput, { jwk: unknown } | { certificate: unknown }>,
  alg: Algorithm,
  operation: 'sign' | 'verify',
): KeyObject {
  if ('pem' in input) return parsePem(input.pem)
  if ('der' in input) {
    if (!(input.der instanceof Uint8Array)) throw new TypeError('The member der must be bytes.')
    return operation === 'sign' ? parsePkcs8(input.der) : parseSpki(input.der)
  }
  if ('secret' in input) {
    if (!(input.secret instanceof Uint8Array)) throw new TypeError('A secret must be bytes.')
    if (specOf(alg).family !== 'hmac') {
      throw new TypeError('This algorithm needs a key pair, not a secret.')
    }
    return createSecretKey(input.secret)
  }
  if (!(input.keyObject instanceof KeyObject)) {
    throw new TypeError('The member keyObject must be a KeyObject of node:crypto.')
  }
  return input.keyObject
}

function readKid(options: ImportOptions, source: Source): string | undefined {
  if (options.kid === undefined) return source.kid
  if (!isKid(options.kid))
    throw new TypeError('A kid must be 1 to 64 characters of A-Z a-z 0-9 _ and -.')
  return options.kid
}

function sealHmac(source: Source, spec: HmacSpec, { alg, kid }: Naming): SigningKey {
  if (source.keyObject.type !== 'secret') {
    throw new TypeError('HMAC needs a secret; this is a public or private key.')
  }
  const secret = source.keyObject.export()
  assertSecret(secret, spec)
  const { sign, verify } = createHmacText(secret, spec)
  const material = { verify, publicJwk: undefined, acceptsEdDsa: false }
  return sealSigningKey({ sign, verifyingKey: sealVerifyingKey(alg, kid, material) })
}

function sealPrivateKey(source: Source, spec: AsymmetricSpec, naming: Naming): SigningKey {
  if (source.keyObject.type !== 'private') {
    throw new TypeError('Signing with this algorithm needs a private key.')
  }
  const prepared = prepareKey(source.keyObject, spec)
  const sign = createAsymmetricSign(prepared.keyObject, prepared.hash, prepared.format)
  const publicSource = { ...source, keyObject: createPublicKey(prepared.plain) }
  const verifyingKey = sealPublicKey(publicSource, spec, naming, sign)
  return sealSigningKey({ sign, verifyingKey })
}

function sealPublicKey(
  source: Source,
  spec: AsymmetricSpec,
  { alg, kid }: Naming,
  sign?: SignText,
): VerifyingKey {
  const { keyObject, plain, hash, format } = prepareKey(source.keyObject, spec)
  const members = publicMembersOf(plain, spec)
  const verify = createAsymmetricVerify(keyObject, hash, format)
  if (sign !== undefined && !verify(`a.b.${sign('a', 'b')}`, 3)) {
    throw new TypeError('The private and public parts of this key do not belong together.')
  }
  const name = kid ?? jwkThumbprint(members)
  return sealVerifyingKey(alg, name, {
    verify,
    publicJwk: Object.freeze({
      alg,
      ...members,
      kid: name,
      use: 'sig',
      ...source.certificate,
    }),
    acceptsEdDsa: source.acceptsEdDsa,
  })
}

interface PreparedKey {
  /** The key for node:crypto, bound to the algorithm as far as OpenSSL allows. */
  readonly keyObject: KeyObject
  /** The same key without that bond: Node exports no JWK of an `rsa-pss` key. */
  readonly plain: KeyObject
  readonly hash: string | null
  readonly format: SignatureFormat
}

function prepareKey(keyObject: KeyObject, spec: AsymmetricSpec): PreparedKey {
  if (spec.family === 'ecdsa') {
    assertEcdsaKey(keyObject, spec)
    return { keyObject, plain: keyObject, hash: spec.hash, format: ecdsaFormat(spec) }
  }
  if (spec.family === 'eddsa') {
    assertEddsaKey(keyObject)
    return { keyObject, plain: keyObject, hash: null, format: eddsaFormat }
  }
  if (spec.family === 'ml-dsa') {
    assertMlDsaKey(keyObject, spec)
    const format = plainFormat(spec.signatureBytes)
    return { keyObject, plain: keyObject, hash: null, format }
  }
  assertRsaKey(keyObject)
  const plain = unwrapRsaKey(keyObject, spec)
  const bound = spec.family === 'rsa-pss' ? wrapAsPss(plain, spec) : plain
  return { keyObject: bound, plain, hash: spec.hash, format: plainFormat(rsaSignatureBytes(plain)) }
}

function publicMembersOf(publicKey: KeyObject, spec: AsymmetricSpec): PublicKeyMembers {
  // Node writes exactly the members of RFC 7518 §6 and RFC 9964 for the keys that prepareKey accepts.
  const { x = '', y = '', n = '', e = '', pub = '' } = publicKey.export({ format: 'jwk' })
  if (spec.family === 'ecdsa') return { kty: 'EC', crv: spec.curve, x, y }
  if (spec.family === 'eddsa') return { kty: 'OKP', crv: 'Ed25519', x }
  if (spec.family === 'ml-dsa') return { kty: 'AKP', alg: spec.alg, pub: String(pub) }
  assertOddModulus(n)
  return { kty: 'RSA', n, e }
}
