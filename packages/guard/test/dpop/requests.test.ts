import { createServer } from 'node:http'

import express from 'express'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'

import * as onExpress from '../../src/adapters/express.ts'
import {
  combineGuards,
  createAuthenticator,
  createGuard,
  csrfHash,
  type DpopOptions,
  type Guard,
  type GuardOptions,
  type Refused,
  resourceMetadata,
  watchToken,
} from '../../src/index.ts'
import { athOf, DpopHolder } from '../support/dpop.ts'
import { NOW_MS, NOW_SEC, TestIssuer } from '../support/issuer.ts'
import { listen, sendRaw, type Service, services } from '../support/services.ts'

const PUBLIC_URL = 'https://api.example'
const ALGS = 'ES256 Ed25519 EdDSA PS256 RS256 ES384 ES512 PS384 PS512 RS384 RS512'

const issuer = new TestIssuer()
const holder = new DpopHolder()
const thief = new DpopHolder()
let refused: Refused[] = []
let notices: string[] = []
let now = NOW_MS

function newGuard(dpop?: Partial<DpopOptions>, options: Partial<GuardOptions> = {}): Guard {
  return createGuard({
    issuer: issuer.url,
    clock: () => now,
    onRefused: (refusal) => refused.push(refusal),
    onNotice: (text) => notices.push(text),
    ...(dpop === undefined ? {} : { dpop: { publicUrl: PUBLIC_URL, ...dpop } }),
    ...options,
  })
}

beforeAll(() => issuer.start())
afterAll(() => issuer.stop())
beforeEach(() => {
  refused = []
  notices = []
  now = NOW_MS
})

const bound = (changes: object = {}): string =>
  issuer.token({ cnf: { jkt: holder.jkt }, ...changes })

/** Makes the proof for a request with a token. */
function proofFor(token: string, path: string, changes: object = {}, by = holder): string {
  return by.proof({ htu: `${PUBLIC_URL}${path}`, ath: athOf(token), ...changes })
}

interface Answer {
  readonly status: number
  readonly code: string | undefined
  readonly challenge: string | null
  readonly nonce: string | null
  readonly body: Record<string, unknown>
}

async function read(response: Response): Promise<Answer> {
  const body = (await response.json()) as Record<string, unknown>
  return {
    status: response.status,
    code: typeof body['code'] === 'string' ? body['code'] : undefined,
    challenge: response.headers.get('www-authenticate'),
    nonce: response.headers.get('dpop-nonce'),
    body,
  }
}

async function get(
  { origin }: Pick<Service, 'origin'>,
  path: string,
  headers: Record<string, string>,
  method = 'GET',
): Promise<Answer> {
  return read(await fetch(`${origin}${path}`, { method, headers }))
}

