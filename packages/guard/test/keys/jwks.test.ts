import { createSecretKey, randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createGuard, type Guard, type GuardOptions, type JwksFault } from '../../src/index.ts'
import { FIRST_LOAD_BACKOFF_MS } from '../../src/keys/jwks-client.ts'
import { createTestKey, NOW_MS, TestIssuer } from '../support/issuer.ts'

let issuer: TestIssuer
let guard: Guard
let faults: string[]
/** The guard's own clock for waits, in milliseconds. */
let elapsedMs: number

function start(options: Partial<GuardOptions> = {}): Guard {
  guard = createGuard({
    issuer: issuer.url,
    clock: () => NOW_MS,
    elapsed: () => elapsedMs,
    onKeysError: (fault: JwksFault) => faults.push(fault.code),
    ...options,
  })
  return guard
}

beforeEach(async () => {
  issuer = await new TestIssuer().start()
  faults = []
  elapsedMs = 0
})

afterEach(async () => {
  guard.close()
  await issuer.stop()
})

describe('loading', () => {
  test('the first token fetches the keys, and later tokens are verified at once', async () => {
    start()
    const first = guard.verify(issuer.token())
    expect(first).toBeInstanceOf(Promise)
    expect(await first).toMatchObject({ ok: true, claims: { sub: 'acc-1' } })
    expect(guard.verify(issuer.token())).toMatchObject({ ok: true })
    expect(guard.verify('x')).toMatchObject({ ok: false, code: 'token_invalid' })
    expect(issuer.requests).toBe(1)
  })

  test('creating a guard fetches nothing', async () => {
    start()
    await sleep(50)
    expect(issuer.requests).toBe(0)
  })

  test('100 first requests share one fetch', async () => {
    start()
    const tokens = Array.from({ length: 100 }, (_, n) => issuer.token({ sub: `acc-${n}` }))
    const results = await Promise.all(tokens.map(async (token) => guard.verify(token)))
    expect(results.every((result) => result.ok)).toBe(true)
    expect(issuer.requests).toBe(1)
  })

  test('ready waits for the keys, and a second call fetches nothing', async () => {
    start()
    await Promise.all([guard.ready(), guard.ready()])
    await guard.ready()
    expect(issuer.requests).toBe(1)
    expect(guard.verify(issuer.token())).toMatchObject({ ok: true })
  })

  test('jwksUrl can be another URL', async () => {
    issuer.answer = (request, response) =>
      request.url === '/keys?v=1' ? response.end(issuer.jwks()) : response.writeHead(404).end()
    start({ jwksUrl: `${issuer.url}/keys?v=1` })
    await guard.ready()
  })

  test('an issuer with a trailing slash has its keys at the same URL', async () => {
    start({ issuer: `${issuer.url}/` })
    await guard.ready()
    expect(issuer.requests).toBe(1)
  })

  test('unknown kinds of keys and shared secrets are skipped', async () => {
    const k = createSecretKey(randomBytes(32)).export().toString('base64url')
    const odd = [
      { kty: 'AKP', alg: 'ML-DSA-44', kid: 'pq', pub: 'AA' },
      { kty: 'EC', crv: 'secp256k1', alg: 'ES256K', kid: 'k1', x: 'AA', y: 'AA' },
      { kty: 'oct', alg: 'HS256', kid: 'secret', k },
      { kty: 'XYZ' },
      7,
      null,
    ]
    issuer.answer = (_request, response) =>
      response.end(JSON.stringify({ keys: [...odd, issuer.key.jwk] }))
    start()
    expect(await guard.verify(issuer.token())).toMatchObject({ ok: true })
    expect(await guard.verify(issuer.token({}, { alg: 'HS256', kid: 'secret' }))).toMatchObject({
      reason: 'key_unknown',
    })
  })
})

describe('an issuer that is down', () => {
  test('results in keys_unavailable, and is retried after 250 ms, 500 ms, ... 30 s', async () => {
    await issuer.stop()
    start()
    expect(await guard.verify('x')).toMatchObject({ code: 'keys_unavailable', retryAfterSec: 1 })

    for (const waitMs of [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]) {
      const before = faults.length
      elapsedMs += waitMs - 1
      const early = guard.verify('x')
      expect(early).toEqual({
        ok: false,
        code: 'keys_unavailable',
        reason: 'keys_unavailable',
        retryAfterSec: 1,
      })
      elapsedMs += 1
      expect(await guard.verify('x')).toMatchObject({ code: 'keys_unavailable' })
      expect(faults.length - before).toBe(1)
    }
    expect(guard.verify('x')).toMatchObject({ retryAfterSec: 30 })
    expect(new Set(faults)).toEqual(new Set(['jwks_unreachable']))
  })

  test('is used as soon as it answers', async () => {
    await issuer.stop()
    start()
    await expect(guard.ready()).rejects.toMatchObject({ name: 'JwksFault' })
    await issuer.start()
    await expect(guard.ready()).rejects.toMatchObject({ code: 'jwks_unreachable' })
    elapsedMs += 250
    expect(await guard.verify(issuer.token())).toMatchObject({ ok: true })
  })

  test('does not cause loaded keys to be dropped', async () => {
    start()
    await guard.ready()
    await issuer.stop()
    expect(await guard.verify(issuer.token({}, {}, createTestKey()))).toMatchObject({
      code: 'token_invalid',
      reason: 'key_unknown',
    })
    expect(faults).toEqual(['jwks_unreachable'])
    expect(guard.verify(issuer.token())).toMatchObject({ ok: true })
  })

  test('keys are dropped after keysMaxAgeMs', async () => {
    start({ keysMaxAgeMs: 60_000 })
    await guard.ready()
    await issuer.stop()
    elapsedMs = 60_001
    await guard.verify(issuer.token({}, {}, createTestKey()))
    expect(faults).toEqual(['jwks_too_old', 'jwks_unreachable'])
    expect(guard.verify(issuer.token())).toMatchObject({ code: 'keys_unavailable' })

    await issuer.start()
    elapsedMs += 250
    expect(await guard.verify(issuer.token())).toMatchObject({ ok: true })
  })
})

