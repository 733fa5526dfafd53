import { BlockList, isIP, isIPv6, SocketAddress } from 'node:net'

/**
 * Returns the network of one subscriber: an IPv4 address, or the first 64 bits of an IPv6 address. The owner
 * of a /64 network can use every address in it.
 */
export function addressNetwork(address: string): string {
  if (!isIPv6(address)) return address
  const plain = normalizeAddress(address)
  if (!isIPv6(plain)) return plain
  return groupsOf(plain).slice(0, 4).join(':')
}

/**
 * Returns the one spelling of an address. An IPv4 address inside IPv6 becomes an IPv4 address. Returns other
 * text unchanged.
 */
export function normalizeAddress(address: string): string {
  if (!isIPv6(address)) return address
  const [withoutZone = ''] = address.split('%', 1)
  const plain = new SocketAddress({ address: withoutZone, family: 'ipv6' }).address
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(plain)
  return mapped?.[1] ?? plain
}

/** Returns the eight groups of an IPv6 address in its one spelling (`normalizeAddress`). */
export function groupsOf(address: string): string[] {
  const [head = '', tail] = address.split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = Array.from({ length: Math.max(0, 8 - before.length - after.length) }, () => '0')
  return [...before, ...(tail === undefined ? [] : zeros), ...after]
}

/**
 * Parses the networks of proxies: `10.0.0.0/8`, or single addresses. Returns undefined if a text is neither.
 */
export function parseNetworks(texts: readonly string[]): BlockList | undefined {
  const networks = new BlockList()
  for (const text of texts) {
    const [address = '', prefix] = text.split('/', 2)
    const version = isIP(address)
    if (version === 0) return undefined
    const bitsMax = version === 4 ? 32 : 128
    const bits = prefix === undefined ? bitsMax : Number(/^\d{1,3}$/.test(prefix) ? prefix : -1)
    if (!(bits >= 0 && bits <= bitsMax) || text.split('/').length > 2) return undefined
    networks.addSubnet(address, bits, version === 4 ? 'ipv4' : 'ipv6')
  }
  return networks
}

/**
 * Returns the client's address. It is the address of the connection, unless a trusted proxy sent the request.
 * In that case the forwarded hops are read from their end, where the nearest proxy wrote, to the first address
 * that is not a trusted proxy. The client can forge everything before that address. A hop that is not an
 * address ends the search.
 */
export function clientAddress(
  connection: string,
  hops: readonly string[],
  proxies: BlockList | undefined,
): string {
  let address = normalizeAddress(connection)
  if (proxies === undefined) return address
  const left = hops.map((hop) => normalizeAddress(hop))
  while (isTrusted(address, proxies)) {
    const previous = left.pop()
    if (previous === undefined || isIP(previous) === 0) return address
    address = previous
  }
  return address
}

function isTrusted(address: string, proxies: BlockList): boolean {
  const version = isIP(address)
  return version !== 0 && proxies.check(address, version === 4 ? 'ipv4' : 'ipv6')
}