describe.each(Object.entries(services))('%s', (_name, start) => {
  let guard: Guard
  let service: Service
  beforeAll(async () => {
    guard = newGuard({})
    service = await start(guard)
  })
  afterAll(async () => {
    guard.close()
    await service.close()
  })

  test('a bound token with its proof passes, and its claims are available', async () => {
    const token = bound()
    const dpop = proofFor(token, '/me')
    const me = await get(service, '/me?a=1', { authorization: `DPoP ${token}`, dpop })
    expect(me.status).toBe(200)
    expect(me.body).toEqual({ ...issuer.claims(), cnf: { jkt: holder.jkt } })
    const post = proofFor(token, '/note', { htm: 'POST' })
    const noted = await get(
      service,
      '/note',
      { authorization: `dpop ${token}`, dpop: post },
      'POST',
    )
    expect(noted.body).toEqual({ sub: 'acc-1' })
    expect(refused).toEqual([])
  })

  test('a token that is bound to no key passes as Bearer, as without the option', async () => {
    const authorization = `Bearer ${issuer.token()}`
    expect(await get(service, '/me', { authorization })).toMatchObject({ status: 200 })
  })

  test('a bound token is refused as Bearer, also with a valid proof (downgrade)', async () => {
    const token = bound()
    for (const scheme of ['Bearer', 'bearer']) {
      const dpop = proofFor(token, '/me')
      const answer = await get(service, '/me', { authorization: `${scheme} ${token}`, dpop })
      expect(answer).toMatchObject({ status: 401, code: 'token_invalid' })
      expect(answer.challenge).toMatch(
        /^Bearer realm="[^"]+", error="invalid_token", .*, DPoP realm=/,
      )
    }
    expect(refused.map(({ reason }) => reason)).toEqual(['dpop_bound', 'dpop_bound'])
  })

  test('a token that is bound to no key is refused with the scheme DPoP', async () => {
    const token = issuer.token()
    const dpop = proofFor(token, '/me')
    const answer = await get(service, '/me', { authorization: `DPoP ${token}`, dpop })
    expect(answer).toMatchObject({ status: 401, code: 'token_invalid' })
    expect(refused.map(({ reason }) => reason)).toEqual(['dpop_not_bound'])
  })

  test('a stolen token is refused with a proof of another key', async () => {
    const token = bound()
    const dpop = proofFor(token, '/me', {}, thief)
    const answer = await get(service, '/me', { authorization: `DPoP ${token}`, dpop })
    expect(answer).toMatchObject({ status: 401, code: 'token_invalid' })
    expect(answer.challenge).toMatch(/^DPoP realm="[^"]+", error="invalid_token", /)
    expect(refused.map(({ reason }) => reason)).toEqual(['dpop_key_mismatch'])
  })

  test.each([
    ['without a proof', () => ({})],
    ['for another path', (token: string) => ({ dpop: proofFor(token, '/item/1') })],
    ['for another token', () => ({ dpop: proofFor(bound({ jti: 'x'.repeat(32) }), '/me') })],
    ['for another method', (token: string) => ({ dpop: proofFor(token, '/me', { htm: 'PUT' }) })],
    [
      'of another server',
      (token: string) => ({ dpop: proofFor(token, '', { htu: 'https://b.example/me' }) }),
    ],
  ])('a bound token is refused %s', async (_what, headersOf) => {
    const token = bound()
    const answer = await get(service, '/me', {
      authorization: `DPoP ${token}`,
      ...headersOf(token),
    })
    expect(answer).toMatchObject({ status: 401, code: 'dpop_proof_invalid', nonce: null })
    const { text } = { text: answer.body['detail'] as string }
    expect(answer.challenge).toBe(
      `DPoP realm="${issuer.url}", error="invalid_dpop_proof", error_description="${text}", algs="${ALGS}"`,
    )
  })

  test('a request is refused when it is sent a second time', async () => {
    const token = bound()
    const headers = { authorization: `DPoP ${token}`, dpop: proofFor(token, '/me') }
    expect(await get(service, '/me', headers)).toMatchObject({ status: 200 })
    expect(await get(service, '/me', headers)).toMatchObject({ code: 'dpop_proof_invalid' })
    expect(refused.map(({ reason }) => reason)).toEqual(['dpop_replayed'])
  })

  test('two header lines with proofs are refused', async () => {
    const token = bound()
    const lines = [
      `Authorization: DPoP ${token}`,
      `DPoP: ${proofFor(token, '/me')}`,
      `DPoP: ${proofFor(token, '/me')}`,
    ]
    expect(await sendRaw(service.origin, '/me', lines)).toMatch(/^HTTP\/1\.1 401 .*dpop_proof/s)
    expect(refused.map(({ reason }) => reason)).toEqual(['dpop_repeated'])
  })

  test('the host of the request does not count, because its sender chooses it', async () => {
    const token = bound()
    const dpop = proofFor(token, '', { htu: 'https://evil.example/me' })
    const lines = [`Authorization: DPoP ${token}`, `DPoP: ${dpop}`]
    for (const host of ['Host: evil.example', 'X-Forwarded-Host: evil.example']) {
      const answer = await sendRaw(service.origin, 'https://evil.example/me', [...lines, host])
      expect(answer).not.toMatch(/^HTTP\/1\.1 200/)
    }
  })

  test('without a token the answer offers both schemes', async () => {
    expect((await get(service, '/me', {})).challenge).toBe(
      `Bearer realm="${issuer.url}", DPoP realm="${issuer.url}", algs="${ALGS}"`,
    )
  })

  test.each(['DPoP', 'DPoP ', 'DPoP a b', 'DPoP a,b', 'DPoP "a"'])(
    'the header %j is malformed',
    async (authorization) => {
      const lines = [`Authorization: ${authorization}`]
      expect(await sendRaw(service.origin, '/me', lines)).toMatch(/^HTTP\/1\.1 400 /)
    },
  )

  test('an expired bound token is reported as expired, with the scheme DPoP', async () => {
    const token = bound({ iat: NOW_SEC - 600, exp: NOW_SEC - 60 })
    const dpop = proofFor(token, '/me')
    const answer = await get(service, '/me', { authorization: `DPoP ${token}`, dpop })
    expect(answer).toMatchObject({ status: 401, code: 'token_expired' })
    expect(answer.challenge).toMatch(/^DPoP realm="[^"]+", error="invalid_token", /)
  })

  test('on a public route an invalid proof counts as no token', async () => {
    const token = bound()
    const headers = { authorization: `DPoP ${token}` }
    expect((await get(service, '/hello', headers)).body).toEqual({ sub: null })
    const dpop = proofFor(token, '/hello')
    expect((await get(service, '/hello', { ...headers, dpop })).body).toEqual({ sub: 'acc-1' })
  })

  test('with nonces, a client repeats its request with the nonce of the answer', async () => {
    const own = newGuard({ nonces: { lifetimeSec: 60 } })
    const alone = await start(own)
    const token = bound()
    const send = (changes: object): Promise<Answer> =>
      get(alone, '/me', {
        authorization: `DPoP ${token}`,
        dpop: proofFor(token, '/me', changes),
      })
    const first = await send({})
    expect(first).toMatchObject({ status: 401, code: 'dpop_nonce_required' })
    expect(first.challenge).toMatch(/^DPoP realm="[^"]+", error="use_dpop_nonce", /)
    const nonce = first.nonce ?? ''
    expect(nonce).toMatch(/^[\w-]{30}$/)
    expect(await send({ nonce })).toMatchObject({ status: 200, nonce: null })
    // The clock of the client may be wrong: the time in the nonce counts.
    expect(await send({ nonce, iat: NOW_SEC - 86_400 })).toMatchObject({ status: 200 })
    now = NOW_MS + 59_999
    expect(await send({ nonce })).toMatchObject({ status: 200 })
    now = NOW_MS + 60_000
    expect(await send({ nonce })).toMatchObject({ code: 'dpop_nonce_required' })
    expect(await send({ nonce: `A${nonce.slice(1)}` })).toMatchObject({
      code: 'dpop_nonce_required',
    })
    own.close()
    await alone.close()
  })
})

