import { createServer, type IncomingMessage, type Server } from 'node:http'

import { jwkThumbprint } from '@countersign/jwt'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { createDpop } from '../../packages/client/src/dpop.ts'
import { type Client, createClient } from '../../packages/client/src/index.ts'
import { createGuard, type DpopOptions, viewOfNode } from '../../packages/guard/src/index.ts'
import { freePort } from '../../packages/server/test/support/server-process.ts'
import { portOf } from '../browser/proxy.ts'
import { createOwnKey } from './dpop-key.ts'
import { ALICE, type ListeningAuthority, startAuthority } from './world.ts'

let authority: ListeningAuthority
let stored: Map<string, string>
const apis: Server[] = []

beforeEach(async () => {
  const port = await freePort()
  authority = await startAuthority(`http://127.0.0.1:${port}`, {}, port)
  stored = new Map()
})
afterEach(async () => {
  for (const api of apis.splice(0)) {
    api.closeAllConnections()
    api.close()
  }
  await authority[Symbol.asyncDispose]()
})

/** An API with a guard. `seen` has the requests that arrived. */
interface Api {
  readonly url: string
  readonly seen: IncomingMessage[]
}

async function startApi(dpop: Partial<DpopOptions> = {}): Promise<Api> {
  const seen: IncomingMessage[] = []
  const server = createServer((request, response) => {
    seen.push(request)
    void (async () => {
      const result = await guard.authenticate(viewOfNode(request))
      const { status, headers, body } = result.ok
        ? { status: 200, headers: {}, body: JSON.stringify(result.claims.cnf ?? null) }
        : guard.challenge(result)
      response.writeHead(status, headers).end(body)
    })()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  apis.push(server)
  const url = `http://127.0.0.1:${portOf(server)}`
  const guard = createGuard({
    issuer: authority.url,
    jwksUrl: `${authority.url}/.well-known/jwks.json`,
    onNotice: () => {},
    clock: () => authority.it.clock.nowMs(),
    dpop: { publicUrl: url, ...dpop },
  })
  await guard.ready()
  server.on('close', () => guard.close())
  return { url, seen }
}

function open(api: Api, dpop = createDpop({ clock: () => authority.it.clock.nowMs() })): Client {
  const storage = {
    get: async (key: string) => stored.get(key) ?? null,
    set: async (key: string, value: string) => void stored.set(key, value),
    remove: async (key: string) => void stored.delete(key),
  }
  return createClient({
    authority: authority.url,
    origins: [api.url],
    mode: 'memory',
    storage,
    dpop,
  })
}

const schemesOf = ({ seen }: Api): (string | undefined)[] =>
  seen.map(({ headers }) => headers.authorization?.split(' ')[0])

describe('a client with a key', () => {
  test('gets bound tokens, proves its key to services and to the authority, and refreshes', async () => {
    const api = await startApi()
    const { key, jkt } = await createOwnKey()
    const client = open(api, createDpop({ key, clock: () => authority.it.clock.nowMs() }))
    expect(await client.login(ALICE)).toMatchObject({ next: 'signed-in' })
    const answer = await client.fetch(`${api.url}/orders?a=1`)
    expect(answer.status).toBe(200)
    expect(await answer.json()).toEqual({ jkt })
    expect(schemesOf(api)).toEqual(['DPoP'])

    authority.it.clock.advanceMs(400_000)
    const posted = await client.fetch(`${api.url}/orders`, { method: 'POST', body: 'x' })
    expect(await posted.json()).toEqual({ jkt })
    expect((await client.fetch(`${authority.url}/auth/sessions`)).status).toBe(200)
    await client.logout()
    expect(stored.size).toBe(0)
  })

  test('has a key of its own that no script can read, if it is given none', async () => {
    const api = await startApi()
    const client = open(api)
    await client.login(ALICE)
    const { jkt } = (await (await client.fetch(`${api.url}/x`)).json()) as { jkt: string }
    expect(jkt).toMatch(/^[\w-]{43}$/)
    const proof = String(api.seen[0]?.headers['dpop'])
    const { jwk } = JSON.parse(Buffer.from(proof.split('.')[0] ?? '', 'base64url').toString())
    expect(jwkThumbprint(jwk)).toBe(jkt)
    expect(jwk).not.toHaveProperty('d')
  })

  test('whose tokens are stolen: they are useless without the key', async () => {
    const api = await startApi()
    const client = open(api)
    await client.login(ALICE)
    await client.fetch(`${api.url}/x`)
    const { authorization = '', dpop } = api.seen[0]?.headers ?? {}
    const token = authorization.slice('DPoP '.length)
    const [refresh = ''] = [...stored.values()]

    const send = async (headers: Record<string, string>): Promise<number> =>
      (await fetch(`${api.url}/x`, { headers })).status
    expect(await send({ authorization: `Bearer ${token}` })).toBe(401)
    expect(await send({ authorization: `DPoP ${token}` })).toBe(401)
    expect(await send({ authorization: `DPoP ${token}`, dpop: String(dpop) })).toBe(401)
    const atAuthority = async (scheme: string): Promise<number> =>
      (
        await fetch(`${authority.url}/auth/me`, {
          headers: { authorization: `${scheme} ${token}` },
        })
      ).status
    expect(await atAuthority('Bearer')).toBe(401)
    expect(await atAuthority('DPoP')).toBe(401)
    expect(authority.it.authority.verify(token)).toMatchObject({ ok: false, claim: 'cnf' })

    // Neither without a proof nor with one of another key does the refresh token give anything.
    const refreshAs = (send_: typeof createDpop | undefined): Promise<Response> =>
      (send_?.({ clock: () => authority.it.clock.nowMs() }) ?? fetch)(
        `${authority.url}/api/token/refresh/`,
        {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ refresh }),
        },
      )
    for (const thief of [undefined, createDpop]) {
      const refused = await refreshAs(thief)
      expect(refused.status).toBe(401)
      expect(await refused.json()).toMatchObject({ code: 'dpop_proof_invalid' })
    }
    // The attempts did not end the session of its holder.
    authority.it.clock.advanceMs(400_000)
    expect((await client.fetch(`${api.url}/x`)).status).toBe(200)
  })

  test('sends its first request with a nonce again, and the next ones with that nonce', async () => {
    const api = await startApi({ nonces: true })
    const client = open(api)
    await client.login(ALICE)
    const send = async (): Promise<number> =>
      (await client.fetch(`${api.url}/x`, { method: 'POST', body: 'text' })).status
    expect([await send(), await send(), await send()]).toEqual([200, 200, 200])
    expect(api.seen).toHaveLength(4)
    authority.it.clock.advanceMs(299_000)
    expect(await send()).toBe(200)
  })

  test('repeats a Request, and does not repeat a stream', async () => {
    const api = await startApi({ nonces: true })
    const { key } = await createOwnKey()
    const clock = (): number => authority.it.clock.nowMs()
    const client = open(api, createDpop({ key, clock }))
    await client.login(ALICE)
    const stream = new ReadableStream({ start: (controller) => controller.close() })
    const init = { method: 'POST', body: stream, duplex: 'half' } as RequestInit
    expect((await client.fetch(`${api.url}/x`, init)).status).toBe(401)
    expect(api.seen).toHaveLength(1)
    const other = await startApi({ nonces: true })
    // The application restarts with the same key.
    const second = open(other, createDpop({ key, clock }))
    expect(await second.session()).toMatchObject({ username: 'alice' })
    const request = new Request(`${other.url}/x`, { method: 'POST', body: 'text' })
    expect((await second.fetch(request)).status).toBe(200)
    expect(other.seen).toHaveLength(2)
  })

  test('may have a wrong clock, if the service has nonces', async () => {
    const api = await startApi({ nonces: { required: false } })
    const clock = (): number => authority.it.clock.nowMs() - 3_600_000
    const client = open(api, createDpop({ clock }))
    expect(await client.login(ALICE)).toMatchObject({ next: 'signed-in' })
    expect((await client.fetch(`${api.url}/x`)).status).toBe(200)
    authority.it.clock.advanceMs(400_000)
    expect((await client.fetch(`${api.url}/x`)).status).toBe(200)
    expect(await client.session({ reload: true })).toMatchObject({ username: 'alice' })
  })

  test('whose refresh is copied and sent again: the copy is refused, and the session lives on', async () => {
    const api = await startApi()
    const client = open(api)
    await client.login(ALICE)
    authority.it.clock.advanceMs(400_000)
    let copied: readonly [string, RequestInit | undefined] | undefined
    const original = globalThis.fetch
    globalThis.fetch = (input, init) => {
      if (typeof input === 'string' && input.endsWith('/refresh/')) copied = [input, init]
      return original(input, init)
    }
    expect((await client.fetch(`${api.url}/x`)).status).toBe(200)
    globalThis.fetch = original
    // Later than the grace, so that the refresh token alone would end the session.
    authority.it.clock.advanceMs(20_000)
    const [url = '', init = {}] = copied ?? []
    const { signal: _, ...request } = init
    const again = await fetch(url, request)
    expect(again.status).toBe(401)
    expect(await again.json()).toMatchObject({ code: 'dpop_proof_invalid' })
    expect(await client.session({ reload: true })).toMatchObject({ username: 'alice' })
  })

  test('that has lost its key is logged out', async () => {
    const api = await startApi()
    await open(api).login(ALICE)
    const restarted = open(api)
    expect(await restarted.session()).toBeNull()
    expect(stored.size).toBe(0)
  })

  test('asks once only, if a server demands another nonce each time', async () => {
    const api = await startApi({ nonces: { lifetimeSec: 10 } })
    let count = 0
    const strict = createServer((_request, response) => {
      count += 1
      const challenge = 'DPoP error="use_dpop_nonce"'
      response.writeHead(401, { 'www-authenticate': challenge, 'dpop-nonce': `n${count}` }).end()
    })
    await new Promise<void>((resolve) => strict.listen(0, '127.0.0.1', resolve))
    apis.push(strict)
    const send = createDpop()
    const url = `http://127.0.0.1:${portOf(strict)}/api/token/`
    const answer = await send(url, { method: 'POST', body: 'x' })
    expect(answer.status).toBe(401)
    expect(count).toBe(2)
    expect(api.seen).toEqual([])
  })

  test('gives no proof to others', async () => {
    const api = await startApi()
    const client = open(api)
    await client.login(ALICE)
    const foreign = await startApi()
    await client.fetch(`${foreign.url}/x`)
    expect(foreign.seen[0]?.headers).not.toHaveProperty('dpop')
    expect(foreign.seen[0]?.headers).not.toHaveProperty('authorization')
  })

  test('uses Bearer if its tokens are bound to no key', async () => {
    const api = await startApi()
    const plain = createClient({
      authority: authority.url,
      origins: [api.url],
      mode: 'memory',
    })
    await plain.login(ALICE)
    const answer = await plain.fetch(`${api.url}/x`)
    expect(await answer.json()).toBeNull()
    expect(schemesOf(api)).toEqual(['Bearer'])
  })
})

test.each([
  ['no proof at all', 'x'],
  ['an empty text', ''],
])('a login with %s gets no tokens', async (_what, dpop) => {
  const answer = await fetch(`${authority.url}/api/token/`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', dpop },
    body: JSON.stringify(ALICE),
  })
  expect(answer.status).toBe(401)
  expect(await answer.json()).toMatchObject({ code: 'dpop_proof_invalid' })
})

test('a stored key needs IndexedDB', () => {
  expect(() => createDpop({ key: 'stored' })).toThrow('IndexedDB')
})
