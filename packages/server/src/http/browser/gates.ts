import { SESSION_REFUSALS, loggedIn, type LoggedIn } from '../account/gates.ts'
import { hasTokenHeader } from '../authenticate.ts'
import { problem } from '../problem.ts'
import type { Entered, Gate } from '../router/gate.ts'
import type { HttpServices } from '../services.ts'
import {
  hasLoginCsrfToken,
  hasSessionCsrfToken,
  readBrowser,
  type BrowserRequest,
} from './browser-request.ts'
import { isFromOurOrigin } from './page-origin.ts'
import { forgetSession, withCookies } from './session-answers.ts'

/** Reads the cookies. Refuses only requests whose cookies cannot be read. */
export const anyBrowser: Gate<BrowserRequest> = {
  authentication: 'none',
  csrf: 'none',
  refusals: ['cookie_repeated'],
  isAfterBody: false,
  enter(services, { request }) {
    const read = readBrowser(services, request)
    return read.ok
      ? { ok: true, who: read.browser }
      : { ok: false, response: problem('cookie_repeated') }
  },
}

/** Lets in a browser on an allowed page that has the CSRF token of its session or of its browser. */
export const browserWithCsrfToken: Gate<BrowserRequest> = {
  authentication: 'none',
  csrf: 'always',
  refusals: ['cookie_repeated', 'csrf_failed'],
  isAfterBody: false,
  enter(services, { request }) {
    const read = readBrowser(services, request)
    if (!read.ok) return refuse('cookie_repeated')
    const isAllowed =
      isFromOurOrigin(request, services.origins) &&
      hasLoginCsrfToken(services.sessions, request, read.browser)
    return isAllowed ? { ok: true, who: read.browser } : refuse('csrf_failed')
  },
}

/** Lets in a browser on an allowed page with a refresh cookie and the CSRF token of its session. */
export const browserWithSession: Gate<string> = {
  authentication: 'refresh_cookie',
  csrf: 'always',
  refusals: ['cookie_repeated', 'csrf_failed', 'cookie_missing', 'token_invalid'],
  isAfterBody: false,
  enter({ sessions, cookies, origins }, { request }) {
    const read = readBrowser({ sessions, cookies }, request)
    if (!read.ok) return refuse('cookie_repeated')
    if (!isFromOurOrigin(request, origins)) return refuse('csrf_failed')
    const { refreshToken, code } = read.browser
    if (refreshToken === undefined) return refuse('cookie_missing')
    if (code !== undefined) {
      // Before the CSRF token, which belongs to the session: the session of this token is not known.
      const response = withCookies(problem('token_invalid'), forgetSession(cookies))
      return { ok: false, response }
    }
    return hasSessionCsrfToken(sessions, request, read.browser)
      ? { ok: true, who: refreshToken }
      : refuse('csrf_failed')
  },
}

/** Lets in a browser with a refresh cookie, for a route that changes nothing. It needs no CSRF token. */
export const browserWithRefreshToken: Gate<string> = {
  authentication: 'refresh_cookie',
  csrf: 'none',
  refusals: ['cookie_repeated', 'cookie_missing', 'token_invalid'],
  isAfterBody: false,
  enter(services, { request }) {
    const read = readBrowser(services, request)
    if (!read.ok) return refuse('cookie_repeated')
    const { refreshToken } = read.browser
    return refreshToken === undefined ? refuse('cookie_missing') : { ok: true, who: refreshToken }
  },
}

/** The session that a logout ends: the session of the access token in the header, or of the cookies. */
export type LoggingOut =
  | { readonly by: 'token'; readonly session: LoggedIn }
  | { readonly by: 'cookies'; readonly browser: BrowserRequest }

/**
 * Lets in a person who logs out. As on every route, a token in the header takes precedence over the cookies.
 * Otherwise its session would stay live.
 *
 * With cookies, a request succeeds even if the session is over or the cookie is not valid. It needs the CSRF
 * token only if there is a session. It always needs an allowed origin, because the answer removes cookies.
 */
export const loggingOut: Gate<LoggingOut> = {
  authentication: 'session_or_cookie',
  csrf: 'cookie',
  refusals: [...SESSION_REFUSALS, 'cookie_repeated', 'csrf_failed'],
  isAfterBody: false,
  async enter(services, visit) {
    if (hasTokenHeader(visit.request)) {
      const entered = await loggedIn.enter(services, visit)
      return entered.ok ? { ok: true, who: { by: 'token', session: entered.who } } : entered
    }
    return enterWithCookies(services, visit.request)
  },
}

function enterWithCookies(services: HttpServices, request: Request): Entered<LoggingOut> {
  const read = readBrowser(services, request)
  if (!read.ok) return refuse('cookie_repeated')
  if (!isFromOurOrigin(request, services.origins)) return refuse('csrf_failed')
  const { browser } = read
  if (
    browser.sessionId !== undefined &&
    !hasSessionCsrfToken(services.sessions, request, browser)
  ) {
    return refuse('csrf_failed')
  }
  return { ok: true, who: { by: 'cookies', browser } }
}

function refuse(code: 'cookie_repeated' | 'cookie_missing' | 'csrf_failed'): {
  readonly ok: false
  readonly response: Response
} {
  return { ok: false, response: problem(code) }
}
