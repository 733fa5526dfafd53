import { TOKEN_BYTES_MAX } from './limits.ts'

/**
 * Space for one more character than the longest token has. Without it, a text with a two-byte character would
 * be cut off at the end of the buffer, after exactly as many bytes as the text has characters.
 */
export const SPARE_BYTES = 4

// One buffer for all signing inputs. Making a Buffer for each token costs more than hashing it. All code here
// is synchronous, so nothing writes to the buffer while it is being read.
const buffer = Buffer.alloc(TOKEN_BYTES_MAX + SPARE_BYTES)

/**
 * Returns the first `length` bytes of an ASCII text, or `undefined` if the text contains anything but ASCII.
 * The bytes are valid until the next call of this module.
 *
 * The text is written as UTF-8, never as latin1. In latin1 the characters c and c+256 become the same byte,
 * so an altered token would pass as the original.
 */
export function asciiBytes(text: string, length: number): Uint8Array | undefined {
  if (text.length > TOKEN_BYTES_MAX) return longAsciiBytes(text, length)
  if (buffer.write(text) !== text.length) return undefined
  return buffer.subarray(0, length)
}

function longAsciiBytes(text: string, length: number): Uint8Array | undefined {
  const bytes = Buffer.from(text)
  return bytes.length === text.length ? bytes.subarray(0, length) : undefined
}

/**
 * Returns the bytes of an encoded header, a dot and an encoded payload. They are valid until the next call of
 * this module. Throws a `TypeError` for texts that are not ASCII.
 */
export function signingInput(header: string, payload: string): Uint8Array {
  const length = header.length + 1 + payload.length
  const target = length > TOKEN_BYTES_MAX ? Buffer.alloc(length + SPARE_BYTES) : buffer
  writeSigningInput(target, 0, header, payload)
  return target.subarray(0, length)
}

/** Writes the same bytes into a buffer that has `SPARE_BYTES` more room than they need. */
export function writeSigningInput(
  target: Buffer,
  at: number,
  header: string,
  payload: string,
): void {
  const dotAt = at + header.length
  const isAscii =
    target.write(header, at) === header.length &&
    target.write(payload, dotAt + 1) === payload.length
  if (!isAscii) throw new TypeError('Only ASCII text can be signed.')
  target[dotAt] = DOT
}

const DOT = 0x2e
