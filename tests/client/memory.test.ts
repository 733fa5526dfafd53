import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'

import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import {
  createClient,
  type Client,
  type ClientError,
  type TokenStorage,
} from '../../packages/client/src/index.ts'
import { portOf } from '../browser/proxy.ts'
import { ALICE, BOB, startAuthority, type ListeningAuthority } from './world.ts'

/** A request that arrived at a server in front of the authority, or at a foreign server. */
interface Seen {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly status: number
}

let authority: ListeningAuthority
let front: Server
let seen: Seen[]
let url: string
/** Answers requests for a path instead of the authority. */
let instead: Map<string, { status: number; headers?: Record<string, string>; body?: string }>
let stored: Map<string, string>
let storage: TokenStorage
let client: Client

beforeEach(async () => {
  authority = await startAuthority()
  seen = []
  instead = new Map()
  front = createServer((incoming, outgoing) => {
    void (async () => {
      const path = incoming.url ?? ''
      const chunks: Buffer[] = []
      for await (const chunk of incoming) chunks.push(chunk as Buffer)
      const answer = instead.get(path) ?? (await forward(incoming.method, path, incoming, chunks))
      seen.push({ path, headers: incoming.headers, status: answer.status })
      outgoing.writeHead(answer.status, answer.headers).end(answer.body)
    })().catch(() => outgoing.destroy()) // the test has ended
  })
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${portOf(front)}`
  stored = new Map()
  storage = {
    get: async (key) => stored.get(key) ?? null,
    set: async (key, value) => void stored.set(key, value),
    remove: async (key) => void stored.delete(key),
  }
  client = open()
})
afterEach(async () => {
  front.closeAllConnections()
  front.close()
  await authority[Symbol.asyncDispose]()
})

async function forward(
  method: string | undefined,
  path: string,
  { headers }: { headers: IncomingHttpHeaders },
  chunks: readonly Buffer[],
): Promise<{ status: number; headers: Record<string, string>; body: string }> {
  const { authorization, 'content-type': type } = headers
  const answer = await fetch(`${authority.url}${path}`, {
    method: method ?? 'GET',
    headers: {
      ...(authorization === undefined ? {} : { authorization }),
      ...(type === undefined ? {} : { 'content-type': type }),
    },
    ...(chunks.length === 0 ? {} : { body: Buffer.concat(chunks) }),
  })
  const body = await answer.text()
  return {
    status: answer.status,
    headers: { 'content-type': answer.headers.get('content-type') ?? '' },
    body,
  }
}

const open = (): Client => createClient({ authority: url, mode: 'memory', storage })
const me = async (by: Client = client): Promise<number> => (await by.fetch(`${url}/auth/me`)).status
const refreshes = (): number[] =>
  seen.filter(({ path }) => path === '/api/token/refresh/').map(({ status }) => status)
const failure = async (promise: Promise<unknown>): Promise<ClientError> =>
  promise.then(
    () => {
      throw new Error('it did not fail')
    },
    (error: ClientError) => error,
  )

describe('the mode memory', () => {
  test('logs in, stores only the refresh token, calls with the header and logs out', async () => {
    expect(await client.session()).toBeNull()
    expect(await client.login(ALICE)).toMatchObject({
      next: 'signed-in',
      session: { username: 'alice', permissions: [] },
      recoveryCodes: [],
    })
    expect([...stored.keys()]).toEqual([
      expect.stringMatching(/^countersign\.http-127\.0\.0\.1-\d+$/),
    ])
    expect(await me()).toBe(200)
    const { authorization } = seen.at(-1)!.headers
    expect(authorization).toMatch(/^Bearer eyJ/)
    expect(stored.values().next().value).not.toBe(authorization?.slice('Bearer '.length))

    await client.logout()
    expect(client.peek()).toBeNull()
    expect(stored.size).toBe(0)
    const old = await fetch(`${url}/auth/me`, { headers: { authorization: authorization! } })
    expect(old.status).toBe(401)
  })

  test('continues after a restart of the application', async () => {
    await client.login(ALICE)
    authority.it.clock.advanceMs(3 * 86_400_000)
    const restarted = open()
    expect(await restarted.session()).toMatchObject({ username: 'alice' })
    expect(await me(restarted)).toBe(200)
    expect(refreshes()).toEqual([200])
  })

  test('refreshes once for calls at the same time, and repeats each', async () => {
    await client.login(ALICE)
    authority.it.clock.advanceMs(400_000)
    expect(await Promise.all([me(), me(), me(), me(), me()])).toEqual([200, 200, 200, 200, 200])
    expect(refreshes()).toEqual([200])
  })

  test('repeats a call once only, whatever the API answers', async () => {
    await client.login(ALICE)
    instead.set('/api/odd', { status: 401 })
    seen = []
    expect((await client.fetch(`${url}/api/odd`)).status).toBe(401)
    expect(seen.filter(({ path }) => path === '/api/odd')).toHaveLength(2)
    expect(refreshes()).toEqual([200])
    expect(client.peek()).toMatchObject({ username: 'alice' })
  })

  test.each(['insufficient_user_authentication', 'credentials_invalid'])(
    'does not refresh after %s, which no refresh can cure',
    async (code) => {
      await client.login(ALICE)
      const headers = { 'content-type': 'application/problem+json' }
      instead.set('/api/odd', { status: 401, headers, body: JSON.stringify({ code }) })
      const answer = await client.fetch(`${url}/api/odd`)
      expect(await answer.json()).toEqual({ code })
      expect(refreshes()).toEqual([])
    },
  )

  test('does not repeat a call whose body is a stream, and returns the first answer', async () => {
    await client.login(ALICE)
    authority.it.clock.advanceMs(400_000)
    seen = []
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode('{}'))
        controller.close()
      },
    })
    const init = { method: 'POST', body, duplex: 'half' } as RequestInit
    expect((await client.fetch(`${url}/auth/sessions/end-others`, init)).status).toBe(401)
    expect(seen.map(({ path }) => path)).toEqual(['/auth/sessions/end-others'])
    expect(await me()).toBe(200)
  })

  test('logs out when the authority says that the session is over', async () => {
    await client.login(ALICE)
    const changes: unknown[] = []
    client.onChange((session) => changes.push(session))
    await authority.it.authority.sessions.end(client.peek()!.sid, 'test')
    expect(await me()).toBe(401)
    expect(client.peek()).toBeNull()
    expect(stored.size).toBe(0)
    expect(changes).toEqual([null])
    seen = []
    expect(await me()).toBe(401)
    expect(refreshes()).toEqual([])
  })

  test.each([
    ['503', { status: 503, headers: { 'retry-after': '30' } }, 503],
    ['a page of a proxy', { status: 502, body: '<html>' }, 502],
    ['401 of a captive portal', { status: 401, body: '<html>Log in to the hotel' }, 401],
    ['200 of a captive portal', { status: 200, body: '<html>Welcome' }, undefined],
  ])('%s during a refresh keeps the session', async (_name, answer, status) => {
    await client.login(ALICE)
    authority.it.clock.advanceMs(400_000)
    instead.set('/api/token/refresh/', answer)
    const failed = await failure(me())
    expect(failed).toMatchObject({ name: 'ClientError', code: 'unavailable', status })
    expect(client.peek()).toMatchObject({ username: 'alice' })
    expect(stored.size).toBe(1)
  })

  test('logs out on this device also without the authority, and says that its session goes on', async () => {
    await client.login(ALICE)
    instead.set('/api/token/blacklist/', { status: 503 })
    expect(await failure(client.logout())).toMatchObject({ code: 'unavailable', isTemporary: true })
    expect(client.peek()).toBeNull()
    expect(stored.size).toBe(0)
  })

  test('uses the newer refresh token that another window has stored', async () => {
    await client.login(ALICE)
    const other = open()
    expect(await other.session()).toMatchObject({ username: 'alice' })
    authority.it.clock.advanceMs(400_000)
    expect(await me(other)).toBe(200)
    expect(await me()).toBe(200)
    expect(await me(other)).toBe(200)
  })

  test('sends the access token to the listed origins, and to no other', async () => {
    const foreign: IncomingHttpHeaders[] = []
    const server = createServer((incoming, outgoing) => {
      foreign.push(incoming.headers)
      outgoing.writeHead(401).end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const elsewhere = `http://127.0.0.1:${portOf(server)}`
    await client.login(ALICE)
    expect((await client.fetch(`${elsewhere}/x`)).status).toBe(401)
    expect((await client.fetch(new Request(`${elsewhere}/x`), { method: 'POST' })).status).toBe(401)
    expect(foreign.map(({ authorization }) => authorization)).toEqual([undefined, undefined])
    expect(refreshes()).toEqual([])

    const trusting = createClient({ authority: url, mode: 'memory', origins: [elsewhere] })
    await trusting.login(BOB)
    await trusting.fetch(`${elsewhere}/x`, { headers: { 'x-own': 'kept' } })
    expect(foreign.at(-1)).toMatchObject({
      authorization: expect.stringMatching(/^Bearer /),
      'x-own': 'kept',
    })
    server.closeAllConnections()
    server.close()
  })
})
