import { createPrivateKey, createPublicKey, createSecretKey, type KeyObject } from 'node:crypto'
import { specOf, type Algorithm, type AlgorithmSpec, type MlDsaSpec } from '../algorithms.ts'
import { decodeBase64url } from '../base64url.ts'
import { isObject } from '../json/object.ts'
import { isKid } from '../limits.ts'

/** A JWK that was read for one algorithm. */
export interface ParsedJwk {
  readonly keyObject: KeyObject
  readonly kid: string | undefined
  /** True if the JWK names its algorithm `EdDSA`, which was the name before RFC 9864. */
  readonly acceptsEdDsa: boolean
}

type Members = Record<string, unknown>

/**
 * Reads a JWK (RFC 7517) as a key for `alg`. `key_ops` and `use`, if present, must allow `operation`. `alg`,
 * if present, must be the same. Only members of the key itself are read; `x5u` and `x5c` above all are
 * ignored. Throws a `TypeError` that names the member but never its value.
 */
export function parseJwk(jwk: unknown, alg: Algorithm, operation: 'sign' | 'verify'): ParsedJwk {
  if (!isObject(jwk)) throw new TypeError('A JWK must be an object.')
  const own: Members = { ...jwk }
  const spec = specOf(alg)
  assertPurpose(own, alg, operation)
  return {
    keyObject: keyObjectFrom(own, spec, operation),
    kid: kidOf(own),
    acceptsEdDsa: own['alg'] === 'EdDSA',
  }
}

/** True if a JWK has a private or secret member (RFC 7518 §6, RFC 9964). */
export function hasPrivateMember(jwk: Members): boolean {
  return privateMembers.some((name) => jwk[name] !== undefined)
}

const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'] as const

function assertPurpose(jwk: Members, alg: Algorithm, operation: 'sign' | 'verify'): void {
  const named = jwk['alg']
  if (named !== undefined && named !== alg && !(named === 'EdDSA' && alg === 'Ed25519')) {
    throw new TypeError('The JWK is for another algorithm than the one declared.')
  }
  if (jwk['use'] !== undefined && jwk['use'] !== 'sig') {
    throw new TypeError('The JWK is not for signatures: its member use has another value.')
  }
  const operations = jwk['key_ops']
  if (operations === undefined) return
  if (!Array.isArray(operations) || !operations.includes(operation)) {
    throw new TypeError(`The JWK may not ${operation}: its member key_ops does not allow it.`)
  }
}

function kidOf(jwk: Members): string | undefined {
  const kid = jwk['kid']
  if (kid === undefined) return undefined
  if (!isKid(kid))
    throw new TypeError('The kid of a JWK must be 1 to 64 characters of A-Z a-z 0-9 _ and -.')
  return kid
}

function keyObjectFrom(jwk: Members, spec: AlgorithmSpec, operation: 'sign' | 'verify'): KeyObject {
  const shape = shapeOf(spec)
  if (jwk['kty'] !== shape.kty) {
    throw new TypeError(`The algorithm needs a JWK with kty ${shape.kty}.`)
  }
  if (spec.family === 'hmac') return createSecretKey(bytesOf(jwk, 'k', shape))
  if (jwk['oth'] !== undefined) {
    throw new TypeError('RSA keys of more than two primes are not supported.')
  }
  const fixed = { kty: shape.kty, ...curveOf(jwk, spec), ...parametersOf(jwk, spec) }

  if (operation === 'sign') return privateKeyFrom(jwk, fixed, shape)
  if (hasPrivateMember(jwk)) {
    throw new TypeError('This JWK is private; import it as a signing key.')
  }
  const key = { ...fixed, ...pick(jwk, shape.names.public, shape) }
  return orInvalid(() => createPublicKey({ key, format: 'jwk' }))
}