test('with nonces that are not required, only a client with a wrong clock needs one', async () => {
  const guard = newGuard({ nonces: { required: false } })
  const authenticate = createAuthenticator(guard)
  const send = async (changes: object): Promise<Answer | undefined> => {
    const token = bound()
    const headers = {
      authorization: `DPoP ${token}`,
      dpop: proofFor(token, '/me', changes),
    }
    const result = await authenticate(new Request(`${PUBLIC_URL}/me`, { headers }))
    return result.ok ? undefined : read(result.response)
  }
  expect(await send({ iat: NOW_SEC - 60 })).toBeUndefined()
  const late = await send({ iat: NOW_SEC - 61 })
  expect(late).toMatchObject({ status: 401, code: 'dpop_nonce_required' })
  expect(await send({ iat: NOW_SEC - 86_400, nonce: late?.nonce })).toBeUndefined()
  // A wrong nonce is refused, also if the clock is right.
  expect(await send({ nonce: 'x' })).toMatchObject({ code: 'dpop_nonce_required' })
  guard.close()
})

describe('a guard without the option', () => {
  test('refuses bound tokens in every form, and warns once', async () => {
    const guard = newGuard()
    const token = bound()
    const authenticate = createAuthenticator(guard)
    const send = async (authorization: string): Promise<Answer> => {
      const headers = { authorization, dpop: proofFor(token, '/me') }
      const result = await authenticate(new Request(`${PUBLIC_URL}/me`, { headers }))
      if (result.ok) throw new Error('accepted')
      return read(result.response)
    }
    expect(await send(`Bearer ${token}`)).toMatchObject({ code: 'token_invalid' })
    expect(await send(`Bearer ${token}`)).toMatchObject({ code: 'token_invalid' })
    const dpop = await send(`DPoP ${token}`)
    expect(dpop).toMatchObject({ code: 'token_missing' })
    expect(dpop.challenge).toBe(`Bearer realm="${issuer.url}"`)
    expect(notices.filter((text) => text.includes('dpop: { publicUrl }'))).toHaveLength(1)
    guard.close()
  })

  test.each([
    ['a certificate', { 'x5t#S256': 'x'.repeat(43) }],
    ['two keys', { jkt: 'x'.repeat(43), 'x5t#S256': 'x'.repeat(43) }],
    ['a short thumbprint', { jkt: 'abc' }],
    ['nothing', {}],
    ['a text', 'x'],
  ])('refuses a token that is bound to %s', async (_what, cnf) => {
    const guard = newGuard({})
    expect(await guard.verify(issuer.token({ cnf }))).toMatchObject({
      ok: false,
      code: 'token_invalid',
      reason: 'claim_invalid',
      claim: 'cnf',
    })
    guard.close()
  })
})

