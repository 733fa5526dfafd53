import {
  challengeFor,
  checkCookieClaims,
  readBearer,
  readDpopToken,
  readRequestToken,
  viewOfRequest,
  type AccessTokenClaims,
  type CookieRule,
  type Refused,
} from '@countersign/guard'

import { refusals, type RefusalCode } from '../base/refusals.ts'
import { inspectSession } from '../sessions/inspect.ts'
import type { SessionServices } from '../sessions/services.ts'
import type { SessionState } from '../store/refresh.ts'
import { problem } from './problem.ts'
import { proveKey } from './prove-key.ts'

/** The session that a request belongs to, or the answer that refuses the request. */
export type Authenticated =
  | {
      readonly ok: true
      readonly state: SessionState
      readonly isCookie: boolean
      /** When the access token expires, in seconds since 1970. */
      readonly expSec: number
      /** The thumbprint of the key that the access token is bound to. */
      readonly jkt: string | undefined
    }
  | { readonly ok: false; readonly response: Response }

/**
 * Finds the access token of a request in the header or the cookie, and checks it by the guard's rules. Then
 * it checks the session and the account in the store, so revocations take effect at once.
 */
export async function authenticate(
  services: SessionServices,
  rule: CookieRule,
  request: Request,
): Promise<Authenticated> {
  const view = viewOfRequest(request)
  const reading = readRequestToken(view, rule, true)
  if (!reading.ok) return no(challenge(services, reading))
  const token = services.verifyAccess.verify(reading.token)
  if (!token.ok) {
    const code = token.code === 'token_expired' ? 'token_expired' : 'token_invalid'
    return no(challenge(services, { ok: false, code, reason: token.code }))
  }
  const refused =
    (await checkKey(services, request, reading, token.claims)) ??
    (reading.isCookie ? checkCookieClaims(view, token.claims) : undefined)
  if (refused !== undefined) return no(challenge(services, refused))
  const { sid } = token.claims
  // The routes that call this function need a person with a session. A service account has no session.
  if (sid === undefined) return no(problem('person_required'))
  const standing = await inspectSession(services, { ...token.claims, sid })
  if (!standing.ok) return no(sessionOver(services, standing.code))
  const { isCookie } = reading
  const { exp, cnf } = token.claims
  return { ok: true, state: standing.state, isCookie, expSec: exp, jkt: cnf?.jkt }
}

/** Whether a request has an Authorization header with an access token, valid or not. */
export function hasTokenHeader(request: Request): boolean {
  const values = viewOfRequest(request).values('authorization')
  const readings = [readBearer(values), readDpopToken(values)]
  return readings.some((reading) => reading.ok || reading.code !== 'token_missing')
}

/**
 * Refuses a token that is bound to a key without its proof, by the guard's rule. Anybody who has copied such a token
 * can send it as `Bearer` or in a cookie (RFC 9449 §7.2).
 */
export async function checkKey(
  services: SessionServices,
  request: Request,
  { token, isDpop }: { readonly token: string; readonly isDpop: boolean },
  { cnf }: AccessTokenClaims,
): Promise<Refused | undefined> {
  if (cnf === undefined && !isDpop) return undefined
  if (cnf === undefined) {
    return { ok: false, code: 'token_invalid', reason: 'dpop_not_bound', isDpop: true }
  }
  if (!isDpop) return { ok: false, code: 'token_invalid', reason: 'dpop_bound' }
  const proven = await proveKey(services, request, { token, jkt: cnf.jkt })
  return proven.ok ? undefined : proven
}

function no(response: Response): { readonly ok: false; readonly response: Response } {
  return { ok: false, response }
}

function challenge(services: SessionServices, refused: Refused): Response {
  const { algorithms } = services.dpop
  const details = refused.isDpop === true ? { dpopAlgorithms: algorithms } : {}
  const { status, headers, body } = challengeFor(refused, services.access.issuer, details)
  return new Response(body, { status, headers })
}

/** RFC 6750 §3.1 has one error for every token that is not valid. `code` shows whether a refresh helps. */
function sessionOver(services: SessionServices, code: RefusalCode): Response {
  return problem(code, {
    'www-authenticate': `Bearer realm="${services.access.issuer}", error="invalid_token", error_description="${refusals[code].text}"`,
  })
}
