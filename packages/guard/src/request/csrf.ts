import { createHash, timingSafeEqual } from 'node:crypto'
import type { AccessTokenClaims } from '../verification/access-token.ts'

/** The parts of a request that tell which page sent it. */
export interface RequestSource {
  readonly method: string
  /**
   * The value of `Sec-Fetch-Site` (Fetch Metadata §2.3). Several values are joined by ", ", as Fetch does.
   */
  readonly secFetchSite: string | undefined
  /** The value of `Origin` (RFC 6454 §7). Several values are joined by ", ". */
  readonly origin: string | undefined
}

/** The result of a check against forged requests. */
export type CsrfCheck = 'ok' | 'refused'

const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

/** True for the methods that the standard defines as safe (RFC 9110 §9.2.1): GET, HEAD, OPTIONS. */
export function isSafeMethod(method: string): boolean {
  return SAFE_METHODS.has(method)
}

/**
 * Decides whether the page that sent a request may use the visitor's cookies. Pure. Both the authority and
 * the guard use it. The service's own origin always may. `origins` lists the other origins that may.
 *
 * It reads only headers that a browser sets itself and a page cannot change. It does not read `Host` and
 * `X-Forwarded-Host`, which depend on the configuration of proxies, nor `Referer`, which privacy settings
 * remove. `same-site` is not sufficient: a neighbouring subdomain may belong to another team, or to an
 * attacker who took it over.
 */
export function checkOrigin(request: RequestSource, origins: ReadonlySet<string>): CsrfCheck {
  const { method, secFetchSite, origin } = request
  if (isSafeMethod(method)) return 'ok'
  // `none`: the person opened the address directly, by address bar or bookmark, and no page sent the request.
  if (secFetchSite === 'same-origin' || secFetchSite === 'none') return 'ok'
  // The remaining cases are `same-site`, `cross-site`, unknown values, and browsers that do not send the
  // header. Every sandboxed frame and every data: URL has the origin `null`.
  return origin !== undefined && origin !== 'null' && origins.has(origin) ? 'ok' : 'refused'
}

/**
 * True for an http or https origin exactly as a browser writes it in `Origin`: in lower case, without default
 * port, trailing slash or wildcard. `null` is not accepted. For code that reads origins from settings.
 */
export function isOrigin(value: unknown): value is string {
  // The URL parser accepts `*` in a host, where it would look like a wildcard.
  if (typeof value !== 'string' || !/^https?:[^*]+$/.test(value)) return false
  return URL.canParse(value) && new URL(value).origin === value
}

const HASH_BYTES = 16

/**
 * Returns the claim `csh` for a session's CSRF token: base64url of the first 16 bytes of its SHA-256. It
 * binds the token in the page to the token in the cookie, so that a service needs no state to compare them. A
 * CSRF token is ASCII and random, so it cannot be guessed from the hash.
 */
export function csrfHash(token: string): string {
  return createHash('sha256').update(token).digest().subarray(0, HASH_BYTES).toString('base64url')
}

/**
 * Decides whether a request presents the CSRF token of its session. An access token without `csh` was not
 * issued for a cookie: somebody else put it into one. So no CSRF token matches it.
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
