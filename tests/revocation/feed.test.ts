import { createServer, request } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'

import { closeWithSession, createGuard, type FeedFault, type Guard } from '@countersign/guard'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { freePort } from '../../scripts/lib/processes.ts'
import { decide, runAuthority, until, type RunningAuthority } from './support.ts'

/**
 * In milliseconds. The promise is a second, and `npm run bench -- revocation` measures it. A busy machine may take longer
 * here, but not as long as a lease, which would also end the token.
 */
const IN_FORCE_MS = 20_000

describe.each(['websocket', 'polling'] as const)('a guard with the feed over %s', (transport) => {
  let it: RunningAuthority
  let guard: Guard
  beforeAll(async () => {
    it = await runAuthority()
    guard = await it.guard({ feed: { ...it.feed, transport } })
  })
  afterAll(() => it[Symbol.asyncDispose]())

  test('refuses the tokens of a session that has logged out', async () => {
    const { access, refresh } = await it.login()
    expect(decide(guard, access)).toBe('ok')
    expect((await it.post('/api/token/blacklist/', { refresh })).status).toBe(200)
    expect(await until('session_ended', () => decide(guard, access))).toBeLessThan(IN_FORCE_MS)
  })

  test('refuses every session of a disabled account, and no other session', async () => {
    const first = await it.login('bob')
    const second = await it.login('bob')
    const other = await it.login('carol')
    await it.authority.accounts.disable('bob', 'test')
    expect(await until('session_ended', () => decide(guard, first.access))).toBeLessThan(
      IN_FORCE_MS,
    )
    expect(decide(guard, second.access)).toBe('session_ended')
    expect(decide(guard, other.access)).toBe('ok')
  })

  test('refuses the tokens of a deleted account', async () => {
    const { access } = await it.login('ivan')
    await it.authority.accounts.delete('ivan', 'test')
    expect(await until('session_ended', () => decide(guard, access))).toBeLessThan(IN_FORCE_MS)
  })

  test('answers token_stale after a change of roles, and accepts the next token', async () => {
    const { access, refresh } = await it.login('dave')
    await it.authority.accounts.addRole('dave', 'editor', 'test')
    expect(await until('token_stale', () => decide(guard, access))).toBeLessThan(IN_FORCE_MS)
    const next = (await (await it.post('/api/token/refresh/', { refresh })).json()) as {
      access: string
    }
    expect(decide(guard, next.access)).toBe('ok')
  })

  test('accepts a permission as soon as the role has it, with the same token', async () => {
    await it.login('erin')
    await it.authority.accounts.addRole('erin', 'printer', 'test')
    const { access } = await it.login('erin')
    const route = guard.route({ permissions: ['pages:print'] })
    const ask = (): string => {
      const result = route.authenticate({
        method: 'GET',
        values: (name) => (name === 'authorization' ? [`Bearer ${access}`] : []),
      })
      if (!('ok' in result)) throw new Error('a promise')
      return result.ok ? 'ok' : result.code
    }
    expect(ask()).toBe('permission_missing')
    await it.authority.roles.define({ name: 'printer', permissions: ['pages:print'] }, 'test')
    expect(await until('ok', ask)).toBeLessThan(IN_FORCE_MS)
    await it.authority.roles.define({ name: 'printer', permissions: [] }, 'test')
    expect(await until('permission_missing', ask)).toBeLessThan(IN_FORCE_MS)
  })

  test('closes a WebSocket whose session ends', async () => {
    const { access, refresh } = await it.login('frank')
    const closed = new Promise<[number, string]>((resolve) => {
      closeWithSession(guard, { close: (code, reason) => resolve([code, reason]) }, access)
    })
    await it.post('/api/token/blacklist/', { refresh })
    expect(await closed).toEqual([4401, 'session_ended'])
  })

  test('reports its metrics', () => {
    const { feed, verified, refused } = guard.metrics()
    expect(verified).toBeGreaterThan(0)
    expect(refused.session_ended).toBeGreaterThan(0)
    expect(feed?.connected).toBe(true)
    expect(feed?.leaseAgeMs).toBeLessThan(30_000)
    expect(feed?.position).toBeGreaterThan(0)
    expect(guard.isFresh('strict')).toBe(true)
  })

  test('resumes after a restart of the authority, and gets the revocations of the meantime', async () => {
    const { access } = await it.login('grace')
    const { access: kept } = await it.login('heidi')
    expect(decide(guard, access)).toBe('ok')
    await it.stop()
    // With the policy bounded, the guard accepts by its last state for 30 s.
    expect(decide(guard, access)).toBe('ok')
    await it.start()
    await it.authority.accounts.disable('grace', 'test')
    await until('session_ended', () => decide(guard, access), 15_000)
    expect(decide(guard, kept)).toBe('ok')
  })
})

