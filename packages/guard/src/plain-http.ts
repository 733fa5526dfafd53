/**
 * Where a host is. `loopback`: this machine. `private`: a name or address that exists only inside a network.
 * `public`: anything else.
 */
export type HostKind = 'loopback' | 'private' | 'public'

/**
 * The last labels of names that no public DNS has: reserved by RFC 6761, RFC 6762, RFC 8375 and ICANN, and
 * the short names of Kubernetes services.
 */
const PRIVATE_SUFFIXES = ['.internal', '.local', '.home.arpa', '.test', '.svc']

/**
 * Private addresses: RFC 1918, link-local (RFC 3927, RFC 4291), shared (RFC 6598), and unique local
 * (RFC 4193). A URL parser has already written them in one form.
 */
const PRIVATE_ADDRESSES =
  /^(?:10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|169\.254\.|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|\[f[cd]|\[fe[89ab])/

/** Returns where the host of a parsed URL is. It looks at the text alone, and asks no DNS. */
export function hostKindOf(hostname: string): HostKind {
  const name = hostname.replace(/\.$/, '')
  if (name === 'localhost' || name.endsWith('.localhost') || name === '[::1]') return 'loopback'
  if (/^[\d.]+$/.test(name) || name.startsWith('[')) {
    if (name.startsWith('127.')) return 'loopback'
    return PRIVATE_ADDRESSES.test(name) ? 'private' : 'public'
  }
  const isPrivate = !name.includes('.') || PRIVATE_SUFFIXES.some((suffix) => name.endsWith(suffix))
  return isPrivate ? 'private' : 'public'
}

/**
 * Whether a URL may carry tokens and keys. Over plain http, everyone on the way can read and change them. So
 * plain http is allowed on this machine. Inside a private network it is allowed if the operator has set the option.
 */
export function isSecureEnough({ protocol, hostname }: URL, allowPrivateHttp: boolean): boolean {
  if (protocol === 'https:') return true
  const kind = hostKindOf(hostname)
  return protocol === 'http:' && (kind === 'loopback' || (kind === 'private' && allowPrivateHttp))
}
