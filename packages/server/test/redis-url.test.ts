import { describe, expect, test } from 'vitest'

import { slotOf } from '../src/redis/primaries.ts'
import { parseRedisUrl, type RedisAddress } from '../src/redis/url.ts'
import { parseSettings } from '../src/settings.ts'

const DEFAULTS: RedisAddress = {
  kind: 'single',
  hosts: [{ host: '127.0.0.1', port: 6379 }],
  isTls: false,
  username: undefined,
  password: undefined,
  name: undefined,
  database: 0,
  sentinelUsername: undefined,
  sentinelPassword: undefined,
  protocol: 2,
}

test.each<[string, Partial<RedisAddress>]>([
  ['redis://127.0.0.1', {}],
  ['redis://127.0.0.1:6379/', {}],
  ['redis://127.0.0.1/3?protocol=3', { database: 3, protocol: 3 }],
  [
    'rediss://redis.example.com:6380',
    { isTls: true, hosts: [{ host: 'redis.example.com', port: 6380 }] },
  ],
  ['redis://[::1]:7000', { hosts: [{ host: '::1', port: 7000 }] }],
  ['redis://:p%40ss@127.0.0.1', { password: 'p@ss' }],
  ['redis://me:a:b@c@127.0.0.1', { username: 'me', password: 'a:b@c' }],
  [
    'redis+sentinel://me:secret@one,two:26380/main/2?sentinel_password=other',
    {
      kind: 'sentinel',
      hosts: [
        { host: 'one', port: 26_379 },
        { host: 'two', port: 26_380 },
      ],
      username: 'me',
      password: 'secret',
      name: 'main',
      database: 2,
      sentinelPassword: 'other',
    },
  ],
  [
    'rediss+cluster://one:7000,[::1]:7001/0',
    {
      kind: 'cluster',
      isTls: true,
      hosts: [
        { host: 'one', port: 7_000 },
        { host: '::1', port: 7_001 },
      ],
    },
  ],
])('%s is read', (url, expected) => {
  expect(parseRedisUrl(url)).toEqual({ ...DEFAULTS, ...expected })
  expect(parseSettings({ redisUrl: url }, { production: false }).redisUrl).toBe(url)
})

describe('a URL that cannot be used is rejected without its parts', () => {
  test.each([
    ['redis://a-secret@host', 'must have a password after the username'],
    ['redis://me:%a-secret@host', 'must have a password after the username'],
    ['redis://:a-secret@one,two', 'must be a URL such as'],
    ['redis://:a-secret@host:0', 'must be a URL such as'],
    ['redis://:a-secret@host:65536', 'must be a URL such as'],
    ['redis://:a-secret@ho st', 'must be a URL such as'],
    ['redis+sentinels://:a-secret@host/main', 'must be a URL such as'],
    ['redis+cluster://:a-secret@one,,two', 'must be a URL such as'],
    ['redis+sentinel://:a-secret@one,two', 'must have the name of the primary'],
    ['redis+sentinel://:a-secret@one//0', 'must have the name of the primary'],
    ['redis://:a-secret@host/main', 'must have a whole number as the database'],
    ['redis://:a-secret@host/0/1', 'must have a whole number as the database'],
    ['redis+cluster://:a-secret@host/1', 'must have no database number'],
    ['redis://host?password=a-secret', 'may only have the parameters'],
    ['redis://:a-secret@host?protocol=4', 'may only have the parameters'],
    ['redis://:a-secret@host?protocol=2&protocol=3', 'may only have the parameters'],
    ['redis://host?sentinel_password=a-secret', 'may only have the parameters'],
  ])('%s', (redisUrl, message) => {
    const read = (): unknown => parseSettings({ redisUrl }, { production: false })
    expect(read).toThrow(`REDIS_URL: ${message}`)
    expect(read).not.toThrow('a-secret')
  })
})

test('the slot of a key is that of the specification', () => {
  expect([slotOf('123456789'), slotOf('foo'), slotOf('')]).toEqual([0x31c3, 12_182, 0])
})