type Answer = NonNullable<TestIssuer['answer']>

function text(body: string | Buffer): Answer {
  return (_request, response) => response.end(body)
}

describe('an answer that is not a key set', () => {
  const huge: Answer = (_request, response) => {
    const chunk = Buffer.alloc(1024 * 1024, ' ')
    let left = 10
    const write = (): void => {
      if (left-- === 0) return void response.end(issuer.jwks())
      response.write(chunk, write)
    }
    write()
  }
  const answers: ReadonlyArray<readonly [name: string, fault: string, answer: Answer]> = [
    ['404', 'jwks_status', (_request, response) => response.writeHead(404).end(issuer.jwks())],
    ['500', 'jwks_status', (_request, response) => response.writeHead(500).end(issuer.jwks())],
    ['204', 'jwks_status', (_request, response) => response.writeHead(204).end()],
    ...[301, 302, 303, 307, 308].map((status): [string, string, Answer] => [
      `${status}`,
      'jwks_redirected',
      (request, response) =>
        request.url === '/moved'
          ? response.end(issuer.jwks())
          : response.writeHead(status, { location: '/moved' }).end(),
    ]),
    ['10 MB', 'jwks_too_large', huge],
    ['64 KiB and a byte', 'jwks_too_large', text(' '.repeat(64 * 1024 + 1))],
    ['an empty body', 'jwks_malformed', text('')],
    ['half of a set', 'jwks_malformed', text('{"keys":[')],
    ['HTML', 'jwks_malformed', text('<!doctype html>')],
    ['invalid UTF-8', 'jwks_malformed', text(Buffer.from([0x22, 0xff, 0x22]))],
    ['members twice', 'jwks_malformed', text('{"keys":[],"keys":[]}')],
    ['deep nesting', 'jwks_malformed', text('['.repeat(20_000))],
    ['an array', 'jwks_without_keys', text('[]')],
    ['null', 'jwks_without_keys', text('null')],
    ['another object', 'jwks_without_keys', text('{"error":"x"}')],
    ['keys that are not an array', 'jwks_without_keys', text('{"keys":{}}')],
    ['an empty set', 'jwks_without_keys', text('{"keys":[]}')],
    ['only unknown keys', 'jwks_without_keys', text('{"keys":[{"kty":"XYZ"}]}')],
    ['a reset connection', 'jwks_unreachable', (request) => request.socket.destroy()],
    [
      'no answer in time',
      'jwks_timeout',
      () => {
        // Never answers.
      },
    ],
    [
      'a body that never ends',
      'jwks_timeout',
      (_request, response) => void response.writeHead(200).write('{"keys":['),
    ],
  ]

  // Only an answer that never comes needs a short limit. Any other would reach it on a busy machine.
  const limitFor = (fault: string): Partial<GuardOptions> =>
    fault === 'jwks_timeout' ? { fetchTimeoutMs: 150 } : { fetchTimeoutMs: 30_000 }

  /** Loads the keys. On a busy machine, a fetch with a short limit may need several tries. */
  const loaded = async (): Promise<void> => {
    const isReady = (): Promise<boolean> =>
      guard.ready().then(
        () => true,
        () => false,
      )
    while (!(await isReady())) elapsedMs += FIRST_LOAD_BACKOFF_MS.last
    faults.length = 0
  }

  test.each(answers)('first load: %s causes %s', async (_name, fault, answer) => {
    issuer.answer = answer
    start(limitFor(fault))
    expect(await guard.verify(issuer.token())).toMatchObject({ code: 'keys_unavailable' })
    expect(faults).toEqual([fault])
    // On a busy machine, the time may be over before the request has left.
    if (fault !== 'jwks_timeout') expect(issuer.requests).toBe(1)
  })

  test.each(answers)('later: %s keeps the old keys (%s)', async (_name, fault, answer) => {
    start(limitFor(fault))
    await loaded()
    issuer.answer = answer
    const other = issuer.token({}, {}, createTestKey())
    expect(await guard.verify(other)).toMatchObject({ reason: 'key_unknown' })
    expect(faults).toEqual([fault])
    expect(guard.verify(issuer.token())).toMatchObject({ ok: true })
  })

  test('a custom fetch that ignores the signal still ends', async () => {
    start({ fetchTimeoutMs: 50, fetch: () => new Promise(() => {}) })
    await expect(guard.ready()).rejects.toMatchObject({ code: 'jwks_timeout' })
  })
})

