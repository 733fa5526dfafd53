import { createPublicKey, X509Certificate } from 'node:crypto'
import type { HmacSpec } from '../algorithms.ts'
import { isObject } from '../json/object.ts'

/**
 * Throws a `TypeError` unless these bytes can be an HMAC secret: at least as long as the hash (RFC 7518
 * §3.2), and not the text or bytes of a public key. If a public key is used as a secret, everybody can sign,
 * because everybody can read it. The caller has declared these bytes a secret, but an error in a
 * configuration file can declare that too.
 */
export function assertSecret(secret: Uint8Array, spec: HmacSpec): void {
  if (secret.length < spec.hashBytes) {
    throw new TypeError(`The secret needs at least ${spec.hashBytes} bytes.`)
  }
  if (isKeyText(secret) || isKeyBytes(Buffer.from(secret))) {
    throw new TypeError('These bytes are a key for another algorithm, not an HMAC secret.')
  }
}

// The pattern may be anywhere, and NULs are removed first. So a byte order mark, a leading comment or UTF-16
// does not hide the key.
function isKeyText(secret: Uint8Array): boolean {
  const text = Buffer.from(secret).toString('latin1').replaceAll('\0', '')
  return (
    /-----? ?BEGIN /i.test(text) ||
    /"kty"\s*:/.test(text) ||
    isJwkText(text) ||
    /(?:ssh-(?:rsa|ed25519|dss)|ecdsa-sha2-nistp\d+|@openssh\.com)\s+AAAA/.test(text) ||
    isEncodedKey(text)
  )
}

// Parsing finds the members even if their names are written with escapes.
function isJwkText(text: string): boolean {
  const start = text.indexOf('{')
  if (start === -1) return false
  try {
    const value: unknown = JSON.parse(text.slice(start))
    return isObject(value) && ('kty' in value || 'keys' in value)
  } catch {
    return false
  }
}

// The bytes of a key in the forms that environment variables often hold: the body of a PEM file on one line,
// or hexadecimal.
function isEncodedKey(text: string): boolean {
  const body = text.replaceAll(/\s/g, '')
  return (
    (/^[\w+/-]+=*$/.test(body) && isKeyBytes(Buffer.from(body, 'base64'))) ||
    (/^(?:[\da-f]{2})+$/i.test(body) && isKeyBytes(Buffer.from(body, 'hex')))
  )
}

function isKeyBytes(bytes: Buffer): boolean {
  return isPublicKeyDer(bytes) || isEcPoint(bytes)
}

function isPublicKeyDer(key: Buffer): boolean {
  // A DER sequence. One random secret in 256 begins with this byte, and then fails to parse.
  if (key[0] !== 0x30) return false
  return (
    parses(() => createPublicKey({ key, format: 'der', type: 'spki' })) ||
    parses(() => createPublicKey({ key, format: 'der', type: 'pkcs1' })) ||
    parses(() => new X509Certificate(key))
  )
}

// An uncompressed point (SEC 1 §2.3.3). Random bytes pass this test with a probability of 2^-256. Compressed
// points and Ed25519 keys are not tested, because half of all random secrets would pass for one.
function isEcPoint(point: Buffer): boolean {
  const crv = curvesByPointBytes.get(point.length)
  if (crv === undefined || point[0] !== 0x04) return false
  const half = (point.length - 1) / 2 + 1
  const x = point.subarray(1, half).toString('base64url')
  const y = point.subarray(half).toString('base64url')
  return parses(() => createPublicKey({ key: { kty: 'EC', crv, x, y }, format: 'jwk' }))
}

const curvesByPointBytes: ReadonlyMap<number, string> = new Map([
  [65, 'P-256'],
  [97, 'P-384'],
  [133, 'P-521'],
])

function parses(parse: () => unknown): boolean {
  try {
    parse()
    return true
  } catch {
    return false
  }
}
