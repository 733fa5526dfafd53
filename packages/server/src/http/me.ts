import { challengeFor, readBearer } from '@countersign/guard'

import type { RefusalCode } from '../base/refusals.ts'
import { inspectSession } from '../sessions/inspect.ts'
import type { SessionParts } from '../sessions/parts.ts'
import { problem } from './problem.ts'

/**
 * `GET /auth/me`: who the access token's account is now. The token is checked by the guard's rule, and
 * session and account once more in the store, which is at hand here.
 */
export async function answerMe(parts: SessionParts, request: Request): Promise<Response> {
  const header = request.headers.get('authorization')
  const bearer = readBearer(header === null ? [] : [header])
  if (!bearer.ok) return challenge(parts, bearer)
  const token = parts.verifyAccess.verify(bearer.token)
  if (!token.ok) {
    const code = token.code === 'token_expired' ? 'token_expired' : 'token_invalid'
    return challenge(parts, { ok: false, code, reason: token.code })
  }
  const standing = await inspectSession(parts, token.claims)
  if (!standing.ok) return sessionOver(parts, standing.code)

  const { session, account, username } = standing.state
  const body = {
    sub: account.id,
    username,
    user_id: account.userId,
    roles: account.roles,
    sid: session.id,
    auth_time: Math.floor(session.createdAt / 1000),
  }
  return new Response(JSON.stringify(body), {
    headers: {
      'content-type': 'application/json',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    },
  })
}

function challenge(parts: SessionParts, refused: Parameters<typeof challengeFor>[0]): Response {
  const { status, headers, body } = challengeFor(refused, parts.access.issuer)
  return new Response(body, { status, headers })
}

/** RFC 6750 §3.1 has one error for every token that is over; `code` says that refreshing is in vain. */
function sessionOver(parts: SessionParts, code: RefusalCode): Response {
  return problem(code, {
    'www-authenticate': `Bearer realm="${parts.access.issuer}", error="invalid_token"`,
  })
}
