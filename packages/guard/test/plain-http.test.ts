import { describe, expect, test } from 'vitest'

import { createGuard, hostKindOf } from '../src/index.ts'

test.each([
  ['http://localhost', 'loopback'],
  ['http://auth.localhost:8000', 'loopback'],
  ['http://127.0.0.1', 'loopback'],
  ['http://127.8.9.1', 'loopback'],
  ['http://[::1]:8000', 'loopback'],
  ['http://0x7f.1', 'loopback'],
  ['http://countersign:8000', 'private'],
  ['http://countersign.:8000', 'private'],
  ['http://auth.internal', 'private'],
  ['http://printer.local', 'private'],
  ['http://auth.home.arpa', 'private'],
  ['http://auth.test', 'private'],
  ['http://auth.default.svc', 'private'],
  ['http://auth.default.svc.cluster.local', 'private'],
  ['http://10.1.2.3', 'private'],
  ['http://172.16.0.1', 'private'],
  ['http://172.31.255.255', 'private'],
  ['http://192.168.1.1', 'private'],
  ['http://169.254.1.1', 'private'],
  ['http://100.64.0.1', 'private'],
  ['http://100.127.255.255', 'private'],
  ['http://[fd00::1]', 'private'],
  ['http://[fe80::1]', 'private'],
  ['http://auth.example.com', 'public'],
  ['http://localhost.example.com', 'public'],
  ['http://127.0.0.1.example.com', 'public'],
  ['http://10.example.com', 'public'],
  ['http://internal.example', 'public'],
  ['http://notlocal', 'private'],
  ['http://172.15.0.1', 'public'],
  ['http://172.32.0.1', 'public'],
  ['http://100.128.0.1', 'public'],
  ['http://192.169.1.1', 'public'],
  ['http://8.8.8.8', 'public'],
  ['http://[2001:db8::1]', 'public'],
  ['http://[::ffff:127.0.0.1]', 'public'],
])('the host of %s is %s', (url, kind) => {
  expect(hostKindOf(new URL(url).hostname)).toBe(kind)
})

describe('the option allowPrivateHttp', () => {
  const onNotice = (): void => {}
  const private8000 = 'http://countersign:8000'

  test('is needed for plain http to another machine, and the error names it', () => {
    expect(() => createGuard({ issuer: private8000, onNotice })).toThrow(
      'createGuard: issuer is plain http to another machine. Use https, or set allowPrivateHttp: true if the network is private.',
    )
    createGuard({ issuer: private8000, allowPrivateHttp: true, onNotice }).close()
  })

  test('covers the other URLs, and no public host', () => {
    const feed = { clientId: 'svc_1', clientSecret: 'x', url: private8000 }
    const issuer = 'https://auth.example.com'
    for (const options of [
      { feed },
      { jwksUrl: `${private8000}/jwks` },
      { resourceMetadata: `${private8000}/m` },
    ]) {
      expect(() => createGuard({ issuer, onNotice, ...options })).toThrow('allowPrivateHttp')
      createGuard({ issuer, allowPrivateHttp: true, onNotice, ...options }).close()
    }
    expect(() =>
      createGuard({ issuer: 'http://auth.example.com', allowPrivateHttp: true, onNotice }),
    ).toThrow('createGuard: issuer must be https')
  })

  test('must be true or false', () => {
    expect(() =>
      createGuard({ issuer: 'https://a.example', allowPrivateHttp: 'yes' as never, onNotice }),
    ).toThrow('createGuard: allowPrivateHttp must be true or false.')
  })
})
