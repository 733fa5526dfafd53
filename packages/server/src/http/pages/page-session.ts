import type { RefusalCode } from '../../base/refusals.ts'
import { inspectSession } from '../../sessions/inspect.ts'
import type { CurrentSession } from '../../sessions/own-sessions.ts'
import type { Caller } from '../../sessions/services.ts'
import { isOver } from '../browser/browser-request.ts'
import { forgetSession, sessionCookies } from '../browser/session-answers.ts'
import type { HttpServices } from '../services.ts'

/** The session of the browser that opens a page, and what the answer needs. */
export interface PageSession extends CurrentSession {
  /** The newest refresh token of the session, if the browser sent one. */
  readonly refreshToken: string | undefined
  /** The Set-Cookie lines of a refresh. Every answer of the page carries them. */
  readonly newCookies: readonly string[]
}

/** The session of a page, or why there is none. */
export type ReadSession =
  | { readonly kind: 'found'; readonly session: PageSession }
  /** `oldCookies` are the Set-Cookie lines that remove a session that is over. */
  | { readonly kind: 'none'; readonly oldCookies: readonly string[] }
  /** The request has a cookie twice, or the server cannot refresh now. */
  | { readonly kind: 'refused'; readonly code: RefusalCode }

/**
 * Finds the session of a page by the access cookie. If that has expired, the refresh cookie is exchanged first, as
 * `POST /auth/refresh` does. That is safe on a GET: browsers send this cookie only from pages of the same site, and
 * within the grace, a repeat gives the same tokens.
 */
export async function readPageSession(
  services: HttpServices,
  request: Request,
  caller: Caller,
): Promise<ReadSession> {
  const { cookies } = services
  const access = cookies.read(request, 'access')
  const refresh = cookies.read(request, 'refresh')
  if (!access.ok || !refresh.ok) return { kind: 'refused', code: 'cookie_repeated' }
  const current = access.value === undefined ? undefined : await inspect(services, access.value)
  if (current !== undefined) {
    const session = { ...current, refreshToken: refresh.value, newCookies: [] }
    return { kind: 'found', session }
  }
  return refresh.value === undefined
    ? { kind: 'none', oldCookies: [] }
    : refreshSession(services, refresh.value, caller)
}

async function refreshSession(
  services: HttpServices,
  token: string,
  caller: Caller,
): Promise<ReadSession> {
  const { sessions, cookies } = services
  const granted = await services.refresh(token, caller, { forCookies: true })
  if (!granted.ok) {
    if (granted.code === 'refresh_queue_full') return { kind: 'refused', code: granted.code }
    const oldCookies = isOver(granted.code) ? forgetSession(cookies) : []
    return { kind: 'none', oldCookies }
  }
  const newCookies = sessionCookies(sessions, cookies, granted)
  const current = await inspect(services, granted.access)
  return current === undefined
    ? { kind: 'none', oldCookies: newCookies }
    : {
        kind: 'found',
        session: { ...current, refreshToken: granted.refresh ?? token, newCookies },
      }
}

/** Checks an access token from the cookie. A token that was issued for the header is not accepted there. */
async function inspect(
  { sessions }: HttpServices,
  token: string,
): Promise<CurrentSession | undefined> {
  const verified = sessions.verifyAccess.verify(token)
  if (!verified.ok) return undefined
  const { sid, csh, exp } = verified.claims
  if (sid === undefined || csh === undefined) return undefined
  const standing = await inspectSession(sessions, { ...verified.claims, sid })
  return standing.ok ? { state: standing.state, isCookie: true, expSec: exp } : undefined
}
