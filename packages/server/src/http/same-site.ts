/**
 * Whether pages of an origin can be of the same site as a URL, as browsers decide it for cookies (RFC
 * 6265bis §5.2, with the scheme). Without the list of public suffixes it answers yes when in doubt: for
 * two hosts below one parent of two labels or more.
 */
export function maybeSameSite(origin: string, url: string): boolean {
  const a = new URL(origin)
  const b = new URL(url)
  if (a.protocol !== b.protocol) return false
  return (
    a.hostname === b.hostname || isNear(a.hostname, b.hostname) || isNear(b.hostname, a.hostname)
  )
}

/** Whether a host is below another host, or below that host's parent. */
function isNear(host: string, other: string): boolean {
  if (host.endsWith(`.${other}`)) return true
  const parent = other.slice(other.indexOf('.') + 1)
  return parent.includes('.') && /[a-z]/i.test(parent) && host.endsWith(`.${parent}`)
}
