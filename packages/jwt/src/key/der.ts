/** The DER tags that keys use (X.690 §8). */
export const tags = {
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  sequence: 0x30,
  /** Context-specific and constructed: `[0]` is `explicit`, `[1]` is `explicit + 1`. */
  explicit: 0xa0,
} as const

/** Encodes one DER element around its parts. */
export function encodeElement(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts)
  if (content.length < 0x80) return Buffer.concat([Buffer.from([tag, content.length]), content])
  const length = Buffer.alloc(4)
  length.writeUInt32BE(content.length)
  const significant = length.subarray(length.findIndex((byte) => byte !== 0))
  return Buffer.concat([Buffer.from([tag, 0x80 | significant.length]), significant, content])
}

/**
 * Returns the contents of the adjacent elements in `source`. For DER that OpenSSL has written. It reads tags
 * and lengths, and throws a `RangeError` if they do not fit.
 */
export function decodeElements(source: Buffer): Buffer[] {
  const contents: Buffer[] = []
  let at = 0
  while (at < source.length) {
    const short = source.readUInt8(at + 1)
    const lengthBytes = short < 0x80 ? 0 : short & 0x7f
    const start = at + 2 + lengthBytes
    const length = lengthBytes === 0 ? short : source.readUIntBE(at + 2, lengthBytes)
    contents.push(source.subarray(start, start + length))
    at = start + length
  }
  return contents
}
