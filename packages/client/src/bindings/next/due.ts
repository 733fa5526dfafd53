import { cookiesNamed, readCookie } from './cookie-header.ts'
import { readClaims } from './claims.ts'
import type { CookieNames } from './settings.ts'

// Rendering a page and calling APIs for it must end before the token expires.
const MARGIN_SEC = 30

/** The values of `Sec-Fetch-Dest` for pages, their data and calls of APIs. Images, stylesheets and scripts have others. */
const PAGE_OR_CALL = /^(?:document|iframe|frame|empty|)$/

/**
 * Returns the refresh token of a request whose access token is missing or expires soon. Undefined if the request needs
 * no refresh, or must not have one. Pure.
 *
 * Files of the application need no session. A prefetched page may never be shown, and a page with fifty links would
 * prefetch fifty of them.
 */
export function findDueToken(
  headers: Pick<Headers, 'get'>,
  names: CookieNames,
  nowMs: number,
): string | undefined {
  const cookies = headers.get('cookie')
  const purpose = headers.get('sec-purpose') ?? headers.get('purpose') ?? ''
  const isPrefetch = purpose.includes('prefetch') || headers.get('next-router-prefetch') !== null
  const isForPage = PAGE_OR_CALL.test(headers.get('sec-fetch-dest') ?? '')
  if (isPrefetch || !isForPage) return undefined
  // The authority refuses two access tokens, and a third one would not help.
  const [access, second] = cookiesNamed(cookies, names.access)
  if (second !== undefined || (access !== undefined && !isExpiring(access, nowMs))) return undefined
  return readCookie(cookies, names.refresh)
}

/** Whether a token expires soon: in 30 s, or in the last quarter of a shorter life. True for other texts. Pure. */
export function isExpiring(token: string, nowMs: number): boolean {
  const claims = readClaims(token)
  if (claims === undefined) return true
  const marginSec = Math.min(MARGIN_SEC, (claims.exp - claims.iat) / 4)
  return nowMs >= (claims.exp - marginSec) * 1000
}
