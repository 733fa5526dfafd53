import { limits } from '../base/limits.ts'

/** The rules that apply to one URI of an application. */
export interface UriRules {
  /** With `true`, plain http to `localhost` is refused. */
  readonly production: boolean
  /** Whether a scheme of the application's own is accepted, as native applications use it (RFC 8252 §7.1). */
  readonly ownSchemes: boolean
}

/** Printable ASCII without a backslash, which browsers read as a slash. Other characters have two spellings. */
const URI = /^[!-[\]-~]*$/

/**
 * Checks a URI to which browsers are redirected. Returns what is wrong, as the end of a sentence; undefined if nothing
 * is.
 *
 * Redirect URIs are compared byte by byte (RFC 9700 §4.1.3). So only the spelling that a browser itself uses is
 * accepted: no dot segments, no default port, no capital letters in the host. Otherwise the URI that was checked is not
 * the one that is called.
 */
export function checkRedirectUri(uri: string, rules: UriRules): string | undefined {
  const problem = checkUri(uri)
  if (problem !== undefined) return problem
  const { protocol, hostname } = new URL(uri)
  if (protocol === 'https:') return undefined
  if (protocol === 'http:') return checkPlainHttp(hostname, rules)
  if (!/^[a-z][\da-z+-]*(?:\.[\da-z+-]+)+:\//.test(uri)) {
    return 'must begin with https://, or with a scheme that is a reversed domain, such as com.example.app:/callback'
  }
  return rules.ownSchemes
    ? undefined
    : 'must begin with https://. Only public applications may have a scheme of their own'
}

function checkPlainHttp(hostname: string, { production }: UriRules): string | undefined {
  if (isLoopbackLiteral(hostname)) return undefined
  if (hostname !== 'localhost') {
    return 'must begin with https://. Plain http is accepted only for 127.0.0.1 and [::1]'
  }
  return production
    ? 'must not name localhost in production, because another machine can have that name. Use http://127.0.0.1 or http://[::1]'
    : undefined
}

/**
 * Checks a URL that the server itself calls: https, and outside production also plain http to this machine. The
 * addresses behind its name are checked at each call (`base/outbound.ts`).
 */
export function checkCalledUrl(url: string, production: boolean): string | undefined {
  const problem = checkUri(url)
  if (problem !== undefined) return problem
  const { protocol, hostname } = new URL(url)
  if (protocol === 'https:') return undefined
  const isHere = isLoopbackLiteral(hostname) || hostname === 'localhost'
  return protocol === 'http:' && isHere && !production
    ? undefined
    : 'must begin with https://. Outside production, plain http to this machine is accepted too'
}

function checkUri(uri: string): string | undefined {
  if (uri.length > limits.redirectUriCharsMax) {
    return `must have at most ${limits.redirectUriCharsMax} characters`
  }
  if (!URI.test(uri)) {
    return 'must contain only ASCII characters, and no spaces and backslashes. Write other characters percent-encoded, and domains in Punycode'
  }
  if (uri.includes('#')) return 'must have no fragment ("#")'
  if (uri.includes('*')) return 'must have no wildcard ("*"). Register each URI'
  const parsed = URL.parse(uri)
  if (parsed === null) return 'must be an absolute URI such as https://app.example.com/callback'
  if (parsed.username + parsed.password !== '' || /^[^/?]*\/\/[^/?]*@/.test(uri)) {
    return 'must have no username and password ("@")'
  }
  if (/%(?:2e|2f|5c)/i.test(parsed.pathname)) {
    return 'must have no percent-encoded dot, slash or backslash in its path'
  }
  // `https://app.example.com` and the same with a slash are both usual.
  if (parsed.href === uri || parsed.href === `${uri}/`) return undefined
  return `must be written as browsers do: ${parsed.href}`
}

function isLoopbackLiteral(hostname: string): boolean {
  return hostname === '127.0.0.1' || hostname === '[::1]'
}

const LOOPBACK = /^(http:\/\/(?:127\.0\.0\.1|\[::1\]))(?::\d{1,5})?(\/.*)?$/

/**
 * Whether a redirect URI of a request is one of the registered URIs, byte by byte. Only the port of a loopback address
 * may differ, because a native application gets its port from the operating system (RFC 8252 §7.3).
 */
export function isRegisteredRedirect(registered: readonly string[], presented: string): boolean {
  if (registered.includes(presented)) return true
  const wanted = withoutPort(presented)
  return wanted !== undefined && registered.some((each) => withoutPort(each) === wanted)
}

function withoutPort(uri: string): string | undefined {
  const [, host, path = '/'] = LOOPBACK.exec(uri) ?? []
  return host === undefined ? undefined : host + path
}

/**
 * Whether only the owner of a domain gets what is sent to this URI. Every application on a machine can claim a loopback
 * port or a scheme, so a person must consent each time (RFC 8252 §8.6).
 */
export function isAssuredRedirect(uri: string): boolean {
  return uri.startsWith('https://')
}
