/** The result of searching the Cookie headers of a request for one name. */
export type CookieReading =
  | { readonly kind: 'found'; readonly value: string }
  | { readonly kind: 'absent' }
  /** The name occurs more than once. */
  | { readonly kind: 'repeated' }
  /**
   * The headers exceed `COOKIES_CHARS_MAX`. They are not read, because the part that is cut off could contain
   * the same name again.
   */
  | { readonly kind: 'too_large' }

/** The longest accepted total of all Cookie headers, in characters. Node's own limit is 16 KiB. */
export const COOKIES_CHARS_MAX = 16 * 1024

/**
 * Finds a cookie in the values of all Cookie headers of a request (RFC 6265bis §4.2.1; HTTP/2 may send
 * several, RFC 9113 §8.2.3). Pure. Names are compared exactly. Values stay as they are, quotes included,
 * because unquoting would let a `"` swallow the following cookies.
 *
 * Two cookies with the same name are refused; neither is chosen. A subdomain, or a script on another path,
 * can set a cookie that arrives before or after ours. A pair without a name (`=x`, `x`) matches nothing: a
 * page can use it to send `__Host-` names that the browser would not let it set.
 */
export function readCookie(values: readonly string[], name: string): CookieReading {
  let chars = 0
  for (const value of values) chars += value.length
  if (chars > COOKIES_CHARS_MAX) return { kind: 'too_large' }

  let found: string | undefined
  for (const value of values) {
    for (const pair of value.split(';')) {
      const trimmed = trimBlanks(pair)
      const nameEnd = trimmed.indexOf('=')
      // An empty `name` finds nothing. It would match the pairs without a name.
      if (nameEnd <= 0 || trimmed.slice(0, nameEnd) !== name) continue
      if (found !== undefined) return { kind: 'repeated' }
      found = trimmed.slice(nameEnd + 1)
    }
  }
  return found === undefined ? { kind: 'absent' } : { kind: 'found', value: found }
}

// OWS is SP and HTAB (RFC 9110 §5.6.3). `trim` would also remove U+00A0 and others, which are part of other
// names. A regular expression such as `[ \t]+$` would take quadratic time.
function trimBlanks(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && isBlank(text[start])) start += 1
  while (end > start && isBlank(text[end - 1])) end -= 1
  return text.slice(start, end)
}

function isBlank(character: string | undefined): boolean {
  return character === ' ' || character === '\t'
}

/**
 * Returns the name of the cookie that carries the access tokens of an issuer. Only the same host can set a
 * `__Host-` cookie, over https (RFC 6265bis §4.1.3). Use `domain` for cookies that the hosts of one domain
 * share, which `__Host-` forbids. Browsers accept neither prefix over http, as on a developer's machine.
 */
export function accessCookieName(issuer: string, { domain = false } = {}): string {
  if (!issuer.startsWith('https:')) return 'cs_access'
  return domain ? '__Secure-cs_access' : '__Host-cs_access'
}
