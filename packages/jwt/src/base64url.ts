/** Encodes bytes as base64url without padding (RFC 7515 §2). */
export function encodeBase64url(bytes: Uint8Array): string {
  return bufferOver(bytes).toString('base64url')
}

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

/** Number of base64url characters that encode `byteCount` bytes. */
export function encodedLength(byteCount: number): number {
  return Math.ceil((byteCount * 4) / 3)
}

function bufferOver(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
