import { accessCookieName, readCookie } from '@countersign/guard'
import { serialize } from 'hono/utils/cookie'

import { limits } from '../../base/limits.ts'

/** The cookies that the authority sets. */
export type CookieKind =
  | 'access'
  | 'refresh'
  | 'csrf'
  | 'device'
  | 'ticket'
  | 'trusted'
  | 'pending'
  | 'return'
  /** A log-in at a provider that has begun, by its state. */
  | `upstream.${string}`

/** The cookies of one authority: all HttpOnly, on `Path=/`, and Secure if the public URL is https. */
export interface Cookies {
  name(kind: CookieKind): string
  /** The states of the log-ins at providers that this browser has begun, the oldest first. */
  begun(request: Request): readonly string[]
  /**
   * Returns the value of a cookie, or undefined if it is missing. Refuses a request that has the cookie
   * twice.
   */
  read(
    request: Request,
    kind: CookieKind,
  ): { readonly ok: true; readonly value: string | undefined } | { readonly ok: false }
  /** Returns the Set-Cookie line that stores a value for `maxAgeSec` seconds. */
  set(kind: CookieKind, value: string, maxAgeSec: number): string
  /** Returns the Set-Cookie line that removes the cookie. */
  clear(kind: CookieKind): string
}

/** The settings that determine the names and attributes of the cookies. */
export interface CookieSettings {
  readonly publicUrl: string
  /** Shares the cookies among the hosts of this domain. */
  readonly domain: string | undefined
}

/**
 * Creates the cookies. Their names begin with `__Host-` (RFC 6265bis §4.1.3), so only this host can set them,
 * and only over https. With a domain the prefix is `__Secure-`. Over http, as on a developer's machine,
 * browsers reject both prefixes, so the names have no prefix.
 *
 * The refresh cookie is `SameSite=Strict`: browsers send it only with requests from pages of the same site.
 * The other cookies are `Lax`, so that a link from another site opens a page for a logged-in person.
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
    begun(request) {
      const prefix = nameOf('upstream.')
      const names = (request.headers.get('cookie') ?? '')
        .split(';')
        .map((each) => each.split('=')[0]?.trim() ?? '')
      const states = names.filter((name) => name.startsWith(prefix))
      return states.map((name) => name.slice(prefix.length)).toSorted()
    },
    read(request, kind) {
      const header = request.headers.get('cookie')
      const reading = readCookie(header === null ? [] : [header], nameOf(kind))
      if (reading.kind === 'found') return { ok: true, value: reading.value }
      return reading.kind === 'absent' ? { ok: true, value: undefined } : { ok: false }
    },
    // Browsers keep no cookie for longer than 400 days (RFC 6265bis §5.5).
    set: (kind, value, maxAgeSec) => line(kind, value, Math.min(maxAgeSec, limits.cookieSecMax)),
    clear: (kind) => line(kind, '', 0),
  }
}
