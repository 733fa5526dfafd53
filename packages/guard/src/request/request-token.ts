import type { AccessTokenClaims } from '../verification/access-token.ts'
import { readBearer } from './bearer.ts'
import { readCookie } from './cookies.ts'
import { checkCsrfToken, checkOrigin, isSafeMethod } from './csrf.ts'
import type { Refused, GuardRefusalCode } from '../refusals.ts'
import type { RequestView } from './request-view.ts'

/** How a service takes access tokens from cookies. */
export interface CookieRule {
  /** The cookie's name, compared exactly. */
  readonly name: string
  /** Other origins whose pages may call the service with cookies, as browsers write `Origin`. */
  readonly origins: ReadonlySet<string>
}

/** The token of a request and whether a cookie carried it, or why there is none to check. */
export type TokenReading =
  | { readonly ok: true; readonly token: string; readonly isCookie: boolean }
  | Refused

/**
 * Takes the access token out of a request: from the Authorization header, else from the cookie where
 * `cookies` is given and the page that sent the request may use it. Pure. Never from query or body.
 *
 * A header with a Bearer token, good or bad, wins and no cookie is looked at: no page can make a
 * browser send that header to another site unasked. Another scheme is no token. Whoever gets
 * `isCookie` calls `checkCookieClaims` once the token is verified.
 */
export function readRequestToken(
  request: RequestView,
  cookies: CookieRule | undefined,
): TokenReading {
  const bearer = readBearer(request.values('authorization'))
  if (bearer.ok) return { ok: true, token: bearer.token, isCookie: false }
  if (cookies === undefined || bearer.code !== 'token_missing') return bearer

  const cookie = readCookie(request.values('cookie'), cookies.name)
  if (cookie.kind === 'absent') return bearer
  if (cookie.kind !== 'found') return refuse('request_malformed', `cookie_${cookie.kind}`)
  if (checkOrigin(sourceOf(request), cookies.origins) !== 'ok') {
    return refuse('csrf_failed', 'origin_refused')
  }
  return { ok: true, token: cookie.value, isCookie: true }
}

/**
 * Says why a request must not use the verified token that its cookie carried; undefined when it may.
 * Pure. The token must have been minted for a cookie (`csh`), whatever the method; methods that may
 * change something must show the session's CSRF token too.
 */
export function checkCookieClaims(
  request: RequestView,
  claims: Pick<AccessTokenClaims, 'csh'>,
): Refused | undefined {
  // About the token, not about the page: the way out is a new one, as for any that is not valid.
  if (claims.csh === undefined) return refuse('token_invalid', 'cookie_without_csh')
  if (isSafeMethod(request.method)) return undefined

  const [presented, second] = CSRF_HEADERS.flatMap((name) => request.values(name))
  if (presented === undefined) return refuse('csrf_failed', 'csrf_token_missing')
  if (second !== undefined) return refuse('csrf_failed', 'csrf_token_repeated')
  if (checkCsrfToken(claims, presented) !== 'ok') return refuse('csrf_failed', 'csrf_token_wrong')
  return undefined
}

/** Ours, and the one that Django's frontends send. */
const CSRF_HEADERS = ['x-csrf-token', 'x-csrftoken'] as const

function sourceOf(request: RequestView): Parameters<typeof checkOrigin>[0] {
  return {
    // A WebSocket opens with a GET, which a page of any site may send and then talk for the visitor:
    // no CORS stands in the way. It cannot carry headers of ours, so its origin has to do.
    method: request.values('upgrade').length === 0 ? request.method : 'CONNECT',
    secFetchSite: joined(request.values('sec-fetch-site')),
    origin: joined(request.values('origin')),
  }
}

// A header that was sent twice then has a value that nothing equals.
function joined(values: readonly string[]): string | undefined {
  return values.length === 0 ? undefined : values.join(', ')
}

function refuse(code: GuardRefusalCode, reason: string): Refused {
  return { ok: false, code, reason }
}
