import { TOKEN_BYTES_MAX } from './limits.ts'

/** Encodes bytes as base64url without padding (RFC 7515 §2). */
export function encodeBase64url(bytes: Uint8Array): string {
  return bufferOver(bytes).toString('base64url')
}

/** Encodes the UTF-8 of a text. */
export function encodeTextBase64url(text: string): string {
  // UTF-8 takes at most three bytes for each UTF-16 unit.
  if (text.length * 3 > buffer.length) return Buffer.from(text).toString('base64url')
  return buffer.toString('base64url', 0, buffer.write(text))
}

// Making a Buffer for each text would cost more than encoding it.
const buffer = Buffer.alloc(3 * TOKEN_BYTES_MAX)

/**
 * Decodes base64url, or gives `undefined` for every spelling but the one that `encodeBase64url`
 * writes: padding, the `+/` alphabet, white space, a length of 4n+1, and unused last bits that are
 * not zero. Each token would otherwise have up to 15 other spellings that pass for it and slip by
 * whoever remembers tokens by their text (RFC 4648 §3.5).
 */
export function decodeBase64url(text: string): Uint8Array | undefined {
  if (typeof text !== 'string') return undefined
  // Node's decoder skips what it does not know and folds U+0141 to U+0041; only writing the bytes
  // again tells whether it did.
  const bytes = Buffer.from(text, 'base64url')
  return bytes.toString('base64url') === text ? bytes : undefined
}

/**
 * True when `byteCount`, the number of bytes that Node's decoder made of an ASCII text, tells that
 * the text is the spelling that `encodeBase64url` writes. Node's decoder skips what it does not
 * know, so that each character that does not count leaves bytes missing; what it does take besides
 * the right alphabet are `+` and `/`. Half the time of encoding again, and no text is made for it.
 */
export function isCanonicalSpelling(text: string, byteCount: number): boolean {
  const { length } = text
  if (length % 4 === 1 || byteCount !== Math.floor((length * 3) / 4)) return false
  if (text.includes('+') || text.includes('/')) return false
  return length % 4 === 0 || LAST[length % 4]?.includes(text.charAt(length - 1)) === true
}

// The last character of 4n+2 holds two bits, that of 4n+3 four; the others must be zero.
const LAST = ['', '', 'AQgw', 'AEIMQUYcgkosw048']

/** True when all characters are ASCII, so that each is one byte and Node's decoder folds none. */
export function isAscii(text: string): boolean {
  return Buffer.byteLength(text) === text.length
}

/** Number of base64url characters that encode `byteCount` bytes. */
export function encodedLength(byteCount: number): number {
  return Math.ceil((byteCount * 4) / 3)
}

function bufferOver(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
