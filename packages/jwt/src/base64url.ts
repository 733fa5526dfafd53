import { TOKEN_BYTES_MAX } from './limits.ts'

/** Encodes bytes as base64url without padding (RFC 7515 §2). */
export function encodeBase64url(bytes: Uint8Array): string {
  return bufferOver(bytes).toString('base64url')
}

/** Encodes a text as UTF-8 and then as base64url. */
export function encodeTextBase64url(text: string): string {
  // UTF-8 needs at most three bytes for each UTF-16 unit.
  if (text.length * 3 > buffer.length) return Buffer.from(text).toString('base64url')
  return buffer.toString('base64url', 0, buffer.write(text))
}

// Creating a Buffer for each text would cost more than encoding the text.
const buffer = Buffer.alloc(3 * TOKEN_BYTES_MAX)

/**
 * Decodes base64url. Returns `undefined` for every spelling other than the one that `encodeBase64url` writes:
 * padding, the `+/` alphabet, white space, a length of 4n+1, and unused last bits that are not zero. Without
 * this rule each token would have up to 15 other accepted spellings. They would bypass a list of tokens that
 * compares token texts (RFC 4648 §3.5).
 */
export function decodeBase64url(text: string): Uint8Array | undefined {
  if (typeof text !== 'string') return undefined
  // Node's decoder skips unknown characters and reads U+0141 as U+0041. Encoding the bytes again is the only
  // way to notice.
  const bytes = Buffer.from(text, 'base64url')
  return bytes.toString('base64url') === text ? bytes : undefined
}

/**
 * True if an ASCII text has the spelling that `encodeBase64url` writes. `byteCount` is the number of bytes
 * that Node's decoder returned. That decoder skips unknown characters, so each of them makes the result
 * shorter. Of the other alphabet it accepts only `+` and `/`. This check takes half the time of encoding
 * again, and allocates no text.
 */
export function isCanonicalSpelling(text: string, byteCount: number): boolean {
  const { length } = text
  if (length % 4 === 1 || byteCount !== Math.floor((length * 3) / 4)) return false
  if (text.includes('+') || text.includes('/')) return false
  return length % 4 === 0 || LAST[length % 4]?.includes(text.charAt(length - 1)) === true
}

// In a text of length 4n+2, the last character carries two bits. In a text of length 4n+3, it carries four.
// The other bits must be zero.
const LAST = ['', '', 'AQgw', 'AEIMQUYcgkosw048']

/** True if all characters are ASCII, so that each is one byte and Node's decoder replaces none. */
export function isAscii(text: string): boolean {
  return Buffer.byteLength(text) === text.length
}

/** Returns the number of base64url characters that encode `byteCount` bytes. */
export function encodedLength(byteCount: number): number {
  return Math.ceil((byteCount * 4) / 3)
}

function bufferOver(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
