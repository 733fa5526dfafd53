import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import {
  addressNetwork,
  clientAddress,
  normalizeAddress,
  parseNetworks,
} from '../src/base/address.ts'

test.each([
  ['203.0.113.7', '203.0.113.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
  ['2001:db8::1', '2001:db8:0:0'],
  ['::1', '0:0:0:0'],
  ['::ffff:203.0.113.7', '203.0.113.7'],
  ['::ffff:cb00:7107', '203.0.113.7'],
  ['fe80::1%eth0', 'fe80:0:0:0'],
  ['', ''],
  ['no address', 'no address'],
])('the network of %j is %j', (address, network) => {
  expect(addressNetwork(address)).toBe(network)
})

test('every spelling of an IPv6 address is in one network', () => {
  fc.assert(
    fc.property(fc.ipV6(), (address) => {
      expect(addressNetwork(address.toUpperCase())).toBe(addressNetwork(normalizeAddress(address)))
    }),
  )
})

const proxies = parseNetworks(['10.0.0.0/8', '2001:db8::/32'])

test.each([
  ['without a header', '10.0.0.1', undefined, '10.0.0.1'],
  ['the last one that is no proxy', '10.0.0.1', '1.1.1.1, 2.2.2.2, 10.9.9.9', '2.2.2.2'],
  ['what a client wrote in front', '10.0.0.1', 'evil, 2.2.2.2', '2.2.2.2'],
  ['a client that is no proxy', '3.3.3.3', '2.2.2.2', '3.3.3.3'],
  ['only proxies', '10.0.0.1', '10.0.0.2', '10.0.0.2'],
  ['garbage', '10.0.0.1', 'unknown', '10.0.0.1'],
  ['an empty header', '10.0.0.1', '', '10.0.0.1'],
  ['a proxy over IPv6', '2001:db8::5', '2.2.2.2', '2.2.2.2'],
  ['an IPv4 proxy inside IPv6', '::ffff:10.0.0.1', '2.2.2.2', '2.2.2.2'],
])('%s', (_name, connection, forwarded, expected) => {
  expect(clientAddress(connection, forwarded, proxies)).toBe(expected)
})

test('without trusted proxies, the header is ignored', () => {
  expect(clientAddress('10.0.0.1', '2.2.2.2', undefined)).toBe('10.0.0.1')
})