test('a bound token in a cookie is refused', async () => {
  const guard = newGuard({}, { cookies: true })
  const token = bound({ csh: csrfHash('csrf') })
  const send = async (changes: object, dpop?: string): Promise<string> => {
    const value = issuer.token({ csh: csrfHash('csrf'), ...changes })
    const cookie = `cs_access=${'cnf' in changes ? token : value}`
    const headers = { cookie, ...(dpop === undefined ? {} : { dpop }) }
    const result = await createAuthenticator(guard)(new Request(`${PUBLIC_URL}/me`, { headers }))
    return result.ok ? 'ok' : ((await read(result.response)).code ?? '')
  }
  expect(await send({})).toBe('ok')
  expect(await send({ cnf: true }, proofFor(token, '/me'))).toBe('token_invalid')
  expect(refused.map(({ reason }) => reason)).toEqual(['dpop_bound'])
  guard.close()
})

test('with required, tokens that are bound to no key are refused, and only DPoP is offered', async () => {
  const guard = newGuard({ required: true }, { cookies: true })
  const authenticate = createAuthenticator(guard)
  const send = async (headers: Record<string, string>): Promise<Answer | undefined> => {
    const result = await authenticate(new Request(`${PUBLIC_URL}/me`, { headers }))
    return result.ok ? undefined : read(result.response)
  }
  const bearer = await send({ authorization: `Bearer ${issuer.token()}` })
  expect(bearer).toMatchObject({ status: 401, code: 'token_invalid' })
  expect(bearer?.challenge).toMatch(/^DPoP realm=/)
  const cookie = `cs_access=${issuer.token({ csh: csrfHash('csrf') })}`
  expect(await send({ cookie })).toMatchObject({ code: 'token_invalid' })
  expect(await guard.verify(issuer.token())).toMatchObject({ reason: 'dpop_not_bound' })
  const token = bound()
  const dpop = proofFor(token, '/me')
  expect(await send({ authorization: `DPoP ${token}`, dpop })).toBeUndefined()
  guard.close()
})

describe('the public URL', () => {
  async function statusBelow(publicUrl: string | readonly string[], htu: string): Promise<number> {
    const guard = newGuard({ publicUrl })
    const app = express()
    const router = express.Router()
    // Inside a router, Express removes the path of the router from `url`.
    router.get('/:id', onExpress.requireAuth(guard), (_request, response) => {
      response.json({})
    })
    app.use('/orders', router)
    const service = await listen(createServer(app))
    const token = bound()
    const dpop = proofFor(token, '', { htu })
    const { status } = await get(service, '/orders/7?x=1', { authorization: `DPoP ${token}`, dpop })
    await service.close()
    guard.close()
    return status
  }

  test.each([
    ['an origin', 'https://api.example', 'https://api.example/orders/7', 200],
    ['an origin with a slash', 'https://api.example/', 'https://api.example/orders/7', 200],
    ['the path of a proxy', 'https://a.example/api', 'https://a.example/api/orders/7', 200],
    ['the path of a proxy, left out', 'https://a.example/api', 'https://a.example/orders/7', 401],
    ['the path in the router', 'https://api.example', 'https://api.example/7', 401],
    [
      'the second of two',
      ['https://a.example', 'https://b.example'],
      'https://b.example/orders/7',
      200,
    ],
    ['none of two', ['https://a.example', 'https://b.example'], 'https://c.example/orders/7', 401],
  ])('is %s', async (_what, publicUrl, htu, status) => {
    expect(await statusBelow(publicUrl, htu)).toBe(status)
  })
})

