import type { Granted, SessionServices } from '../../sessions/services.ts'
import { tenantClaims } from '../../sessions/tenant-claims.ts'
import type { CookieKind, Cookies } from './cookies.ts'

const DEVICE_SEC = 365 * 86_400

/** Makes an answer that must not be cached, with a JSON body or without a body. */
export function answerJson(
  status: number,
  body: unknown,
  cookies: readonly string[] = [],
): Response {
  const headers = new Headers({
    'content-type': 'application/json',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  })
  for (const cookie of cookies) headers.append('set-cookie', cookie)
  return new Response(body === undefined ? null : JSON.stringify(body), { status, headers })
}

/** Adds Set-Cookie lines to an answer. */
export function withCookies(response: Response, cookies: readonly string[]): Response {
  for (const cookie of cookies) response.headers.append('set-cookie', cookie)
  return response
}

/**
 * Returns the Set-Cookie lines that log a browser in. They also remove the CSRF cookie from before the login.
 */
export function signedInCookies(
  { access: { lifetimeSec }, clock }: SessionServices,
  cookies: Cookies,
  signedIn: SignedInTokens,
): string[] {
  const { access, refresh, refreshExpiresAt, device } = signedIn
  const refreshSec = Math.max(0, Math.ceil((refreshExpiresAt - clock.nowMs()) / 1000))
  return [
    cookies.set('access', access, lifetimeSec),
    cookies.set('refresh', refresh, refreshSec),
    cookies.set('device', device, DEVICE_SEC),
    cookies.clear('csrf'),
  ]
}

/** The tokens of a sign-in that a browser stores. */
export interface SignedInTokens {
  readonly access: string
  readonly refresh: string
  /** In milliseconds since 1970. */
  readonly refreshExpiresAt: number
  readonly device: string
}

/**
 * Returns the Set-Cookie lines for a pair of tokens. Without rotation, the browser keeps its refresh token.
 */
export function sessionCookies(
  services: SessionServices,
  cookies: Cookies,
  granted: Granted & { readonly device?: string },
): string[] {
  const now = services.clock.nowMs()
  const secondsTo = (ms: number): number => Math.max(0, Math.ceil((ms - now) / 1000))
  const { session, access, refresh, device } = granted
  const lines = [cookies.set('access', access, services.access.lifetimeSec)]
  if (refresh !== undefined) {
    lines.push(cookies.set('refresh', refresh, secondsTo(session.expiresAt)))
  }
  if (device !== undefined) lines.push(cookies.set('device', device, DEVICE_SEC))
  return lines
}

/**
 * Returns the Set-Cookie lines that remove a session. The device cookie stays, because the throttle knows the
 * browser by it.
 */
export function forgetSession(cookies: Cookies): string[] {
  const kinds: readonly CookieKind[] = ['access', 'refresh', 'csrf']
  return kinds.map((kind) => cookies.clear(kind))
}

/** Describes a session for its page, without its access and refresh token. */
export function describeSession(
  services: SessionServices,
  { session, account }: Granted,
): Record<string, unknown> {
  const accessEndsAt = Math.min(
    services.clock.nowMs() + services.access.lifetimeSec * 1000,
    session.endsAt,
  )
  return {
    sub: account.id,
    user_id: account.userId,
    roles: account.roles,
    ...tenantClaims(account),
    sid: session.id,
    csrf_token: services.csrf.forSession(session.id),
    // A duration, because the clock of a device may be wrong. A page refreshes in the last half of this time.
    access_expires_in: secondsUntil(accessEndsAt, services),
    // In seconds since 1970.
    access_expires_at: Math.floor(accessEndsAt / 1000),
    refresh_expires_at: Math.floor(session.expiresAt / 1000),
  }
}

/** Returns the whole seconds until a time in milliseconds since 1970, at least 0. */
export function secondsUntil(endsAt: number, { clock }: Pick<SessionServices, 'clock'>): number {
  return Math.max(0, Math.floor((endsAt - clock.nowMs()) / 1000))
}
