import { encodedLength } from '../base64url.ts'
import { HEADER_BYTES_MAX, TOKEN_BYTES_MAX } from '../limits.ts'
import { refuse, type Refused } from '../refusals.ts'

/** Where the two dots of a compact serialization stand (RFC 7515 §7.1). */
export interface CompactDots {
  readonly ok: true
  readonly headerEnd: number
  readonly payloadEnd: number
}

const HEADER_CHARACTERS_MAX = encodedLength(HEADER_BYTES_MAX)

/**
 * Finds the two dots of a token, or refuses: more bytes than `bytesMax`, another number of dots than
 * two, an empty part. Looks for dots at most three times, whatever a megabyte of them would like;
 * splitting made that expensive elsewhere (CVE-2025-27144, CVE-2025-30204).
 */
export function findDots(token: string, bytesMax = TOKEN_BYTES_MAX): CompactDots | Refused {
  if (typeof token !== 'string') return refuse('token_malformed')
  // Legal tokens are ASCII, so that characters are bytes; others fail at their first decoding.
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
