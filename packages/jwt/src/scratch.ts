import { TOKEN_BYTES_MAX } from './limits.ts'

// One buffer for every signing input. Making a Buffer for each token costs more than hashing it;
// everything here is synchronous, so nobody can write while somebody else still reads.
const PREFIX_BYTES = 128

// Room for one character more than a token has. Without it, a text with a two-byte character would
// be cut off at the end of the buffer, at exactly as many bytes as the text has characters.
const SPARE_BYTES = 4
const buffer = Buffer.alloc(PREFIX_BYTES + TOKEN_BYTES_MAX + SPARE_BYTES)

/**
 * The first `length` bytes of an ASCII text, or `undefined` when the text holds anything but ASCII.
 * Valid until the next call of this module.
 *
 * Written as UTF-8 and never as latin1, which would make each character c and c+256 the same byte,
 * so that altered tokens pass as the original.
 */
export function asciiBytes(text: string, length: number): Uint8Array | undefined {
  if (text.length > TOKEN_BYTES_MAX) return longAsciiBytes(text, length)
  if (buffer.write(text, PREFIX_BYTES) !== text.length) return undefined
  return buffer.subarray(PREFIX_BYTES, PREFIX_BYTES + length)
}

/**
 * As `asciiBytes`, with `prefix` (at most 128 bytes) directly before the text. Gives `undefined` for
 * texts over the token limit too.
 */
export function prefixedAsciiBytes(
  prefix: Uint8Array,
  text: string,
  length: number,
): Uint8Array | undefined {
  if (text.length > TOKEN_BYTES_MAX) return undefined
  if (buffer.write(text, PREFIX_BYTES) !== text.length) return undefined
  const start = PREFIX_BYTES - prefix.length
  buffer.set(prefix, start)
  return buffer.subarray(start, PREFIX_BYTES + length)
}

function longAsciiBytes(text: string, length: number): Uint8Array | undefined {
  const bytes = Buffer.from(text)
  return bytes.length === text.length ? bytes.subarray(0, length) : undefined
}