test('a guard whose service account is disabled loses the feed', async () => {
  await using it = await runAuthority()
  const faults: string[] = []
  const guard = await it.guard({ onFeedError: ({ code }) => faults.push(code), policy: 'strict' })
  const { access } = await it.login()
  expect(decide(guard, access)).toBe('ok')
  await it.authority.clients.disable('guards', 'test')
  await until('revocations_unavailable', () => decide(guard, access))
  expect(guard.isFresh()).toBe(false)
  await until('feed_unauthorized', () => faults.at(-1) ?? '')
})

test('a guard with a shared secret can use the feed', async () => {
  const sharedSecret = 'u7Qp0sVb3mX9Lk2TzR5eWn8YcA1dGf4H'
  await using own = await runAuthority({ sharedSecret })
  const guard = await own.guard({ sharedSecret })
  const { access, refresh } = await own.login()
  expect(decide(guard, access)).toBe('ok')
  await own.post('/api/token/blacklist/', { refresh })
  expect(await until('session_ended', () => decide(guard, access))).toBeLessThan(IN_FORCE_MS)
})

test('a wrong secret and an unreachable authority cause one notice each, with the reason', async () => {
  await using own = await runAuthority()
  const notices: string[] = []
  const onNotice = (text: string): void => void notices.push(text)
  const feed = { ...own.feed, clientSecret: 'wrong' }
  const wrong = createGuard({ issuer: own.url, feed, onNotice })
  const nowhere = `http://127.0.0.1:${await freePort()}`
  const alone = createGuard({ issuer: nowhere, feed, onNotice, readyTimeoutMs: 1_000 })
  // A longer wait would not help.
  const from = performance.now()
  await expect(wrong.ready()).rejects.toMatchObject({ code: 'feed_unauthorized' })
  expect(performance.now() - from).toBeLessThan(20_000)
  await expect(alone.ready()).rejects.toMatchObject({ code: 'feed_unreachable' })
  wrong.close()
  alone.close()
  expect(notices.toSorted()).toEqual([
    `The revocation feed cannot be reached (ECONNREFUSED). The guard of ${nowhere} retries automatically.`,
    expect.stringMatching(/^The service account or its secret is wrong.* retries automatically\.$/),
  ])
})

test('a service with a wrong secret does not block others behind the same address', async () => {
  await using own = await runAuthority({ throttle: 'source=2/15m' })
  const faults: { code: string; retryAfterMs: number }[] = []
  const onFeedError = ({ code, ...fault }: FeedFault): void => {
    faults.push({ code, retryAfterMs: fault.retryAfterMs })
  }
  const wrong = { ...own.feed, transport: 'polling' as const, clientSecret: 'wrong' }
  for (let at = 0; at < 3; at += 1) {
    const guard = createGuard({ issuer: own.url, feed: wrong, onFeedError })
    await expect(guard.ready()).rejects.toBeInstanceOf(Error)
    guard.close()
  }
  expect(faults.map(({ code }) => code)).toEqual([
    'feed_unauthorized',
    'feed_unauthorized',
    'feed_throttled',
  ])
  expect(faults[2]?.retryAfterMs).toBeGreaterThan(400_000)
  const right = await own.guard({ feed: { ...own.feed, transport: 'polling' } })
  expect(right.isFresh('strict')).toBe(true)
})

test('another name for the same address fails at once, with that reason', async () => {
  await using own = await runAuthority()
  for (const issuer of [own.url.replace('127.0.0.1', 'localhost'), `${own.url}/`]) {
    const guard = createGuard({ issuer, feed: own.feed, onFeedError: () => {} })
    const from = performance.now()
    await expect(guard.ready()).rejects.toMatchObject({
      code: 'feed_issuer_differs',
      message: expect.stringContaining(
        `the authority is "${own.url}", the option issuer is "${issuer}"`,
      ),
    })
    expect(performance.now() - from).toBeLessThan(20_000)
    guard.close()
  }
})

