/**
 * Whether an origin can be of the same site as a URL, by the rules of browsers for cookies (RFC 6265bis §5.2,
 * with the scheme). It has no list of public suffixes. So it returns true for any two hosts below the same
 * parent of two or more labels.
 */
export function maybeSameSite(origin: string, url: string): boolean {
  const a = new URL(origin)
  const b = new URL(url)
  if (a.protocol !== b.protocol) return false
  return (
    a.hostname === b.hostname || isNear(a.hostname, b.hostname) || isNear(b.hostname, a.hostname)
  )
}

/** Whether a host is below another host, or below the parent of that host. */
function isNear(host: string, other: string): boolean {
  if (host.endsWith(`.${other}`)) return true
  const parent = other.slice(other.indexOf('.') + 1)
  return parent.includes('.') && /[a-z]/i.test(parent) && host.endsWith(`.${parent}`)
}
