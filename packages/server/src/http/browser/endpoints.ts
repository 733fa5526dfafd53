import { endByRefreshToken } from '../../sessions/end.ts'
import { endCurrentSession } from '../../sessions/own-sessions.ts'
import type { Caller } from '../../sessions/services.ts'
import { withoutRevocation } from '../effective.ts'
import { problemFor } from '../problem.ts'
import type { HttpServices } from '../services.ts'
import { isNonce, isOver, type BrowserRequest } from './browser-request.ts'
import type { LoggingOut } from './gates.ts'
import { signInBrowser } from './open-session.ts'
import {
  answerJson,
  describeSession,
  forgetSession,
  sessionCookies,
  withCookies,
} from './session-answers.ts'

const NONCE_SEC = 86_400

/**
 * `GET /auth/csrf`: the token that a page sends as `X-CSRF-Token`. It belongs to the session. Before a login
 * it belongs to a cookie that this answer sets.
 */
export function answerCsrf(
  { sessions: { csrf }, cookies }: HttpServices,
  { sessionId, nonce: sent }: BrowserRequest,
): Response {
  if (sessionId !== undefined) return answerJson(200, { csrf_token: csrf.forSession(sessionId) })
  const nonce = isNonce(sent) ? sent : csrf.newNonce()
  const cookie = cookies.set('csrf', nonce, NONCE_SEC)
  return answerJson(200, { csrf_token: csrf.forNonce(nonce) }, [cookie])
}

/** `POST /auth/login`: puts both tokens into cookies. */
export async function answerLogin(
  services: HttpServices,
  browser: BrowserRequest,
  credentials: Parameters<typeof signInBrowser>[1],
  from: { readonly request: Request; readonly caller: Caller },
): Promise<Response> {
  const { sessions, cookies } = services
  const done = await signInBrowser(services, credentials, from)
  if (!done.ok) {
    const isUseless = browser.code !== undefined && isOver(browser.code)
    return withCookies(problemFor(done), isUseless ? [cookies.clear('refresh')] : [])
  }
  return answerJson(200, describeSession(sessions, done.signedIn), done.cookies)
}

/**
 * `POST /auth/refresh`: puts the next pair of tokens into cookies. If the request names a tenant, the session
 * moves to it.
 */
export async function answerRefresh(
  { sessions, cookies, refresh }: HttpServices,
  refreshToken: string,
  { tenant }: { readonly tenant?: string | null | undefined },
  caller: Caller,
): Promise<Response> {
  const wanted = { ...(tenant === undefined ? {} : { tenantName: tenant }), forCookies: true }
  const granted = await refresh(refreshToken, caller, wanted)
  if (!granted.ok) {
    const answer = problemFor(granted)
    return isOver(granted.code) ? withCookies(answer, forgetSession(cookies)) : answer
  }
  return answerJson(
    200,
    describeSession(sessions, granted),
    sessionCookies(sessions, cookies, granted),
  )
}

/** `POST /auth/logout`: ends the session. For a browser, the answer removes its cookies. */
export async function answerLogout(
  { sessions, cookies }: HttpServices,
  who: LoggingOut,
  caller: Caller,
): Promise<Response> {
  if (who.by === 'token') {
    const change = await endCurrentSession(sessions, who.session.state, caller)
    const answer = answerJson(204, undefined)
    return change === 'changed' ? answer : withoutRevocation(answer)
  }
  const { refreshToken } = who.browser
  const ended =
    refreshToken === undefined ? undefined : await endByRefreshToken(sessions, refreshToken, caller)
  const answer = answerJson(204, undefined, forgetSession(cookies))
  return ended?.ok === true ? answer : withoutRevocation(answer)
}
