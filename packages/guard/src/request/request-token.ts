import type { AccessTokenClaims } from '../verification/access-token.ts'
import { readBearer, readDpopToken } from './bearer.ts'
import { readCookie } from './cookies.ts'
import { checkCsrfToken, checkOrigin, isSafeMethod } from './csrf.ts'
import type { Refused, GuardRefusalCode } from '../refusals.ts'
import type { RequestView } from './request-view.ts'

/** How a service reads access tokens from cookies. */
export interface CookieRule {
  /** The cookie's name, which is compared exactly. */
  readonly name: string
  /** Other origins whose pages may call the service with cookies, as browsers write `Origin`. */
  readonly origins: ReadonlySet<string>
}

/** The token of a request and how it was presented, or the refusal. */
export type TokenReading =
  | {
      readonly ok: true
      readonly token: string
      readonly isCookie: boolean
      /** Whether it came with the scheme `DPoP`. */
      readonly isDpop: boolean
    }
  | Refused

/**
 * Reads the access token of a request: from the Authorization header, otherwise from the cookie. It reads the
 * cookie only if `cookies` is given and the page that sent the request may use it. Pure. It never reads query
 * or body.
 *
 * A header with a Bearer token, valid or not, takes precedence, and no cookie is read. No page can make a
 * browser send that header to another site. The same holds for the scheme `DPoP` if `takesDpop` is true. Another
 * scheme counts as no token. If `isCookie` is true, call `checkCookieClaims` after verifying the token. If `isDpop` is
 * true, check the proof.
 */
export function readRequestToken(
  request: RequestView,
  cookies: CookieRule | undefined,
  takesDpop = false,
): TokenReading {
  const authorization = request.values('authorization')
  const bearer = readBearer(authorization)
  if (bearer.ok) return { ok: true, token: bearer.token, isCookie: false, isDpop: false }
  if (bearer.code !== 'token_missing') return bearer

  const dpop = takesDpop ? readDpopToken(authorization) : bearer
  if (dpop.ok) return { ok: true, token: dpop.token, isCookie: false, isDpop: true }
  if (dpop.code !== 'token_missing') return dpop
  if (cookies === undefined) return bearer

  const cookie = readCookie(request.values('cookie'), cookies.name)
  if (cookie.kind === 'absent') return bearer
  if (cookie.kind !== 'found') return refuse('request_malformed', `cookie_${cookie.kind}`)
  if (checkOrigin(sourceOf(request), cookies.origins) !== 'ok') {
    return refuse('csrf_failed', 'origin_refused')
  }
  return { ok: true, token: cookie.value, isCookie: true, isDpop: false }
}

/**
 * Returns why a request must not use the verified token from its cookie, or undefined if it may. Pure.
 * Whatever the method, the token must have been issued for a cookie (`csh`). A method that may change
 * something also needs the session's CSRF token.
 */
export function checkCookieClaims(
  request: RequestView,
  claims: Pick<AccessTokenClaims, 'csh'>,
): Refused | undefined {
  // The token is at fault, not the page. The remedy is a new token, as for any invalid token.
  if (claims.csh === undefined) return refuse('token_invalid', 'cookie_without_csh')
  if (isSafeMethod(request.method)) return undefined

  const [presented, second] = CSRF_HEADERS.flatMap((name) => request.values(name))
  if (presented === undefined) return refuse('csrf_failed', 'csrf_token_missing')
  if (second !== undefined) return refuse('csrf_failed', 'csrf_token_repeated')
  if (checkCsrfToken(claims, presented) !== 'ok') return refuse('csrf_failed', 'csrf_token_wrong')
  return undefined
}

/** Our header, and the one that Django's frontends send. */
const CSRF_HEADERS = ['x-csrf-token', 'x-csrftoken'] as const

function sourceOf(request: RequestView): Parameters<typeof checkOrigin>[0] {
  return {
    // A WebSocket opens with a GET. A page of any site may send it and then act for the visitor, because CORS
    // does not apply. The request cannot carry our headers. So its origin is checked as for an unsafe method.
    method: request.values('upgrade').length === 0 ? request.method : 'CONNECT',
    secFetchSite: joined(request.values('sec-fetch-site')),
    origin: joined(request.values('origin')),
  }
}

// A header that was sent twice gets a value that matches nothing.
function joined(values: readonly string[]): string | undefined {
  return values.length === 0 ? undefined : values.join(', ')
}

function refuse(code: GuardRefusalCode, reason: string): Refused {
  return { ok: false, code, reason }
}