function privateKeyFrom(jwk: Members, fixed: Members, shape: Shape): KeyObject {
  const names = [...shape.names.public, ...shape.names.private]
  const key = { ...fixed, ...pick(jwk, names, shape) }
  const keyObject = orInvalid(() => createPrivateKey({ key, format: 'jwk' }))
  // Node reads an Ed25519 key from `d` alone and would not notice an `x` of another key. The published key
  // would then verify none of our signatures.
  const actual: Members = { ...createPublicKey(keyObject).export({ format: 'jwk' }) }
  if (shape.names.public.some((name) => actual[name] !== jwk[name])) {
    throw new TypeError('The private and public parts of this JWK do not belong together.')
  }
  return keyObject
}

function pick(jwk: Members, names: readonly string[], shape: Shape): Members {
  for (const name of names) bytesOf(jwk, name, shape)
  return Object.fromEntries(names.map((name) => [name, jwk[name]]))
}

function orInvalid(create: () => KeyObject): KeyObject {
  try {
    return create()
  } catch {
    // The cause is omitted, because OpenSSL's messages may contain a part of the key.
    throw new TypeError('The JWK is not a valid key.')
  }
}

interface Shape {
  readonly kty: 'oct' | 'RSA' | 'EC' | 'OKP' | 'AKP'
  readonly names: { readonly public: readonly string[]; readonly private: readonly string[] }
  /** The exact size of members in bytes, where the standard fixes it. */
  readonly memberBytes?: Readonly<Record<string, number>>
}

const octShape: Shape = { kty: 'oct', names: { public: [], private: ['k'] } }
const rsaShape: Shape = {
  kty: 'RSA',
  names: { public: ['n', 'e'], private: ['d', 'p', 'q', 'dp', 'dq', 'qi'] },
}
const okpShape: Shape = {
  kty: 'OKP',
  names: { public: ['x'], private: ['d'] },
  memberBytes: { x: 32, d: 32 },
}

function shapeOf(spec: AlgorithmSpec): Shape {
  if (spec.family === 'hmac') return octShape
  if (spec.family === 'eddsa') return okpShape
  if (spec.family === 'ml-dsa') return akpShape(spec)
  if (spec.family !== 'ecdsa') return rsaShape
  const names = { public: ['x', 'y'], private: ['d'] }
  const { coordinateBytes: size } = spec
  return { kty: 'EC', names, memberBytes: { x: size, y: size, d: size } }
}

// The private member is the seed, from which FIPS 204 §6.1 derives the rest.
function akpShape(spec: MlDsaSpec): Shape {
  const names = { public: ['pub'], private: ['priv'] }
  return { kty: 'AKP', names, memberBytes: { pub: spec.publicBytes, priv: 32 } }
}

function curveOf(jwk: Members, spec: AlgorithmSpec): { crv?: string } {
  if (spec.family !== 'ecdsa' && spec.family !== 'eddsa') return {}
  const crv = spec.family === 'ecdsa' ? spec.curve : 'Ed25519'
  if (jwk['crv'] !== crv) throw new TypeError(`The algorithm needs a JWK with crv ${crv}.`)
  return { crv }
}

// `alg` is optional for other kinds. The bytes of an AKP key mean nothing without it (RFC 9964).
function parametersOf(jwk: Members, spec: AlgorithmSpec): { alg?: string } {
  if (spec.family !== 'ml-dsa') return {}
  if (jwk['alg'] !== spec.alg) throw new TypeError('A JWK with kty AKP needs its member alg.')
  return { alg: spec.alg }
}

function bytesOf(jwk: Members, name: string, { kty, memberBytes }: Shape): Uint8Array {
  const value = jwk[name]
  const bytes = typeof value === 'string' ? decodeBase64url(value) : undefined
  if (bytes === undefined || bytes.length === 0) {
    throw new TypeError(`The JWK member ${name} is missing or not base64url.`)
  }
  const exactBytes = memberBytes?.[name]
  if (exactBytes !== undefined && bytes.length !== exactBytes) {
    throw new TypeError(`The JWK member ${name} must have ${exactBytes} bytes.`)
  }
  // Numbers must not have leading zeros (RFC 7518 §6.3.1.1). Otherwise the same key would have several
  // thumbprints.
  if (kty === 'RSA' && bytes[0] === 0) {
    throw new TypeError(`The JWK member ${name} has a leading zero.`)
  }
  return bytes
}
