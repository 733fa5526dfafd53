import {
  challengeFor,
  checkCookieClaims,
  readBearer,
  readRequestToken,
  viewOfRequest,
  type CookieRule,
} from '@countersign/guard'

import { refusals, type RefusalCode } from '../base/refusals.ts'
import { inspectSession } from '../sessions/inspect.ts'
import type { SessionServices } from '../sessions/services.ts'
import type { SessionState } from '../store/refresh.ts'
import { problem } from './problem.ts'

/** The session that a request belongs to, or the answer that refuses the request. */
export type Authenticated =
  | {
      readonly ok: true
      readonly state: SessionState
      readonly isCookie: boolean
      /** When the access token expires, in seconds since 1970. */
      readonly expSec: number
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
  const reading = readRequestToken(view, rule)
  if (!reading.ok) return no(challenge(services, reading))
  const token = services.verifyAccess.verify(reading.token)
  if (!token.ok) {
    const code = token.code === 'token_expired' ? 'token_expired' : 'token_invalid'
    return no(challenge(services, { ok: false, code, reason: token.code }))
  }
  const refused = reading.isCookie ? checkCookieClaims(view, token.claims) : undefined
  if (refused !== undefined) return no(challenge(services, refused))
  const { sid } = token.claims
  // The routes that call this function need a person with a session. A service account has no session.
  if (sid === undefined) return no(problem('person_required'))
  const standing = await inspectSession(services, { ...token.claims, sid })
  if (!standing.ok) return no(sessionOver(services, standing.code))
  const { isCookie } = reading
  return { ok: true, state: standing.state, isCookie, expSec: token.claims.exp }
}

/** Whether a request has an Authorization header with a Bearer token, valid or not. */
export function isOfBearer(request: Request): boolean {
  const bearer = readBearer(viewOfRequest(request).values('authorization'))
  return bearer.ok || bearer.code !== 'token_missing'
}

function no(response: Response): { readonly ok: false; readonly response: Response } {
  return { ok: false, response }
}

function challenge(
  services: SessionServices,
  refused: Parameters<typeof challengeFor>[0],
): Response {
  const { status, headers, body } = challengeFor(refused, services.access.issuer)
  return new Response(body, { status, headers })
}

/** RFC 6750 §3.1 has one error for every token that is not valid. `code` shows whether a refresh helps. */
function sessionOver(services: SessionServices, code: RefusalCode): Response {
  return problem(code, {
    'www-authenticate': `Bearer realm="${services.access.issuer}", error="invalid_token", error_description="${refusals[code].text}"`,
  })
}