test('calling only isFresh makes a guard connect and become fresh', async () => {
  await using own = await runAuthority()
  const withFeed = createGuard({ issuer: own.url, feed: own.feed })
  const without = createGuard({ issuer: own.url, onNotice: () => {} })
  for (const guard of [withFeed, without]) {
    expect(guard.isFresh('strict')).toBe(false)
    await until('true', () => String(guard.isFresh('strict')))
    guard.close()
  }
})

test("a guard in the authority's process needs no service account and no network", async () => {
  await using own = await runAuthority()
  const faults: string[] = []
  const onFeedError = ({ code }: FeedFault): void => void faults.push(code)
  const nowhere = (): never => {
    throw new Error('there is no network')
  }
  const guard = await own.guard({ feed: own.authority.feed, fetch: nowhere, onFeedError })
  const { access, refresh } = await own.login()
  expect(decide(guard, access)).toBe('ok')
  await own.post('/api/token/blacklist/', { refresh })
  expect(await until('session_ended', () => decide(guard, access))).toBeLessThan(IN_FORCE_MS)
  expect(faults).toEqual([])

  const { access: last } = await own.login()
  await own.stop()
  await until('feed_unreachable', () => faults.at(-1) ?? 'none')
  expect(decide(guard, last)).toBe('ok')
  expect(guard.metrics().feed?.connected).toBe(false)
  await own.start()
})

test('a disabled service account receives nothing more, even if its connection never asks for an echo', async () => {
  await using own = await runAuthority()
  const { clientId, clientSecret } = own.feed
  const basic = Buffer.from(`${clientId}:${clientSecret}`).toString('base64')
  const url = `${own.url.replace('http', 'ws')}/revocations/feed?guard=a-guard-of-somebody`
  const socket = new WebSocket(url, { headers: { authorization: `Basic ${basic}` } })
  const heard: string[] = []
  socket.addEventListener('message', ({ data }) => heard.push(String(data)))
  await new Promise((resolve) => socket.addEventListener('open', resolve))
  const closed = new Promise((resolve) => socket.addEventListener('close', resolve))
  socket.send(JSON.stringify({ type: 'resume' }))
  const { refresh } = await own.login('alice')
  await own.post('/api/token/blacklist/', { refresh })
  await expect.poll(() => heard.join()).toContain('"session"')
  heard.length = 0

  await own.authority.clients.disable('guards', 'test')
  const other = await own.login('bob')
  await own.post('/api/token/blacklist/', { refresh: other.refresh })
  await closed
  expect(heard).toEqual([])
})

