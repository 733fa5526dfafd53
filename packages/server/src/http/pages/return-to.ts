import { limits } from '../../base/limits.ts'
import type { Cookies } from '../browser/cookies.ts'
import type { HttpServices } from '../services.ts'

/** Where a browser goes after a page has done its work. */
export interface Destination {
  /** The value of `return_to`, as links and forms carry it. Undefined: the application of the settings. */
  readonly given: string | undefined
  /** A path of this server, or the URL of an application. */
  readonly href: string
  /** The origin, if it is not the one of this server. */
  readonly foreignOrigin: string | undefined
}

const CHARS_MAX = 2_048

/**
 * Returns where `return_to` leads: a path of this server, or a URL at exactly an origin that the settings name. Any
 * other value counts as missing: people then come to the application, not to an error. Without a value, it is the
 * application of the settings.
 */
export function destinationOf(services: HttpServices, given: string | undefined): Destination {
  const { applicationUrl } = services.http
  const found = given === undefined ? undefined : read(services, given)
  return found ?? { ...(read(services, applicationUrl) ?? HOME), given: undefined }
}

/**
 * Returns where a person goes who uses a mail. The link of the mail opens a page without `return_to`, so a cookie
 * remembers it for as long as the mail works.
 */
export function rememberedDestination(services: HttpServices, request: Request): Destination {
  const cookie = services.cookies.read(request, 'return')
  const given = cookie.ok && cookie.value !== undefined ? decode(cookie.value) : undefined
  return destinationOf(services, given)
}

/** The Set-Cookie line that remembers `return_to`, or forgets an older one. */
export function rememberReturn(cookies: Cookies, given: string | undefined): string {
  return given === undefined
    ? cookies.clear('return')
    : cookies.set('return', Buffer.from(given).toString('base64url'), limits.codeLifeMs / 1000)
}

function decode(value: string): string {
  return Buffer.from(value, 'base64url').toString()
}

const HOME: Destination = { given: undefined, href: '/', foreignOrigin: undefined }

function read({ http, origins }: HttpServices, given: string): Destination | undefined {
  // URL parsers drop tabs and line ends, and read a backslash as a slash: `/\evil.example` is another host.
  const isPlain =
    given.length <= CHARS_MAX && /^(?:\/(?!\/)|https?:\/\/[^/])[^\s\\\p{C}]*$/iu.test(given)
  const url = isPlain ? URL.parse(given, http.publicUrl) : null
  if (url === null || url.username !== '' || url.password !== '') return undefined
  const { origin, pathname, search, hash, href } = url
  if (origin === new URL(http.publicUrl).origin) {
    // `/..//evil.example` has the path `//evil.example`, which is another host in a Location header.
    if (pathname.startsWith('//')) return undefined
    return { given, href: `${pathname}${search}${hash}`, foreignOrigin: undefined }
  }
  const isKnown = origins.has(origin) || origin === originOf(http.applicationUrl)
  return isKnown ? { given, href, foreignOrigin: origin } : undefined
}

function originOf(url: string): string | undefined {
  return URL.parse(url)?.origin
}
