import { createHmac, generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto'
import {
  createVerifier,
  encodeBase64url,
  importSigningKey,
  verifyingKeyOf,
  type Algorithm,
  type SigningKey,
  type Verifier,
  type VerifierOptions,
} from '../src/index.ts'

export const algorithms: readonly Algorithm[] = [
  'HS256',
  'HS384',
  'HS512',
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'Ed25519',
]

export const NOW_SEC = 1_800_000_000
export const NOW_MS = NOW_SEC * 1000

/** Claims that every verifier of `verifierFor` accepts. */
export function validClaims(more: object = {}): Record<string, unknown> {
  return { iss: 'I', aud: 'A', sub: 's', iat: NOW_SEC, exp: NOW_SEC + 300, ...more }
}

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
const keyObjects: Record<string, KeyObject> = {
  RS: rsa,
  PS: rsa,
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
  ES384: generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey,
  ES512: generateKeyPairSync('ec', { namedCurve: 'P-521' }).privateKey,
  Ed25519: generateKeyPairSync('ed25519').privateKey,
}

export const secret = randomBytes(64)

/** The private key; undefined for HMAC. */
export function keyObjectFor(alg: Algorithm): KeyObject | undefined {
  return keyObjects[alg] ?? keyObjects[alg.slice(0, 2)]
}

export function signingKeyFor(alg: Algorithm): SigningKey {
  const keyObject = keyObjectFor(alg)
  return keyObject === undefined
    ? importSigningKey({ secret }, { alg, kid: 'shared' })
    : importSigningKey({ keyObject }, { alg })
}

export function verifierFor(key: SigningKey, more: Partial<VerifierOptions> = {}): Verifier {
  return createVerifier({
    keys: verifyingKeyOf(key),
    typ: 'at+jwt',
    issuer: 'I',
    audience: 'A',
    clock: () => NOW_MS,
    ...more,
  })
}

/** Encodes a header or payload. Text stays as it is; anything else becomes JSON. */
export function encodePart(part: unknown): string {
  if (part instanceof Uint8Array) return encodeBase64url(part)
  return encodeBase64url(Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)))
}

/** Makes a token with a valid HS256 signature over any parts, which are already encoded. */
export function signEncoded(header: string, payload: string): string {
  const input = `${header}.${payload}`
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
}

/** Makes a token with a valid HS256 signature. Text parts are used as JSON text. */
export function signParts(header: unknown, payload: unknown): string {
  return signEncoded(encodePart(header), encodePart(payload))
}

export const hsHeader = { alg: 'HS256', typ: 'at+jwt' }