describe('unknown keys', () => {
  test('a new key is fetched when its first token arrives', async () => {
    start()
    await guard.ready()
    const old = issuer.token()
    issuer.keys.push(createTestKey())
    const result = guard.verify(issuer.token())
    expect(result).toBeInstanceOf(Promise)
    expect(await result).toMatchObject({ ok: true })
    expect(guard.verify(old)).toMatchObject({ ok: true })
    expect(issuer.requests).toBe(2)
  })

  test.each([0, 8192])(
    'a token of a key that left the set is refused after the next fetch',
    async (size) => {
      start({ cacheEntriesMax: size })
      await guard.ready()
      const old = issuer.token()
      expect(guard.verify(old)).toMatchObject({ ok: true })
      issuer.keys = [createTestKey()]
      expect(await guard.verify(issuer.token())).toMatchObject({ ok: true })
      expect(guard.verify(old)).toMatchObject({ code: 'token_invalid', reason: 'key_unknown' })
    },
  )

  test('10 000 random kids cause one fetch in 30 s', async () => {
    start()
    await guard.ready()
    const stranger = createTestKey()
    const template = issuer.token({}, {}, stranger).split('.')
    const storm = () => {
      const kid = randomBytes(16).toString('base64url')
      const header = Buffer.from(JSON.stringify({ alg: 'ES256', typ: 'at+jwt', kid }))
      return guard.verify([header.toString('base64url'), ...template.slice(1)].join('.'))
    }
    const results = await Promise.all(Array.from({ length: 10_000 }, async () => storm()))
    expect(results.every((result) => !result.ok && result.reason === 'key_unknown')).toBe(true)
    expect(issuer.requests).toBe(2)

    elapsedMs += 29_999
    expect(storm()).toMatchObject({ reason: 'key_unknown' })
    elapsedMs += 1
    await storm()
    expect(issuer.requests).toBe(3)
  })

  test.each<unknown>(['../../etc/passwd', "' OR 1=1--", 'x'.repeat(10_240), 'a\u0000b', ['x'], 7])(
    'an odd kid fetches nothing: %j',
    async (kid) => {
      start()
      await guard.ready()
      expect(guard.verify(issuer.token({}, { kid }))).toMatchObject({ code: 'token_invalid' })
      expect(issuer.requests).toBe(1)
    },
  )

  test('URLs in a header are never fetched', async () => {
    start()
    await guard.ready()
    const header = { jku: `${issuer.url}/jku`, x5u: `${issuer.url}/x5u`, jwk: issuer.key.jwk }
    await guard.verify(issuer.token({}, header, { ...createTestKey(), kid: issuer.key.kid }))
    expect(issuer.requests).toBe(1)
  })
})

describe('the background refresh', () => {
  test('replaces the keys without any request', async () => {
    start({ refreshIntervalMs: 1000, random: () => 0 })
    await guard.ready()
    const old = issuer.token()
    issuer.keys = [createTestKey()]
    await vi.waitFor(() => expect(issuer.requests).toBeGreaterThan(1), { timeout: 10_000 })
    await vi.waitFor(() => expect(guard.verify(issuer.token())).toMatchObject({ ok: true }), {
      timeout: 10_000,
    })
    expect(await guard.verify(old)).toMatchObject({ reason: 'key_unknown' })
  })

  test('continues after a failure, even if onKeysError throws', async () => {
    start({
      refreshIntervalMs: 1000,
      random: () => 0,
      onKeysError: (fault) => {
        faults.push(fault.code)
        throw new Error('of the application')
      },
    })
    await guard.ready()
    issuer.answer = (_request, response) => response.writeHead(500).end()
    await vi.waitFor(() => expect(faults).toContain('jwks_status'), { timeout: 10_000 })
    issuer.answer = undefined
    await vi.waitFor(() => expect(issuer.requests).toBeGreaterThan(2), { timeout: 10_000 })
    expect(guard.verify(issuer.token())).toMatchObject({ ok: true })
  })

  test('ends with close, and the keys still verify', async () => {
    start({ refreshIntervalMs: 1000, random: () => 0 })
    await guard.ready()
    guard.close()
    await sleep(1200)
    expect(issuer.requests).toBe(1)
    expect(guard.verify(issuer.token())).toMatchObject({ ok: true })
    expect(guard.verify(issuer.token({}, {}, createTestKey()))).toMatchObject({ ok: false })
    expect(issuer.requests).toBe(1)
  })

  test('close ends a running fetch without a fault', async () => {
    issuer.answer = () => {
      // Never answers.
    }
    start()
    const waiting = guard.verify(issuer.token())
    await vi.waitFor(() => expect(issuer.requests).toBe(1), { timeout: 10_000 })
    guard.close()
    expect(await waiting).toMatchObject({ code: 'keys_unavailable' })
    expect(faults).toEqual([])
  })
})
