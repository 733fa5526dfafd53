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
 * Whether the request carries the right CSRF token: the token of its session or, before a login, the token of
 * its browser. Refuses two tokens, because it would be unclear which of them was checked.
 */
export function hasCsrfToken(
  { csrf }: Pick<SessionServices, 'csrf'>,
  { headers }: Request,
  { sessionId, nonce }: BrowserRequest,
): boolean {
  const [token, second] = ['x-csrf-token', 'x-csrftoken'].flatMap((name) => headers.get(name) ?? [])
  if (token === undefined || second !== undefined) return false
  return (
    (sessionId !== undefined && csrf.isForSession(token, sessionId)) ||
    (isNonce(nonce) && csrf.isForNonce(token, nonce))
  )
}

/** Whether a text has the form of a CSRF nonce: 22 characters of base64url. */
export function isNonce(value: string | undefined): value is string {
  return value !== undefined && /^[\w-]{22}$/.test(value)
}

/** Whether a refusal means that no refresh with this cookie will ever succeed again. */
export function isOver(code: RefusalCode): boolean {
  // A token that is not valid yet was issued before this server's clock was set back. It will be valid later.
  return refusals[code].status === 401 && code !== 'token_not_yet_valid'
}
