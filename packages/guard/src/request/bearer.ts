import type { Refused } from '../refusals.ts'

// RFC 6750 §2.1: the scheme, one or more spaces, one b64token. The scheme ignores case
// (RFC 9110 §11.1). The classes do not overlap, so the match takes linear time.
const BEARER = /^bearer +([A-Za-z0-9\-._~+/]+=*)$/i
const BEARER_SCHEME = /^bearer(?:$|[ \t,])/i

/** The token of a request, or why there is none to check. */
export type BearerReading = { readonly ok: true; readonly token: string } | Refused

/**
 * Reads the token out of the values of all Authorization headers of one request. Pure.
 *
 * A token in the query or in the body is never looked for (RFC 9700 §4.3.2). Another scheme than
 * Bearer counts as no token. Two headers are refused instead of choosing one: a proxy in front could
 * have checked the other (RFC 6750 §2 allows one method once).
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
 * The token of one Authorization header as nearly every client writes it; its characters are not looked at.
 * For who verifies it at once and lets `readBearer` say what a refused one is: nothing that a verifier
 * takes has other characters (RFC 7515 §7.1), and looking at each costs as much as all the rest.
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
