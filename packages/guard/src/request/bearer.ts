import type { Refused } from '../refusals.ts'

// RFC 6750 §2.1: the scheme, one or more spaces, one b64token. The scheme ignores case
// (RFC 9110 §11.1). The classes do not overlap, so the match takes linear time.
const BEARER = /^bearer +([A-Za-z0-9\-._~+/]+=*)$/i
const BEARER_SCHEME = /^bearer(?:$|[ \t,])/i
// RFC 9449 §7.1: the same syntax under another scheme.
const DPOP = /^dpop +([A-Za-z0-9\-._~+/]+=*)$/i
const DPOP_SCHEME = /^dpop(?:$|[ \t,])/i

/** The token of a request, or the refusal. */
export type BearerReading = { readonly ok: true; readonly token: string } | Refused

/**
 * Reads the token from the values of all Authorization headers of one request. Pure.
 *
 * A token in the query or body is never read (RFC 9700 §4.3.2). A scheme other than Bearer counts as no
 * token. Two headers are refused, because a proxy in front of the service could have checked the other one.
 * RFC 6750 §2 allows one method, once.
 */
export function readBearer(values: readonly string[]): BearerReading {
  const [value, second] = values
  if (value === undefined) return missing('authorization_absent')
  if (second !== undefined) return malformed('authorization_repeated')

  const token = BEARER.exec(value)?.[1]
  if (token !== undefined) return { ok: true, token }
  return BEARER_SCHEME.test(value)
    ? malformed('authorization_unreadable')
    : missing('scheme_not_bearer')
}

/**
 * Reads the token that the Authorization header presents with the scheme `DPoP`, by the same rules as `readBearer`.
 * Pure.
 */
export function readDpopToken(values: readonly string[]): BearerReading {
  const [value, second] = values
  if (value === undefined) return missing('authorization_absent')
  if (second !== undefined) return malformed('authorization_repeated')

  const token = DPOP.exec(value)?.[1]
  if (token !== undefined) return { ok: true, token }
  return DPOP_SCHEME.test(value)
    ? malformed('authorization_unreadable')
    : missing('scheme_not_dpop')
}

/**
 * Returns the token of one Authorization header in its usual form, without checking its characters. Use it
 * only to verify the token at once. If the verifier refuses the token, `readBearer` decides the answer. A
 * verifier accepts no token with other characters (RFC 7515 §7.1). Checking each character here would cost as
 * much as everything else.
 */
export function plainBearer(values: readonly string[]): string | undefined {
  const [value] = values
  return values.length === 1 && value?.startsWith('Bearer ') === true ? value.slice(7) : undefined
}

function missing(reason: string): Refused {
  return { ok: false, code: 'token_missing', reason }
}

function malformed(reason: string): Refused {
  return { ok: false, code: 'request_malformed', reason }
}
