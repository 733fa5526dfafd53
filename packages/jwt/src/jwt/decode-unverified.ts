import { decodeBase64url, isAscii } from '../base64url.ts'
import { parseEncodedObject } from '../json/encoded-object.ts'
import { findDots } from '../jws/compact.ts'
import { refuse, type Refused } from '../refusals.ts'

/** The decoded parts of a token, or a refusal. The contents are not verified. */
export type DecodeResult =
  | {
      readonly ok: true
      readonly header: Record<string, unknown>
      readonly claims: Record<string, unknown>
      readonly signatureBytes: number
    }
  | Refused

/**
 * Reads a token strictly and verifies nothing. For tools that show tokens, and for logs. Never use it to
 * accept a token: anybody can write the returned values.
 */
export function decodeUnverified(token: string): DecodeResult {
  const dots = findDots(token)
  if (!dots.ok) return dots
  if (!isAscii(token)) return refuse('token_malformed')
  const header = parseEncodedObject(token.slice(0, dots.headerEnd))
  if (header === undefined) return refuse('header_invalid')
  const claims = parseEncodedObject(token.slice(dots.headerEnd + 1, dots.payloadEnd))
  if (claims === undefined) return refuse('payload_invalid')
  const signature = decodeBase64url(token.slice(dots.payloadEnd + 1))
  if (signature === undefined) return refuse('token_malformed')
  return { ok: true, header, claims, signatureBytes: signature.length }
}