test('two middlewares on one request check its proof once', async () => {
  const guard = newGuard({})
  const app = express()
  app.use(onExpress.optionalAuth(guard))
  app.use(onExpress.requireAuth(guard))
  app.get('/me', onExpress.requireAuth(guard, { roles: ['reader'] }), (_request, response) => {
    response.json({})
  })
  const service = await listen(createServer(app))
  const token = bound()
  const headers = { authorization: `DPoP ${token}`, dpop: proofFor(token, '/me') }
  expect(await get(service, '/me', headers)).toMatchObject({ status: 200 })
  expect(await get(service, '/me', headers)).toMatchObject({ status: 401 })
  await service.close()
  guard.close()
})

describe('used proofs', () => {
  test('may be remembered by a store that several processes share', async () => {
    const used = new Map<string, number>()
    const replays = {
      use: async (id: string, expiresAt: number) => {
        const isFirst = !used.has(id)
        used.set(id, expiresAt)
        return isFirst
      },
    }
    const guards = [newGuard({ replays }), newGuard({ replays })]
    const token = bound()
    const headers = { authorization: `DPoP ${token}`, dpop: proofFor(token, '/me') }
    const outcomes = []
    for (const guard of guards) {
      const request = new Request(`${PUBLIC_URL}/me`, { headers })
      outcomes.push((await createAuthenticator(guard)(request)).ok)
      guard.close()
    }
    expect(outcomes).toEqual([true, false])
    expect([...used]).toEqual([[expect.stringMatching(/^[\w-]{22}$/), NOW_MS + 60_001]])
  })

  test.each([
    [
      'throws',
      () => {
        throw new Error('connection lost')
      },
    ],
    ['rejects', () => Promise.reject(new Error('connection lost'))],
  ])('get 503 if the store %s, and the operator is told once', async (_what, use) => {
    const guard = newGuard({ replays: { use } })
    for (let round = 0; round < 2; round++) {
      const token = bound()
      const headers = { authorization: `DPoP ${token}`, dpop: proofFor(token, '/me') }
      const result = await createAuthenticator(guard)(new Request(`${PUBLIC_URL}/me`, { headers }))
      expect(result.ok).toBe(false)
      if (result.ok) continue
      expect(result.response.headers.get('retry-after')).toBe('1')
      expect(await read(result.response)).toMatchObject({ status: 503, code: 'dpop_unavailable' })
    }
    expect(notices.filter((text) => text.includes('connection lost'))).toHaveLength(1)
    guard.close()
  })
})

describe('without a request', () => {
  test('a bound token is refused, unless the caller names the key that was proved', async () => {
    const guard = newGuard({})
    expect(await guard.verify(bound())).toMatchObject({ ok: false, reason: 'dpop_bound' })
    expect(await guard.verify(bound(), { jkt: thief.jkt })).toMatchObject({ ok: false })
    expect(await guard.verify(bound(), { jkt: holder.jkt })).toMatchObject({ ok: true })
    expect(await guard.verify(issuer.token(), { jkt: holder.jkt })).toMatchObject({
      ok: false,
      reason: 'dpop_not_bound',
    })
    guard.close()
  })

  test('a connection lives with its bound token, and is prolonged only by tokens of its key', async () => {
    const guard = newGuard({})
    await guard.ready()
    const ended: string[] = []
    const session = watchToken(guard, bound(), { onEnd: ({ code }) => ended.push(code) })
    expect(await session.renew(bound({ jti: 'b'.repeat(32) }))).toMatchObject({ ok: true })
    const ofThief = issuer.token({ cnf: { jkt: thief.jkt } })
    expect(await session.renew(ofThief)).toMatchObject({ ok: false })
    expect(await session.renew(issuer.token())).toMatchObject({ ok: false })
    expect(ended).toEqual([])
    session.stop()
    guard.close()
  })
})

