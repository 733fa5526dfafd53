import { decodeBase64url } from '../base64url.ts'
import type { KeySet } from '../jwk/key-set.ts'
import { verifyingMaterialOf, type VerifyingKey } from '../key/key.ts'
import { refuse, type Refused } from '../refusals.ts'
import { findDots } from './compact.ts'
import { parseHeader, type JwsHeader } from './header.ts'
import { assertKeys, selectKey } from './select-key.ts'
import { assertTyp, normalizeTyp } from './typ.ts'

/**
 * `typ`: the expected kind of document, compared by RFC 7515 §4.1.9. If absent, any kind is accepted.
 * `tokenBytesMax`: the longest token that is read, in bytes. If absent, 8192.
 */
export interface VerifyJwsOptions {
  readonly typ?: string
  readonly tokenBytesMax?: number
}

/** The signed bytes, the header, and the key that verified them; or a refusal. */
export type VerifyJwsResult =
  | {
      readonly ok: true
      readonly payload: Uint8Array
      readonly header: JwsHeader
      readonly key: VerifyingKey
    }
  | Refused

/**
 * Verifies a compact JWS and returns its payload unchanged. Throws a `TypeError` for keys that were not
 * imported by this package, never because of the token.
 */
export function verifyJws(
  token: string,
  keys: VerifyingKey | KeySet,
  options: VerifyJwsOptions = {},
): VerifyJwsResult {
  assertKeys(keys)
  const typ = options.typ === undefined ? undefined : assertTyp(options.typ)

  const dots = findDots(token, options.tokenBytesMax)
  if (!dots.ok) return dots
  const parsed = parseHeader(token.slice(0, dots.headerEnd))
  if (!parsed.ok) return parsed
  const { header } = parsed
  if (typ !== undefined && normalizeTyp(header.typ) !== typ) return refuse('typ_mismatch')
  const selected = selectKey(keys, header)
  if (!selected.ok) return selected

  const { key } = selected
  if (!verifyingMaterialOf(key).verify(token, dots.payloadEnd)) return refuse('signature_invalid')
  const payload = decodeBase64url(token.slice(dots.headerEnd + 1, dots.payloadEnd))
  if (payload === undefined) return refuse('payload_invalid')
  return { ok: true, payload, header, key }
}
