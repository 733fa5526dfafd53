import { inspectToken } from '../../sessions/inspect.ts'
import { describeAccount } from '../account/me.ts'
import { problem, problemFor } from '../problem.ts'
import type { HttpServices } from '../services.ts'
import { answerJson, secondsUntil } from './session-answers.ts'

/**
 * `GET /auth/session`: describes the session of the refresh cookie. It changes nothing: an old copy of a refresh
 * token is refused, but ends no session, and no cookie is removed. A page can then ask at any time, also while
 * another tab refreshes.
 */
export async function answerSession(
  services: HttpServices,
  refreshToken: string,
  request: Request,
): Promise<Response> {
  const { sessions } = services
  const inspected = await inspectToken(sessions, refreshToken)
  if (!inspected.ok) return problemFor(inspected)
  if (inspected.kind !== 'refresh') return problem('token_invalid')
  const { state } = inspected
  return answerJson(200, {
    ...(await describeAccount(sessions, state)),
    csrf_token: sessions.csrf.forSession(state.session.id),
    access_expires_in: accessExpiresIn(services, request, state.session.id),
  })
}

/** Returns in how many seconds the access token in the cookie expires: 0 if it is not one of this session. */
function accessExpiresIn(
  { sessions, cookies }: HttpServices,
  request: Request,
  sessionId: string,
): number {
  const cookie = cookies.read(request, 'access')
  if (!cookie.ok || cookie.value === undefined) return 0
  const token = sessions.verifyAccess.verify(cookie.value)
  if (!token.ok || token.claims.sid !== sessionId) return 0
  return secondsUntil(token.claims.exp * 1000, sessions)
}
