/** The longest URL that is compared, in characters. */
const URL_CHARS_MAX = 4096

// The WHATWG parser drops line ends and blanks. A text with any of these would not be the URL that was signed.
const URL_CHARACTERS = /^[!-~]+$/

/**
 * Returns the form in which URLs are compared: an http or https URL without query and fragment, normalized by RFC
 * 3986 §6.2.2 and §6.2.3 (RFC 9449 §4.3). Undefined for anything else, and for a URL with credentials. Pure.
 */
export function comparableUrl(text: unknown): string | undefined {
  if (typeof text !== 'string' || text.length > URL_CHARS_MAX || !URL_CHARACTERS.test(text)) {
    return undefined
  }
  if (!URL.canParse(text)) return undefined
  const { protocol, username, password, origin, pathname } = new URL(text)
  if ((protocol !== 'https:' && protocol !== 'http:') || username !== '' || password !== '') {
    return undefined
  }
  return origin + pathname.replace(/%[0-9A-Fa-f]{2}/g, normalTriplet)
}

/**
 * Returns the public URLs that a request may have, as `comparableUrl` writes them: the path of its target below each
 * public URL of the service. Empty if the target has no path, such as `*`. Pure.
 *
 * The host of the request is not read. The sender of the request chooses it, so it could be the host of another
 * service, for which a client made the proof.
 */
export function publicUrlsOf(
  target: string | undefined,
  publicUrls: readonly string[],
): readonly string[] {
  const path = target === undefined ? undefined : pathOf(target)
  if (path === undefined) return []
  return publicUrls.flatMap((url) => comparableUrl(url + path) ?? [])
}

/** Reads the path of an origin-form or an absolute-form (RFC 9112 §3.2). */
function pathOf(target: string): string | undefined {
  if (target.startsWith('/')) return target.replace(/[?#].*$/s, '')
  const isAbsolute = /^https?:\/\//i.test(target) && URL.canParse(target)
  return isAbsolute ? new URL(target).pathname : undefined
}

// Unreserved characters need no encoding, and hexadecimal digits ignore case (RFC 3986 §6.2.2).
function normalTriplet(triplet: string): string {
  const character = String.fromCharCode(Number.parseInt(triplet.slice(1), 16))
  return /[A-Za-z0-9\-._~]/.test(character) ? character : triplet.toUpperCase()
}