describe('a client that abuses the feed', () => {
  test('by requesting the log again and again is disconnected, and others are served', async () => {
    await using own = await runAuthority()
    const { clientId, clientSecret } = own.feed
    const basic = Buffer.from(`${clientId}:${clientSecret}`).toString('base64')
    const headers = { authorization: `Basic ${basic}` }
    const name = 'a-guard-of-somebody'
    const url = `${own.url.replace('http', 'ws')}/revocations/feed?guard=${name}`
    for (const message of [
      { type: 'resume' },
      { type: 'nonce', nonce: 'n'.repeat(22), applied: 0 },
    ]) {
      const socket = new WebSocket(url, { headers })
      await new Promise((resolve) => socket.addEventListener('open', resolve))
      const closed = new Promise<number>((resolve) => {
        socket.addEventListener('close', ({ code }) => resolve(code))
      })
      for (let count = 0; count < 500; count++) socket.send(JSON.stringify(message))
      expect(await closed).toBe(1013)
    }
    const said = async (messages: readonly object[]): Promise<number> =>
      (
        await fetch(`${own.url}/revocations`, {
          method: 'POST',
          headers: { ...headers, 'content-type': 'application/json', connection: 'close' },
          body: JSON.stringify({ guard: name, messages }),
        })
      ).status
    expect(await said([{ type: 'resume' }])).toBe(400)
    expect(await said(Array.from({ length: 17 }, () => ({ type: 'applied', position: 0 })))).toBe(
      400,
    )
    expect(await said([{ type: 'applied', position: 0 }])).toBe(204)
    expect((await own.guard()).isFresh('strict')).toBe(true)
  })

  test('by sending too much gets 413, and by sending long nonsense is disconnected', async () => {
    await using own = await runAuthority()
    const { clientId, clientSecret } = own.feed
    const basic = Buffer.from(`${clientId}:${clientSecret}`).toString('base64')
    const headers = { authorization: `Basic ${basic}` }
    const post = async (body: string | ReadableStream): Promise<Response> =>
      fetch(`${own.url}/revocations`, { method: 'POST', headers, body, duplex: 'half' })
    const long = 'x'.repeat(17 * 2 ** 20)
    for (const body of [long, new Blob([long]).stream()]) {
      const answer = await post(body)
      expect(answer.status).toBe(413)
      expect(await answer.json()).toMatchObject({
        code: 'body_too_large',
        detail: 'The body is larger than 8 MiB.',
      })
    }
    const nonsense = `{"type":"evidence","batches":[${'{},'.repeat(2_000_000)}{}]}`
    expect((await post(`{"guard":"a-guard-of-somebody","messages":[${nonsense}]}`)).status).toBe(
      400,
    )

    const url = `${own.url.replace('http', 'ws')}/revocations/feed?guard=a-guard-of-somebody`
    const socket = new WebSocket(url, { headers })
    await new Promise((resolve) => socket.addEventListener('open', resolve))
    const closed = new Promise<number>((resolve) => {
      socket.addEventListener('close', ({ code }) => resolve(code))
    })
    socket.send(nonsense)
    expect(await closed).toBe(1008)
    expect((await own.guard()).isFresh('strict')).toBe(true)
  })

  test('by keeping a refused connection open does not delay anything, not even the shutdown', async () => {
    await using own = await runAuthority()
    const { hostname, port } = new URL(own.url)
    const held = await Promise.all(
      Array.from({ length: 3 }, async () => {
        const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true })
        const answered = new Promise((resolve) => socket.once('data', resolve))
        socket.on('error', () => {})
        socket.write(
          'GET /revocations/feed?guard=a-guard-of-somebody HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
        )
        expect(String(await answered)).toMatch(/^HTTP\/1\.1 401 /)
        return socket
      }),
    )
    const from = performance.now()
    await own.stop()
    expect(performance.now() - from).toBeLessThan(20_000)
    for (const socket of held) socket.destroy()
    await own.start()
  })
})

test('after a restart of the authority a guard does not keep polling', async () => {
  await using own = await runAuthority()
  let lastPollAt = 0
  const guard = await own.guard({
    fetch: (...asked) => {
      lastPollAt = performance.now()
      return fetch(...asked)
    },
  })
  expect(lastPollAt).toBe(0)
  await own.stop()
  await expect.poll(() => lastPollAt).toBeGreaterThan(0)
  await own.start()
  await expect.poll(() => guard.isFresh('strict')).toBe(true)
  // Each poll waits at most one second.
  await expect.poll(() => performance.now() - lastPollAt).toBeGreaterThan(2_500)
  expect(guard.isFresh('strict')).toBe(true)
})

test('a WebSocket that never opens does not keep a guard from polling', async () => {
  await using own = await runAuthority()
  const upgrades: Socket[] = []
  // A proxy that drops upgrade requests and forwards everything else.
  const proxy = createServer((incoming, outgoing) => {
    const { headers, method } = incoming
    const target = request(`${own.url}${incoming.url ?? ''}`, { headers, method: method ?? 'GET' })
    target.on('response', (answer) => {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers)
      answer.pipe(outgoing)
    })
    target.on('error', () => outgoing.destroy())
    incoming.pipe(target)
  })
  proxy.on('upgrade', (_incoming, socket: Socket) => void upgrades.push(socket))
  await new Promise<void>((resolve) => {
    proxy.listen(0, '127.0.0.1', resolve)
  })
  const { port } = proxy.address() as AddressInfo
  const guard = await own.guard({ feed: { ...own.feed, url: `http://127.0.0.1:${port}` } })
  expect(upgrades).toHaveLength(1)
  expect(guard.isFresh('strict')).toBe(true)
  guard.close()
  for (const socket of upgrades) socket.destroy()
  proxy.closeAllConnections()
  proxy.close()
})
