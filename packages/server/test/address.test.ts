import { isIP } from 'node:net'

import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import {
  addressNetwork,
  clientAddress,
  normalizeAddress,
  parseNetworks,
} from '../src/base/address.ts'
import { parseHops } from '../src/base/forwarded.ts'

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
  const hops = parseHops('x-forwarded-for', forwarded ?? '')
  expect(clientAddress(connection, hops, proxies)).toBe(expected)
})

test('without trusted proxies, the header is ignored', () => {
  expect(clientAddress('10.0.0.1', ['2.2.2.2'], undefined)).toBe('10.0.0.1')
})

test.each([
  ['203.0.113.7:5123', ['203.0.113.7']],
  ['[2001:db8::1]:443', ['2001:db8::1']],
  ['[2001:db8::1]', ['2001:db8::1']],
  ['2001:db8::1', ['2001:db8::1']],
  ['203.0.113.7:5123, 198.51.100.9:80,10.0.0.1', ['203.0.113.7', '198.51.100.9', '10.0.0.1']],
  ['unknown, 203.0.113.7', ['', '203.0.113.7']],
  ['203.0.113.7:5:6, 1.2.3:80, [::1, ::1]:5, [1.2.3.4.5]', ['', '', '', '', '']],
])('X-Forwarded-For: %s', (value, hops) => {
  expect(parseHops('x-forwarded-for', value)).toEqual(hops)
})

test.each([
  ['for=192.0.2.60;proto=http;by=203.0.113.43', ['192.0.2.60']],
  ['For="[2001:db8:cafe::17]:4711"', ['2001:db8:cafe::17']],
  ['for="192.0.2.43:47011", for=198.51.100.17', ['192.0.2.43', '198.51.100.17']],
  ['proto=https; FOR = 192.0.2.43', ['']],
  ['proto=https; for=192.0.2.43 ,for="\\192.0.2.44"', ['192.0.2.43', '192.0.2.44']],
  ['for=unknown, for=_hidden, for="_SEVKISEK"', ['', '', '']],
  ['host="a,for=1.1.1.1;for=2.2.2.2";for=192.0.2.43', ['192.0.2.43']],
  ['host="a\\",for=1.1.1.1";for=192.0.2.43', ['192.0.2.43']],
  ['for=1.1.1.1;for=2.2.2.2', ['']],
  ['for="1.1.1.1, for=2.2.2.2', ['']],
  ['proto=https', ['']],
  ['', ['']],
])('Forwarded: %s', (value, hops) => {
  expect(parseHops('forwarded', value)).toEqual(hops)
})

test('no text makes a hop that is not an address', () => {
  fc.assert(
    fc.property(fc.string(), fc.constantFrom('forwarded', 'x-forwarded-for'), (text, header) => {
      for (const hop of parseHops(header, text)) {
        if (hop !== '') expect(isIP(hop)).not.toBe(0)
      }
    }),
  )
})
