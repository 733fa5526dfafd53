import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'

const PEM = /^\s*-----BEGIN (PUBLIC|PRIVATE) KEY-----\s+([A-Za-z0-9+/=\s]+)-----END \1 KEY-----\s*$/

/**
 * Reads one PEM block (RFC 7468): `PUBLIC KEY` (SPKI) or unencrypted `PRIVATE KEY` (PKCS#8). Throws
 * a `TypeError` for everything else: PKCS#1, certificates, OpenSSH, encrypted keys, two blocks, text
 * around the block. Text that is no PEM is never tried as anything else; that is how public keys
 * became HMAC secrets elsewhere (CVE-2023-48223 and its successors).
 */
export function parsePem(pem: string): KeyObject {
  const match = typeof pem === 'string' && pem.length <= PEM_CHARACTERS_MAX ? PEM.exec(pem) : null
  const [, label, body] = match ?? []
  if (body === undefined) {
    throw new TypeError('The PEM must be one block, PUBLIC KEY (SPKI) or PRIVATE KEY (PKCS#8).')
  }
  const key = Buffer.from(body, 'base64')
  try {
    return label === 'PRIVATE'
      ? createPrivateKey({ key, format: 'der', type: 'pkcs8' })
      : createPublicKey({ key, format: 'der', type: 'spki' })
  } catch {
    throw new TypeError('The PEM does not hold a valid key.')
  }
}

// An RSA private key of 8192 bits takes about 6,400 characters.
const PEM_CHARACTERS_MAX = 16_384
