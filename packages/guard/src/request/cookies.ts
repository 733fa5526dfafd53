/** What the Cookie headers of a request hold under one name. */
export type CookieReading =
  | { readonly kind: 'found'; readonly value: string }
  | { readonly kind: 'absent' }
  /** The name stands there more than once. */
  | { readonly kind: 'repeated' }
  /** More than `COOKIES_CHARS_MAX`: not read, since what is cut off could hold the name again. */
  | { readonly kind: 'too_large' }

/** Cookie headers beyond this length together, in characters, are not read. Node's own limit is 16 KiB. */
export const COOKIES_CHARS_MAX = 16 * 1024

/**
 * Finds a cookie in the values of all Cookie headers of a request (RFC 6265bis §4.2.1; HTTP/2 may
 * send several, RFC 9113 §8.2.3). Pure. Names are compared exactly; values stay as they are, quotes
 * included: whoever unquotes lets `"` swallow the cookies up to the next one.
 *
 * Two of one name are never a choice: a subdomain, or a script on another path, can set a cookie that
 * arrives beside ours, before or after it. A pair without a name (`=x`, `x`) is nobody's: that is how
 * a page sends `__Host-` names which the browser would not let it set.
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
      // An empty `name` finds nothing: it would be the nameless ones.
      if (nameEnd <= 0 || trimmed.slice(0, nameEnd) !== name) continue
      if (found !== undefined) return { kind: 'repeated' }
      found = trimmed.slice(nameEnd + 1)
    }
  }
  return found === undefined ? { kind: 'absent' } : { kind: 'found', value: found }
}

// OWS is SP and HTAB (RFC 9110 §5.6.3). `trim` would also take U+00A0 and others, which stand in
// names of their own. No regular expression: `[ \t]+$` takes quadratic time.
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
 * The name of the cookie that carries the access tokens of an issuer. `__Host-` (RFC 6265bis §4.1.3):
 * only this very host can have set it, over https. `domain` is for cookies that the hosts of one
 * domain share, which `__Host-` forbids. Over http, on a developer's machine, browsers take neither.
 */
export function accessCookieName(issuer: string, { domain = false } = {}): string {
  if (!issuer.startsWith('https:')) return 'cs_access'
  return domain ? '__Secure-cs_access' : '__Host-cs_access'
}
