import { createPublicKey, X509Certificate } from 'node:crypto'
import type { HmacSpec } from '../algorithms.ts'

/**
 * Throws a `TypeError` unless these bytes can be an HMAC secret: at least as long as the hash (RFC
 * 7518 §3.2), and not the text or DER of a public key. Who takes a public key for a secret lets
 * everybody sign, because everybody can read it; the caller has declared it a secret, but a wrong
 * line in a configuration file does that too.
 */
export function assertSecret(secret: Uint8Array, spec: HmacSpec): void {
  if (secret.length < spec.hashBytes) {
    throw new TypeError(`The secret needs at least ${spec.hashBytes} bytes.`)
  }
  if (isKeyText(secret) || isPublicKeyDer(secret)) {
    throw new TypeError('These bytes are a key for another algorithm, not an HMAC secret.')
  }
}

// Searched anywhere and without NULs, so that neither a byte order mark, nor a comment in front, nor
// UTF-16 hides it.
function isKeyText(secret: Uint8Array): boolean {
  const text = Buffer.from(secret).toString('latin1').replaceAll('\0', '')
  return (
    /-----? ?BEGIN /.test(text) ||
    /"kty"\s*:/.test(text) ||
    /(?:ssh-(?:rsa|ed25519|dss)|ecdsa-sha2-nistp\d+|@openssh\.com)\s+AAAA/.test(text) ||
    isEncodedDer(text)
  )
}

// The body of a PEM file without its lines, as environment variables often hold it.
function isEncodedDer(text: string): boolean {
  const body = text.replaceAll(/\s/g, '')
  return /^MI[\w+/-]+=*$/.test(body) && isPublicKeyDer(Buffer.from(body, 'base64'))
}

function isPublicKeyDer(secret: Uint8Array): boolean {
  // A DER sequence; random secrets begin with it once in 256 times and then fail to parse.
  if (secret[0] !== 0x30) return false
  const key = Buffer.from(secret)
  return (
    parses(() => createPublicKey({ key, format: 'der', type: 'spki' })) ||
    parses(() => createPublicKey({ key, format: 'der', type: 'pkcs1' })) ||
    parses(() => new X509Certificate(key))
  )
}

function parses(parse: () => unknown): boolean {
  try {
    parse()
    return true
  } catch {
    return false
  }
}
