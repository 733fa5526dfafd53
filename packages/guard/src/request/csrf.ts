import { createHash, timingSafeEqual } from 'node:crypto'
import type { AccessTokenClaims } from '../verification/access-token.ts'

/** What a request says about the page that sent it. */
export interface RequestSource {
  readonly method: string
  /** The value of `Sec-Fetch-Site` (Fetch Metadata §2.3); several joined by ", ", as Fetch does. */
  readonly secFetchSite: string | undefined
  /** The value of `Origin` (RFC 6454 §7); several joined likewise. */
  readonly origin: string | undefined
}

/** The outcome of a check against forged requests. */
export type CsrfCheck = 'ok' | 'refused'

const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

/** True for the methods that change nothing, by the standard (RFC 9110 §9.2.1): GET, HEAD, OPTIONS. */
export function isSafeMethod(method: string): boolean {
  return SAFE_METHODS.has(method)
}

/**
 * Says whether the page that sent a request may use the visitor's cookies. Pure; the authority and
 * the guard both ask here. `origins` are other origins than the service's own that may.
 *
 * Only what a browser sets itself and a page cannot is looked at. `Host` and `X-Forwarded-Host` are
 * left out, since what a proxy makes of them is somebody's configuration, and so is `Referer`, which
 * privacy settings remove. `same-site` is not enough: a neighbouring subdomain may be another team's,
 * or taken over.
 */
export function checkOrigin(request: RequestSource, origins: ReadonlySet<string>): CsrfCheck {
  const { method, secFetchSite, origin } = request
  if (isSafeMethod(method)) return 'ok'
  // `none`: the person did it, by address bar or bookmark, and no page.
  if (secFetchSite === 'same-origin' || secFetchSite === 'none') return 'ok'
  // `same-site`, `cross-site`, what we do not know, and browsers that send none. Every sandboxed
  // frame and every data: URL calls itself `null`.
  return origin !== undefined && origin !== 'null' && origins.has(origin) ? 'ok' : 'refused'
}

/**
 * True for an origin exactly as a browser writes it in `Origin`, http or https: in lower case, without
 * default port, last slash or wildcard. `null` is none. For whoever reads such origins from settings.
 */
export function isOrigin(value: unknown): value is string {
  // A host may hold `*` for the URL parser, and would look like a wildcard here.
  if (typeof value !== 'string' || !/^https?:[^*]+$/.test(value)) return false
  return URL.canParse(value) && new URL(value).origin === value
}

const HASH_BYTES = 16

/**
 * The claim `csh` of a session's CSRF token: base64url of the first 16 bytes of SHA-256. Ties the
 * token in the page to the token in the cookie, so a service needs no state to compare them. A CSRF
 * token is ASCII, and random: this hash protects nothing that can be guessed.
 */
export function csrfHash(token: string): string {
  return createHash('sha256').update(token).digest().subarray(0, HASH_BYTES).toString('base64url')
}

/**
 * Says whether the CSRF token that a request presents is the one of its session. An access token
 * without `csh` was not made for a cookie: somebody planted it there, and nothing fits it.
 */
export function checkCsrfToken(
  claims: Pick<AccessTokenClaims, 'csh'>,
  presented: string | undefined,
): CsrfCheck {
  if (claims.csh === undefined || presented === undefined) return 'refused'
  const expected = Buffer.from(claims.csh)
  const actual = Buffer.from(csrfHash(presented))
  return expected.length === actual.length && timingSafeEqual(expected, actual) ? 'ok' : 'refused'
}
