import { createPrivateKey, createPublicKey, createSecretKey, type KeyObject } from 'node:crypto'
import { specOf, type Algorithm, type AlgorithmSpec } from '../algorithms.ts'
import { decodeBase64url } from '../base64url.ts'
import { isObject } from '../json/utf8.ts'
import { isKid } from '../limits.ts'

/** A JWK that was read for one algorithm. */
export interface ParsedJwk {
  readonly keyObject: KeyObject
  readonly kid: string | undefined
  /** The JWK names its algorithm `EdDSA`, the name before RFC 9864. */
  readonly acceptsEdDsa: boolean
}

type Members = Record<string, unknown>

/**
 * Reads a JWK (RFC 7517) as a key for `alg`. `key_ops` and `use`, if there, must allow `operation`;
 * `alg`, if there, must be the same. Members other than those of the key itself are ignored, above
 * all `x5u` and `x5c`. Throws a `TypeError` that names the member but never its value.
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

/** True when a JWK holds a private or secret member (RFC 7518 §6.2.2, §6.3.2, §6.4). */
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
    throw new TypeError('The JWK is not for signatures: its member use says otherwise.')
  }
  const operations = jwk['key_ops']
  if (operations === undefined) return
  if (!Array.isArray(operations) || !operations.includes(operation)) {
    throw new TypeError(`The JWK may not ${operation}: its member key_ops says otherwise.`)
  }
}

function kidOf(jwk: Members): string | undefined {
  const kid = jwk['kid']
  if (kid === undefined) return undefined
  if (!isKid(kid)) throw new TypeError('The kid of a JWK must be 1 to 64 of A-Z a-z 0-9 _ and -.')
  return kid
}

function keyObjectFrom(jwk: Members, spec: AlgorithmSpec, operation: 'sign' | 'verify'): KeyObject {
  const { kty, names, memberBytes } = shapeOf(spec)
  if (jwk['kty'] !== kty) throw new TypeError(`The algorithm needs a JWK with kty ${kty}.`)
  if (spec.family === 'hmac') return createSecretKey(bytesOf(jwk, 'k'))
  if (jwk['oth'] !== undefined) {
    throw new TypeError('RSA keys of more than two primes are not supported.')
  }

  const isPrivate = operation === 'sign'
  if (!isPrivate && hasPrivateMember(jwk)) {
    throw new TypeError('This JWK is private; import it as a signing key.')
  }
  const wanted = isPrivate ? [...names.public, ...names.private] : names.public
  for (const name of wanted) {
    const { length } = bytesOf(jwk, name)
    if (memberBytes !== undefined && length !== memberBytes) {
      throw new TypeError(`The JWK member ${name} must have ${memberBytes} bytes.`)
    }
  }
  const key = Object.fromEntries(wanted.map((name) => [name, jwk[name]]))
  return createKeyObject({ ...key, kty, ...curveOf(jwk, spec) }, isPrivate)
}

function createKeyObject(key: Members, isPrivate: boolean): KeyObject {
  try {
    const input = { key, format: 'jwk' } as const
    return isPrivate ? createPrivateKey(input) : createPublicKey(input)
  } catch {
    // The cause is left out: nothing promises that OpenSSL's messages hold no part of the key.
    throw new TypeError('The JWK is not a valid key.')
  }
}

interface Shape {
  readonly kty: 'oct' | 'RSA' | 'EC' | 'OKP'
  readonly names: { readonly public: readonly string[]; readonly private: readonly string[] }
  /** Exact size of each member in bytes, where the standard fixes it. */
  readonly memberBytes?: number
}

const octShape: Shape = { kty: 'oct', names: { public: [], private: ['k'] } }
const rsaShape: Shape = {
  kty: 'RSA',
  names: { public: ['n', 'e'], private: ['d', 'p', 'q', 'dp', 'dq', 'qi'] },
}
const okpShape: Shape = { kty: 'OKP', names: { public: ['x'], private: ['d'] }, memberBytes: 32 }

function shapeOf(spec: AlgorithmSpec): Shape {
  if (spec.family === 'hmac') return octShape
  if (spec.family === 'eddsa') return okpShape
  if (spec.family !== 'ecdsa') return rsaShape
  const names = { public: ['x', 'y'], private: ['d'] }
  return { kty: 'EC', names, memberBytes: spec.coordinateBytes }
}

function curveOf(jwk: Members, spec: AlgorithmSpec): { crv?: string } {
  if (spec.family !== 'ecdsa' && spec.family !== 'eddsa') return {}
  const crv = spec.family === 'ecdsa' ? spec.curve : 'Ed25519'
  if (jwk['crv'] !== crv) throw new TypeError(`The algorithm needs a JWK with crv ${crv}.`)
  return { crv }
}

function bytesOf(jwk: Members, name: string): Uint8Array {
  const value = jwk[name]
  const bytes = typeof value === 'string' ? decodeBase64url(value) : undefined
  if (bytes === undefined || bytes.length === 0) {
    throw new TypeError(`The JWK member ${name} is missing or not base64url.`)
  }
  return bytes
}
