import { refusals, type RefusalCode } from '../../base/refusals.ts'
import type { SessionServices } from '../../sessions/services.ts'
import type { Cookies } from './cookies.ts'

/** The contents of a browser's cookies: the refresh token, its session, and the CSRF nonce. */
export interface BrowserRequest {
  /** The unchecked value of the refresh cookie. Undefined without the cookie. */
  readonly refreshToken: string | undefined
  /** The session of a refresh token that this server signed, even if the session has ended. */
  readonly sessionId: string | undefined
  /** Why the refresh token is not valid. Undefined if it is valid or missing. */
  readonly code: RefusalCode | undefined
  /** The value of the CSRF cookie, which a browser has before a login. */
  readonly nonce: string | undefined
}

/** Reads the cookies of a browser. Refuses a request that has one of them twice. */
export function readBrowser(
  { sessions, cookies }: { readonly sessions: SessionServices; readonly cookies: Cookies },
  request: Request,
):
  | { readonly ok: true; readonly browser: BrowserRequest }
  | { readonly ok: false; readonly code: 'cookie_repeated' } {
  const refresh = cookies.read(request, 'refresh')
  const csrf = cookies.read(request, 'csrf')
  if (!refresh.ok || !csrf.ok) return { ok: false, code: 'cookie_repeated' }
  const verified = refresh.value === undefined ? undefined : sessions.verifyRefresh(refresh.value)
  return {
    ok: true,
    browser: {
      refreshToken: refresh.value,
      sessionId: verified?.ok === true ? verified.claims.sid : undefined,
      code: verified?.ok === false ? verified.code : undefined,
      nonce: csrf.value,
    },
  }
}

/**
 * Whether the request carries the CSRF token of its session. The token from before the login does not count: its
 * cookie survives in other tabs and can be planted, so only the session's own token proves that the page belongs
 * to this session.
 */
export function hasSessionCsrfToken(
  { csrf }: Pick<SessionServices, 'csrf'>,
  { headers }: Request,
  { sessionId }: BrowserRequest,
): boolean {
  const token = readCsrfToken(headers)
  return token !== undefined && sessionId !== undefined && csrf.isForSession(token, sessionId)
}

/**
 * Whether a login carries the right CSRF token: the token of its browser or, if it is logged in already, of its
 * session. A session that is left over must not block a login.
 */
export function hasLoginCsrfToken(
  services: Pick<SessionServices, 'csrf'>,
  request: Request,
  browser: BrowserRequest,
): boolean {
  const token = readCsrfToken(request.headers)
  const isOfBrowser =
    token !== undefined && isNonce(browser.nonce) && services.csrf.isForNonce(token, browser.nonce)
  return isOfBrowser || hasSessionCsrfToken(services, request, browser)
}

/** Refuses two tokens, because it would be unclear which of them was checked. */
function readCsrfToken(headers: Headers): string | undefined {
  const [token, second] = ['x-csrf-token', 'x-csrftoken'].flatMap((name) => headers.get(name) ?? [])
  return second === undefined ? token : undefined
}

/** Whether a text has the form of a CSRF nonce: 22 characters of base64url. */
export function isNonce(value: string | undefined): value is string {
  return value !== undefined && /^[\w-]{22}$/.test(value)
}

/** Whether a refusal means that the session of these cookies is over, so that the answer removes them. */
export function isOver(code: RefusalCode): boolean {
  return refusals[code].status === 401 && !LIVES.has(code)
}

/**
 * The refusals after which the session of the browser lives. `refresh_elsewhere`: a server that renders pages may pass our
 * Set-Cookie lines to the browser.
 */
const LIVES: ReadonlySet<RefusalCode> = new Set([
  'refresh_elsewhere',
  'insufficient_user_authentication',
])
