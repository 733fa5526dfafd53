/** Why a token was refused: the text of each code. Codes are API and are never renamed. */
export const refusals = Object.freeze({
  token_too_large: 'The token is longer than the limit.',
  token_malformed: 'The token is not a JWS in compact serialization.',
  header_invalid: 'The header is not strict base64url, UTF-8 and JSON, or a parameter is invalid.',
  typ_mismatch: 'The header names another type of token than the one expected here.',
  algorithm_mismatch: 'The header names another algorithm than the key is for.',
  key_unknown: 'The header names no key that is known here.',
  critical_unknown: 'The header demands an extension; none is supported.',
  signature_invalid: 'The signature does not match.',
  payload_invalid: 'The payload is not strict base64url, UTF-8 and a JSON object.',
  claim_missing: 'A required claim is missing.',
  claim_invalid: 'A claim has the wrong type or an impossible value.',
  token_expired: 'The token has expired.',
  token_not_yet_valid: 'The token is not valid yet.',
  token_issued_in_future: 'The token was issued in the future.',
  token_too_old: 'The token was issued too long ago.',
  issuer_mismatch: 'The token is from another issuer.',
  audience_mismatch: 'The token is for another audience.',
} as const satisfies Record<string, string>)

/** Every reason to refuse a token. */
export type JwtRefusalCode = keyof typeof refusals

/** A refused token. `claim` names the claim for `claim_missing` and `claim_invalid`. */
export interface Refused {
  readonly ok: false
  readonly code: JwtRefusalCode
  readonly claim?: string
}

/**
 * Returns the refusal with this code. The object is frozen and shared, because an attacker chooses how often
 * we refuse.
 */
export function refuse(code: Exclude<JwtRefusalCode, 'claim_missing' | 'claim_invalid'>): Refused {
  const known = shared.get(code)
  if (known !== undefined) return known
  const refused: Refused = Object.freeze({ ok: false, code })
  shared.set(code, refused)
  return refused
}

/** Returns a refusal that names a claim. */
export function refuseClaim(code: 'claim_missing' | 'claim_invalid', claim: string): Refused {
  return { ok: false, code, claim }
}

const shared = new Map<JwtRefusalCode, Refused>()