test('with several issuers the guard of the token checks the proof', async () => {
  const other = await new TestIssuer().start()
  const second = createGuard({
    issuer: other.url,
    clock: () => now,
    onNotice: () => {},
    dpop: { publicUrl: PUBLIC_URL },
  })
  const both = combineGuards([newGuard(), second])
  const token = other.token({ cnf: { jkt: holder.jkt } })
  const headers = { authorization: `DPoP ${token}`, dpop: proofFor(token, '/me') }
  const send = async (): Promise<string> => {
    const result = await createAuthenticator(both)(new Request(`${PUBLIC_URL}/me`, { headers }))
    return result.ok ? result.claims.iss : ((await read(result.response)).challenge ?? '')
  }
  expect(await send()).toBe(other.url)
  expect(await send()).toMatch(`DPoP realm="${other.url}", error="invalid_dpop_proof"`)
  both.close()
  await other.stop()
})

test('the metadata of the resource names the algorithms (RFC 9728)', () => {
  const resource = PUBLIC_URL
  const plain = resourceMetadata(newGuard(), { resource })
  expect(plain).not.toHaveProperty('dpop_signing_alg_values_supported')
  const algorithms = ['ES256', 'Ed25519'] as const
  expect(resourceMetadata(newGuard({ algorithms }), { resource })).toEqual({
    resource,
    authorization_servers: [issuer.url],
    bearer_methods_supported: ['header'],
    dpop_signing_alg_values_supported: ['ES256', 'Ed25519', 'EdDSA'],
  })
  const required = newGuard({ required: true })
  expect(resourceMetadata(required, { resource })).toMatchObject({
    dpop_bound_access_tokens_required: true,
  })
  const mixed = combineGuards([required, createGuard({ issuer: 'https://b.example' })])
  expect(resourceMetadata(mixed, { resource })).not.toHaveProperty(
    'dpop_bound_access_tokens_required',
  )
})

test.each<[string, object]>([
  ['dpop must be', { dpop: true }],
  ['dpop.publicUrl is not', { dpop: {} }],
  ['dpop.publicUrl is an empty list', { dpop: { publicUrl: [] } }],
  ['dpop.publicUrl must be https', { dpop: { publicUrl: 'http://api.example' } }],
  ['dpop.publicUrl has a query', { dpop: { publicUrl: 'https://api.example/?a' } }],
  ['dpop.url is not a known option', { dpop: { publicUrl: PUBLIC_URL, url: 'x' } }],
  ['dpop.algorithms', { dpop: { publicUrl: PUBLIC_URL, algorithms: [] } }],
  ['dpop.algorithms', { dpop: { publicUrl: PUBLIC_URL, algorithms: ['HS256'] } }],
  ['dpop.algorithms', { dpop: { publicUrl: PUBLIC_URL, algorithms: ['ES256', 'ES256'] } }],
  ['dpop.maxAgeSec', { dpop: { publicUrl: PUBLIC_URL, maxAgeSec: 301 } }],
  ['dpop.replaysMax', { dpop: { publicUrl: PUBLIC_URL, replaysMax: 0 } }],
  ['dpop.replays', { dpop: { publicUrl: PUBLIC_URL, replays: {} } }],
  ['dpop.nonces must', { dpop: { publicUrl: PUBLIC_URL, nonces: 'yes' } }],
  ['dpop.nonces.life', { dpop: { publicUrl: PUBLIC_URL, nonces: { life: 1 } } }],
  ['dpop.nonces.lifetimeSec', { dpop: { publicUrl: PUBLIC_URL, nonces: { lifetimeSec: 1 } } }],
  ['dpop.nonces.secret', { dpop: { publicUrl: PUBLIC_URL, nonces: { secret: 'short' } } }],
  ['dpop.nonces.secret', { dpop: { publicUrl: PUBLIC_URL, nonces: { secret: [] } } }],
  ['dpop.nonces.required', { dpop: { publicUrl: PUBLIC_URL, nonces: { required: 1 } } }],
  ['dpop.required', { dpop: { publicUrl: PUBLIC_URL, required: 1 } }],
])('a wrong option throws an error with %j', (text, options) => {
  expect(() => createGuard({ issuer: 'https://auth.example', ...options })).toThrow(text)
})
