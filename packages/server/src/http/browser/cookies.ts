import { accessCookieName, readCookie } from '@countersign/guard'
import { serialize } from 'hono/utils/cookie'

import { limits } from '../../base/limits.ts'

/** What the authority keeps in a browser. */
export type CookieKind = 'access' | 'refresh' | 'csrf' | 'device'

/** The cookies of one authority: all HttpOnly, on Path=/, and Secure where the public URL is https. */
export interface Cookies {
  name(kind: CookieKind): string
  /** One value, undefined where there is none; a name that stands there twice is refused. */
  read(
    request: Request,
    kind: CookieKind,
  ): { readonly ok: true; readonly value: string | undefined } | { readonly ok: false }
  /** The Set-Cookie line that keeps a value for some seconds. */
  set(kind: CookieKind, value: string, maxAgeSec: number): string
  /** The Set-Cookie line that makes the browser forget it. */
  clear(kind: CookieKind): string
}

export interface CookieSettings {
  readonly publicUrl: string
  /** Shares the cookies among the hosts of a domain. */
  readonly domain: string | undefined
}

/**
 * `__Host-` (RFC 6265bis §4.1.3) lets only this very host set them, over https; with a domain it is
 * `__Secure-`; over http, on a developer's machine, browsers take neither and the names are bare.
 *
 * The refresh token is Strict: it is sent to this server only, and by pages of its own site. The
 * others are Lax, so that a link from elsewhere opens a page that knows who is there.
 */
export function createCookies({ publicUrl, domain }: CookieSettings): Cookies {
  const isSecure = publicUrl.startsWith('https:')
  const access = accessCookieName(publicUrl, { domain: domain !== undefined })
  const nameOf = (kind: CookieKind): string => access.replace(/access$/, kind)

  function line(kind: CookieKind, value: string, maxAge: number): string {
    return serialize(nameOf(kind), value, {
      path: '/',
      httpOnly: true,
      secure: isSecure,
      sameSite: kind === 'refresh' ? 'Strict' : 'Lax',
      maxAge,
      ...(isSecure && domain !== undefined ? { domain } : {}),
    })
  }

  return {
    name: nameOf,
    read(request, kind) {
      const header = request.headers.get('cookie')
      const reading = readCookie(header === null ? [] : [header], nameOf(kind))
      if (reading.kind === 'found') return { ok: true, value: reading.value }
      return reading.kind === 'absent' ? { ok: true, value: undefined } : { ok: false }
    },
    // The longest life that browsers grant is 400 days (RFC 6265bis §5.5).
    set: (kind, value, maxAgeSec) => line(kind, value, Math.min(maxAgeSec, limits.cookieSecMax)),
    clear: (kind) => line(kind, '', 0),
  }
}
