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
import type { SessionParts } from '../sessions/parts.ts'
import type { SessionState } from '../store/refresh.ts'
import { problem } from './problem.ts'

/** Who asks, or the answer that says why nobody does. */
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
 * Finds the access token of a request, in the header or the cookie, and checks it by the guard's own
 * rules; then its session and account once more in the store, which is at hand here.
 */
export async function authenticate(
  parts: SessionParts,
  rule: CookieRule,
  request: Request,
): Promise<Authenticated> {
  const view = viewOfRequest(request)
  const reading = readRequestToken(view, rule)
  if (!reading.ok) return no(challenge(parts, reading))
  const token = parts.verifyAccess.verify(reading.token)
  if (!token.ok) {
    const code = token.code === 'token_expired' ? 'token_expired' : 'token_invalid'
    return no(challenge(parts, { ok: false, code, reason: token.code }))
  }
  const refused = reading.isCookie ? checkCookieClaims(view, token.claims) : undefined
  if (refused !== undefined) return no(challenge(parts, refused))
  const { sid } = token.claims
  // What is served behind this belongs to a person and their session. A service account has neither.
  if (sid === undefined) return no(problem('person_required'))
  const standing = await inspectSession(parts, { ...token.claims, sid })
  if (!standing.ok) return no(sessionOver(parts, standing.code))
  const { isCookie } = reading
  return { ok: true, state: standing.state, isCookie, expSec: token.claims.exp }
}

/** Whether a request has an Authorization header with a Bearer token, good or bad. */
export function isOfBearer(request: Request): boolean {
  const bearer = readBearer(viewOfRequest(request).values('authorization'))
  return bearer.ok || bearer.code !== 'token_missing'
}

function no(response: Response): { readonly ok: false; readonly response: Response } {
  return { ok: false, response }
}

function challenge(parts: SessionParts, refused: Parameters<typeof challengeFor>[0]): Response {
  const { status, headers, body } = challengeFor(refused, parts.access.issuer)
  return new Response(body, { status, headers })
}

/** RFC 6750 §3.1 has one error for every token that is over; `code` says that refreshing is in vain. */
function sessionOver(parts: SessionParts, code: RefusalCode): Response {
  return problem(code, {
    'www-authenticate': `Bearer realm="${parts.access.issuer}", error="invalid_token", error_description="${refusals[code].text}"`,
  })
}
