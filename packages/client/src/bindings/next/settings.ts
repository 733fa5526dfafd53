import type { NextRequest } from 'next/server.js'

/** The options of `createCountersign`. */
export interface CountersignOptions {
  /** The public URL of the authority (`COUNTERSIGN_PUBLIC_URL`). It decides the names of the cookies. */
  readonly authority: string
  /** The URL under which this server reaches the authority, such as `http://10.0.0.5:8000`. Default: `authority`. */
  readonly internalUrl?: string
  /** Whether the authority has `COUNTERSIGN_COOKIE_DOMAIN`. The cookies then have other names. */
  readonly cookieDomain?: boolean
  /**
   * Answers a request in the place of `NextResponse.next({ request: { headers } })`, for example with a redirect. Pass
   * `headers` on: they have the new cookies.
   */
  readonly respond?: Respond
}

/** Answers a request that has the new cookies in its headers. */
export type Respond = (request: NextRequest, headers: Headers) => Response | Promise<Response>

/** The cookies of the authority that a server of pages knows. */
export type CookieNames = Readonly<Record<'access' | 'refresh' | 'csrf' | 'device', string>>

/** The options, read and checked. */
export interface Settings {
  /** The origin of the authority's public URL. */
  readonly origin: string
  /** Where this server reaches the authority, without a slash at the end. */
  readonly url: string
  readonly names: CookieNames
  readonly respond: Respond | undefined
}

/** Reads the options. Throws a TypeError that names an invalid one. */
export function readSettings(options: CountersignOptions): Settings {
  const { authority, internalUrl = authority, cookieDomain = false, respond } = options
  const { origin, protocol } = readUrl('authority', authority)
  // As the authority names them: browsers accept neither prefix over http.
  const prefix = protocol === 'http:' ? '' : cookieDomain ? '__Secure-' : '__Host-'
  return {
    origin,
    url: readUrl('internalUrl', internalUrl).href.replace(/\/+$/, ''),
    names: {
      access: `${prefix}cs_access`,
      refresh: `${prefix}cs_refresh`,
      csrf: `${prefix}cs_csrf`,
      device: `${prefix}cs_device`,
    },
    respond,
  }
}

function readUrl(option: string, value: string): URL {
  const url = URL.canParse(value) ? new URL(value) : undefined
  if (url?.protocol === 'https:' || url?.protocol === 'http:') return url
  throw new TypeError(`createCountersign: ${option} must be an http or https URL.`)
}
