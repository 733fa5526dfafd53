import { BlockList, isIP, isIPv6 } from 'node:net'

import { groupsOf, normalizeAddress } from './address.ts'

/**
 * The kind of an address that the server may call. `internal` is this machine or a private network. `forbidden` can
 * never be the address of an application: cloud metadata, link-local, multicast, reserved.
 */
export type OutboundKind = 'public' | 'internal' | 'forbidden'

const FORBIDDEN = [
  '0.0.0.0/8', // this network: Linux takes it for this machine
  '169.254.0.0/16', // link-local, and the metadata of most clouds
  '100.100.100.200', // the metadata of Alibaba Cloud
  '168.63.129.16', // the host of a machine in Azure
  '192.0.0.0/24', // protocol assignments, and the metadata of Oracle Cloud
  '192.0.2.0/24', // documentation
  '192.88.99.0/24', // 6to4 relays
  '198.18.0.0/15', // benchmarks
  '198.51.100.0/24', // documentation
  '203.0.113.0/24', // documentation
  '224.0.0.0/4', // multicast
  '240.0.0.0/4', // reserved, and broadcast
  'fd00:ec2::254', // the metadata of Amazon
  'fd20:ce::254', // the metadata of Google Cloud
]

const INTERNAL = [
  '10.0.0.0/8',
  '100.64.0.0/10', // shared (RFC 6598)
  '127.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '::1',
  'fc00::/7',
]

/** Parts of the global unicast space that lead elsewhere: tunnels carry an IPv4 address of anybody's choice. */
const NOT_GLOBAL = [
  '2001::/23', // protocol assignments, such as Teredo
  '2001:db8::/32', // documentation
  '2002::/16', // 6to4
  '3fff::/20', // documentation
]

const GLOBAL = ['2000::/3']

/** IPv6-only networks reach IPv4 hosts through these addresses (RFC 6052 §2.1). The last 32 bits are the IPv4 address. */
const NAT64 = '64:ff9b::/96'

const [forbidden, internal, notGlobal, global, nat64] = [
  FORBIDDEN,
  INTERNAL,
  NOT_GLOBAL,
  GLOBAL,
  [NAT64],
].map(listOf)

/**
 * Says what an address is (IANA special-purpose address registries). An IPv4 address inside IPv6 counts as the IPv4
 * address. Everything that is not an address is forbidden.
 */
export function outboundKindOf(given: string): OutboundKind {
  if (isIP(given) === 0 || given.includes('%')) return 'forbidden'
  const address = normalizeAddress(given)
  if (has(forbidden, address)) return 'forbidden'
  if (has(internal, address)) return 'internal'
  if (!isIPv6(address)) return 'public'
  if (has(nat64, address)) return outboundKindOf(embeddedIn(address))
  return has(global, address) && !has(notGlobal, address) ? 'public' : 'forbidden'
}

/** The IPv4 address in the last 32 bits. */
function embeddedIn(address: string): string {
  return groupsOf(address)
    .slice(-2)
    .map((group) => Number.parseInt(group, 16))
    .flatMap((group) => [group >>> 8, group & 0xff])
    .join('.')
}

function listOf(networks: readonly string[]): BlockList {
  const list = new BlockList()
  for (const network of networks) {
    const [address = '', bits] = network.split('/')
    const family = isIPv6(address) ? 'ipv6' : 'ipv4'
    if (bits === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(bits), family)
  }
  return list
}

function has(list: BlockList | undefined, address: string): boolean {
  return list?.check(address, isIPv6(address) ? 'ipv6' : 'ipv4') ?? false
}
