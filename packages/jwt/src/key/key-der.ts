import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { decodeElements } from './der.ts'

/** Reads a public key in SubjectPublicKeyInfo (RFC 5280 §4.1). Throws a `TypeError` for anything else. */
export function parseSpki(der: Uint8Array): KeyObject {
  return parseDer(der, (key) => createPublicKey({ key, format: 'der', type: 'spki' }))
}

/** Reads a private key in unencrypted PKCS#8 (RFC 5208 §5). Throws a `TypeError` for anything else. */
export function parsePkcs8(der: Uint8Array): KeyObject {
  return parseDer(der, (key) => createPrivateKey({ key, format: 'der', type: 'pkcs8' }))
}

function parseDer(der: Uint8Array, create: (key: Buffer) => KeyObject): KeyObject {
  try {
    const bytes = Buffer.from(der)
    // OpenSSL reads the first element and ignores what follows it.
    if (decodeElements(bytes).length === 1) return create(bytes)
  } catch {
    // The cause is omitted, because OpenSSL's messages may contain a part of the key.
  }
  throw new TypeError('The key is not valid DER of the kind expected here.')
}
