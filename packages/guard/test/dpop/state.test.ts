import { randomBytes } from 'node:crypto'

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { createReplayMemory } from '../../src/dpop.ts'
import { createDpopNonces } from '../../src/dpop/nonces.ts'
import { comparableUrl, publicUrlsOf } from '../../src/dpop/url.ts'
import { NOW_MS } from '../support/issuer.ts'

describe('the memory of used proofs', () => {
  test('accepts an id once until it expires, and forgets it within 15 s after that', () => {
    let now = NOW_MS
    const memory = createReplayMemory({ entriesMax: 100, clock: () => now })
    expect(memory.use('a', NOW_MS + 1000)).toBe(true)
    now = NOW_MS + 999
    expect(memory.use('a', NOW_MS + 1000)).toBe(false)
    now = NOW_MS + 16_000
    expect(memory.use('a', now + 1000)).toBe(true)
  })

  test('is bounded: when it is full it throws, and takes new ids when others have expired', () => {
    let now = NOW_MS
    const memory = createReplayMemory({ entriesMax: 100, clock: () => now })
    for (let i = 0; i < 100; i++) expect(memory.use(`${i}`, NOW_MS + 1000)).toBe(true)
    expect(() => memory.use('next', NOW_MS + 1000)).toThrow('dpop.replaysMax')
    // Also when it is full, a replay is a replay.
    expect(memory.use('7', NOW_MS + 1000)).toBe(false)
    now = NOW_MS + 16_000
    expect(memory.use('next', now + 1000)).toBe(true)
  })

  test('never accepts an id twice before it expires (compared with a model)', () => {
    const step = fc.record({
      id: fc.constantFrom('a', 'b', 'c'),
      lifeMs: fc.integer({ min: 1, max: 120_000 }),
      waitMs: fc.integer({ min: 0, max: 40_000 }),
    })
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        let now = NOW_MS
        const memory = createReplayMemory({ entriesMax: 1000, clock: () => now })
        const expiries = new Map<string, number>()
        for (const { id, lifeMs, waitMs } of steps) {
          now += waitMs
          const isLive = (expiries.get(id) ?? 0) > now
          const accepted = memory.use(id, now + lifeMs)
          if (isLive) expect(accepted).toBe(false)
          if (accepted === true) expiries.set(id, now + lifeMs)
        }
      }),
    )
  })
})

describe('nonces', () => {
  const secret = randomBytes(32)

  test('live as long as they should, also in another process with the same secret', () => {
    const nonces = createDpopNonces([secret], 60_000)
    const elsewhere = createDpopNonces([secret], 60_000)
    const nonce = nonces.issue(NOW_MS)
    expect(elsewhere.read(nonce, NOW_MS)).toBe(NOW_MS + 60_000)
    expect(elsewhere.read(nonce, NOW_MS + 59_999)).toBe(NOW_MS + 60_000)
    expect(elsewhere.read(nonce, NOW_MS + 60_000)).toBeUndefined()
    // The clock of the process that made it may be ahead, but not by more than a minute.
    expect(elsewhere.read(nonce, NOW_MS - 60_000)).toBe(NOW_MS + 60_000)
    expect(elsewhere.read(nonce, NOW_MS - 60_001)).toBeUndefined()
  })

  test('of an old secret are accepted while it is listed', () => {
    const old = createDpopNonces([secret], 60_000)
    const replaced = createDpopNonces([randomBytes(32), secret], 60_000)
    expect(replaced.read(old.issue(NOW_MS), NOW_MS)).toBeDefined()
    expect(old.read(replaced.issue(NOW_MS), NOW_MS)).toBeUndefined()
  })

  test('of anybody else are refused', () => {
    const nonces = createDpopNonces([secret], 60_000)
    const forged = createDpopNonces([randomBytes(32)], 60_000).issue(NOW_MS)
    for (const other of [forged, '', 'x', 7, undefined, null, `${nonces.issue(NOW_MS)}=`]) {
      expect(nonces.read(other, NOW_MS)).toBeUndefined()
    }
    const any = fc.uint8Array({ minLength: 22, maxLength: 22 })
    fc.assert(
      fc.property(any, (bytes) => {
        expect(nonces.read(Buffer.from(bytes).toString('base64url'), NOW_MS)).toBeUndefined()
      }),
    )
  })
})

describe('URLs', () => {
  test.each([
    ['https://a.example', 'https://a.example/'],
    ['https://A.example:443/x?y#z', 'https://a.example/x'],
    ['http://a.example:80/x', 'http://a.example/x'],
    ['https://a.example/%7euser/%c3%a9', 'https://a.example/~user/%C3%A9'],
    ['https://a.example/a/../b//c/', 'https://a.example/b//c/'],
    ['https://a.example/%2F', 'https://a.example/%2F'],
  ])('%s is compared as %s', (url, comparable) => {
    expect(comparableUrl(url)).toBe(comparable)
    expect(comparableUrl(comparable)).toBe(comparable)
  })

  test.each([
    '/x',
    'a.example',
    'ftp://a.example/x',
    'https://user@a.example/',
    ' https://a.example',
    'https://a.example/\t',
    'https://é.example/',
    `https://a.example/${'x'.repeat(4096)}`,
    7,
    undefined,
  ])('%j is compared with nothing', (url) => {
    expect(comparableUrl(url)).toBeUndefined()
  })

  test.each([
    ['/x?y', ['https://a.example/x']],
    ['//evil.example/x', ['https://a.example//evil.example/x']],
    ['http://evil.example/x?y', ['https://a.example/x']],
    ['*', []],
    ['evil.example:443', []],
    [undefined, []],
  ])('the target %j has the URLs %j', (target, urls) => {
    expect(publicUrlsOf(target, ['https://a.example'])).toEqual(urls)
  })

  test('the sender of a request cannot choose the host', () => {
    fc.assert(
      fc.property(fc.string(), (target) => {
        for (const url of publicUrlsOf(target, ['https://a.example'])) {
          expect(new URL(url).host).toBe('a.example')
        }
      }),
    )
  })
})
