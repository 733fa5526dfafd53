import type { KeyObject } from 'node:crypto'
import { parsePkcs8, parseSpki } from './key-der.ts'

/** The text after BEGIN and END (RFC 7468 §5, §10, §13). */
export type PemLabel = 'PUBLIC KEY' | 'PRIVATE KEY' | 'CERTIFICATE'

/**
 * Reads one PEM block (RFC 7468): `PUBLIC KEY` (SPKI) or unencrypted `PRIVATE KEY` (PKCS#8). Throws a
 * `TypeError` for everything else: PKCS#1, certificates, OpenSSH, encrypted keys, two blocks, text around the
 * block. Text that is not PEM is never read in another form. Other libraries did that, and accepted public
 * keys as HMAC secrets (CVE-2023-48223 and its successors).
 */
export function parsePem(pem: string): KeyObject {
  const block = matchBlock(pem)
  if (block?.label === 'PRIVATE KEY') return parsePkcs8(block.der)
  if (block?.label === 'PUBLIC KEY') return parseSpki(block.der)
  throw new TypeError('The PEM must be one block, PUBLIC KEY (SPKI) or PRIVATE KEY (PKCS#8).')
}

/** Returns the DER in one PEM block with this label. Throws a `TypeError` for everything else. */
export function parsePemBlock(pem: string, label: PemLabel): Buffer {
  const block = matchBlock(pem)
  if (block?.label !== label) throw new TypeError(`The PEM must be one block, ${label}.`)
  return block.der
}

const PEM =
  /^\s*-----BEGIN ((?:PUBLIC|PRIVATE) KEY|CERTIFICATE)-----\s+([A-Za-z\d+/=\s]+)-----END \1-----\s*$/

// An RSA private key of 8192 bits takes about 6,400 characters.
const PEM_CHARACTERS_MAX = 16_384

function matchBlock(pem: string): { label: string; der: Buffer } | undefined {
  const match = typeof pem === 'string' && pem.length <= PEM_CHARACTERS_MAX ? PEM.exec(pem) : null
  const [, label, body] = match ?? []
  if (label === undefined || body === undefined) return undefined
  return { label, der: Buffer.from(body, 'base64') }
}
