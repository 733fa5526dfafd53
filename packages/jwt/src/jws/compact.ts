import { encodedLength } from '../base64url.ts'
import { HEADER_BYTES_MAX, TOKEN_BYTES_MAX } from '../limits.ts'
import { refuse, type Refused } from '../refusals.ts'

/** The positions of the two dots of a compact serialization (RFC 7515 §7.1). */
export interface CompactDots {
  readonly ok: true
  readonly headerEnd: number
  readonly payloadEnd: number
}

const HEADER_CHARACTERS_MAX = encodedLength(HEADER_BYTES_MAX)

/**
 * Finds the two dots of a token. Refuses a token longer than `bytesMax` bytes, a number of dots other than
 * two, and an empty part. It searches for a dot at most three times, even in a megabyte of dots. Splitting
 * such a text was expensive in other libraries (CVE-2025-27144, CVE-2025-30204).
 */
export function findDots(token: string, bytesMax = TOKEN_BYTES_MAX): CompactDots | Refused {
  if (typeof token !== 'string') return refuse('token_malformed')
  // Valid tokens are ASCII, so characters are bytes. Other tokens fail when their first part is decoded.
  if (token.length > bytesMax) return refuse('token_too_large')

  const headerEnd = token.indexOf('.')
  const payloadEnd = token.indexOf('.', headerEnd + 1)
  if (headerEnd < 1 || payloadEnd <= headerEnd + 1 || payloadEnd === token.length - 1) {
    return refuse('token_malformed')
  }
  if (token.includes('.', payloadEnd + 1)) return refuse('token_malformed')
  if (headerEnd > HEADER_CHARACTERS_MAX) return refuse('header_invalid')
  return { ok: true, headerEnd, payloadEnd }
}
