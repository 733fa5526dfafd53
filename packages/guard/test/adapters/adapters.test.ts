import { randomBytes } from 'node:crypto'
import { createServer, IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import fastify from 'fastify'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import * as onExpress from '../../src/adapters/express.ts'
import * as onFastify from '../../src/adapters/fastify.ts'
import { createGuard, type Guard, refusals, type Refused } from '../../src/index.ts'
import { createTestKey, NOW_MS, NOW_SEC, signRaw, TestIssuer } from '../support/issuer.ts'
import { listen, sendRaw, type Service, services } from '../support/services.ts'

const issuer = new TestIssuer()
let refused: Refused[] = []
let onRefused: (refused: Refused) => void

function newGuard(jwksUrl = `${issuer.url}/.well-known/jwks.json`): Guard {
  return createGuard({
    issuer: issuer.url,
    jwksUrl,
    clock: () => NOW_MS,
    onRefused: (refusal) => onRefused(refusal),
  })
}

beforeAll(() => issuer.start())
afterAll(() => issuer.stop())
beforeEach(() => {
  refused = []
  onRefused = (refusal) => refused.push(refusal)
})

/** Tokens that are refused as `token_invalid`, each for a different reason. */
function invalidTokens(): ReadonlyArray<readonly [reason: string, token: string]> {
  const good = issuer.token()
  const [header = '', payload = '', signature = ''] = good.split('.')
  const { kid } = issuer.key
  const forger = { ...createTestKey(), kid }
  const plain = { alg: 'ES256', typ: 'at+jwt', kid }
  return [
    ['token_malformed', 'x'],
    ['token_malformed', `${header}.${payload}`],
    ['token_malformed', `${good}.x.y`],
    ['token_too_large', `${header}.${'A'.repeat(9000)}.${signature}`],
    ['header_invalid', signRaw(issuer.key, 'no json', issuer.claims())],
    ['header_invalid', issuer.token({}, { kid: '../../dev/null' })],
    [
      'header_invalid',
      signRaw(issuer.key, `{"alg":"none",${JSON.stringify(plain).slice(1)}`, '{}'),
    ],
    ['typ_mismatch', issuer.token({}, { typ: 'JWT' })],
    ['typ_mismatch', issuer.token({}, { typ: 'rt+jwt' })],
    ['typ_mismatch', issuer.token({}, { typ: undefined })],
    ['algorithm_mismatch', issuer.token({}, { alg: 'none' })],
    ['algorithm_mismatch', issuer.token({}, { alg: 'HS256' })],
    ['algorithm_mismatch', issuer.token({}, { alg: 'RS256' })],
    ['key_unknown', issuer.token({}, { kid: 'unknown' })],
    ['key_unknown', issuer.token({}, { kid: undefined })],
    ['critical_unknown', issuer.token({}, { crit: ['exp'] })],
    ['critical_unknown', issuer.token({}, { b64: false })],
    ['signature_invalid', issuer.token({}, {}, forger)],
    ['signature_invalid', issuer.token({}, { jwk: forger.jwk }, forger)],
    ['signature_invalid', `${header}.${payload}.${'A'.repeat(86)}`],
    ['signature_invalid', issuer.token({ exp: NOW_SEC - 1000 }, {}, forger)],
    ['signature_invalid', `${header}.${payload}.${randomBytes(256).toString('base64url')}`],
    ['payload_invalid', signRaw(issuer.key, plain, '[]')],
    ['payload_invalid', signRaw(issuer.key, plain, '{"sub":"a","sub":"b"}')],
    ['claim_missing', issuer.token({ exp: undefined })],
    ['claim_missing', issuer.token({ sid: undefined })],
    ['claim_invalid', issuer.token({ exp: '9999999999' })],
    ['claim_invalid', issuer.token({ rvp: -1 })],
    ['claim_invalid', issuer.token({ rvp: '7' })],
    ['token_not_yet_valid', issuer.token({ nbf: NOW_SEC + 60 })],
    ['token_issued_in_future', issuer.token({ iat: NOW_SEC + 60 })],
    ['issuer_mismatch', issuer.token({ iss: `${issuer.url}/` })],
    ['audience_mismatch', issuer.token({ aud: 'other' })],
  ]
}

describe.each(Object.keys(services))('%s', (name) => {
  let guard: Guard
  let service: Service

  beforeAll(async () => {
    guard = newGuard()
    service = await startService(guard)
  })
  afterAll(async () => {
    guard.close()
    await service.close()
  })

  function startService(forGuard: Guard): Promise<Service> {
    const start = services[name]
    if (start === undefined) throw new Error(name)
    return start(forGuard)
  }

  function get(path: string, token?: string): Promise<Response> {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
    return fetch(`${service.origin}${path}`, { headers })
  }

  test('a valid token passes, and its claims are available', async () => {
    const me = await get('/me', issuer.token())
    expect(me.status).toBe(200)
    expect(await me.json()).toEqual(issuer.claims())
    expect(me.headers.get('www-authenticate')).toBeNull()

    const item = await get('/item/42', issuer.token())
    expect(await item.json()).toEqual({ id: '42', sub: 'acc-1' })
    expect(refused).toEqual([])
  })

  test('no token: 401 without an error attribute', async () => {
    const answer = await get('/me')
    expect(answer.status).toBe(401)
    expect(answer.headers.get('www-authenticate')).toBe(`Bearer realm="${issuer.url}"`)
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/)
    expect(answer.headers.get('content-length')).toMatch(/^\d+$/)
    expect(await answer.json()).toEqual({
      type: 'about:blank',
      title: 'Unauthorized',
      status: 401,
      detail: refusals.token_missing.text,
      code: 'token_missing',
    })
    expect(refused).toEqual([])
  })

  test.each(['Basic YTpi', 'Digest x'])('%s does not count as a token', async (authorization) => {
    const answer = await fetch(`${service.origin}/me`, { headers: { authorization } })
    expect(answer.status).toBe(401)
    expect(await answer.json()).toMatchObject({ code: 'token_missing' })
  })

  test('a token in the query is ignored', async () => {
    const answer = await get(`/me?access_token=${issuer.token()}`)
    expect(await answer.json()).toMatchObject({ code: 'token_missing' })
  })

  test.each<[string, () => readonly string[]]>([
    ['the scheme alone', () => ['Authorization: Bearer']],
    ['two tokens', () => ['Authorization: Bearer  x y']],
    [
      'two headers',
      () => Array.from({ length: 2 }, () => `Authorization: Bearer ${issuer.token()}`),
    ],
    [
      'a valid header and another scheme',
      () => [`Authorization: Bearer ${issuer.token()}`, 'aUTHORIZATION: Basic YTpi'],
    ],
    ['a list', () => [`Authorization: Bearer ${issuer.token()}, Bearer x`]],
  ])('%s: 400 invalid_request', async (_name, lines) => {
    const answer = await sendRaw(service.origin, '/me', lines())
    expect(answer).toMatch(/^HTTP\/1\.1 400 /)
    expect(answer).toMatch(/www-authenticate: Bearer realm="[^"]+", error="invalid_request"/i)
    expect(answer).toContain('"code":"request_malformed"')
    expect(refused).toMatchObject([{ code: 'request_malformed' }])
  })

  test('an expired token: 401 token_expired', async () => {
    const answer = await get('/me', issuer.token({ exp: NOW_SEC - 5 }))
    expect(answer.status).toBe(401)
    expect(answer.headers.get('www-authenticate')).toBe(
      `Bearer realm="${issuer.url}", error="invalid_token", ` +
        'error_description="The access token has expired."',
    )
    expect(await answer.json()).toMatchObject({ code: 'token_expired' })
    expect(refused).toMatchObject([{ code: 'token_expired', reason: 'token_expired' }])
  })

  test('every other cause gets the same answer, which does not contain the reason', async () => {
    const answers = new Set<string>()
    const tokens = invalidTokens()
    for (const [reason, token] of tokens) {
      refused = []
      const answer = await get('/me', token)
      const headers = [...answer.headers].filter(([header]) => header !== 'date')
      answers.add(JSON.stringify([answer.status, headers, await answer.text()]))
      expect(refused, token).toMatchObject([{ code: 'token_invalid', reason }])
    }
    expect(new Set(tokens.map(([reason]) => reason)).size).toBeGreaterThanOrEqual(13)
    expect([...answers]).toHaveLength(1)
    expect([...answers][0]).toContain('error=\\"invalid_token\\"')
    expect([...answers][0]).toContain('\\"code\\":\\"token_invalid\\"')
  })

  test('while no keys are loaded: 503 with Retry-After', async () => {
    const lost = newGuard(`${issuer.url}/nowhere`)
    const alone = await startService(lost)
    const headers = { authorization: `Bearer ${issuer.token()}` }
    for (const when of ['after a fetch', 'while waiting']) {
      const answer = await fetch(`${alone.origin}/me`, { headers })
      expect(answer.status, when).toBe(503)
      expect(answer.headers.get('retry-after')).toBe('1')
      expect(answer.headers.get('www-authenticate')).toBeNull()
      expect(await answer.json()).toMatchObject({ code: 'keys_unavailable', status: 503 })
    }
    expect((await fetch(`${alone.origin}/hello`, { headers })).status).toBe(200)
    lost.close()
    await alone.close()
  })

  test('optionalAuth accepts every request, and sets claims only for a valid token', async () => {
    const hello = async (token?: string) => {
      const answer = await get('/hello', token)
      expect(answer.status).toBe(200)
      return answer.json()
    }
    expect(await hello(issuer.token())).toEqual({ sub: 'acc-1' })
    expect(await hello()).toEqual({ sub: null })
    expect(await hello('x')).toEqual({ sub: null })
    expect(await hello(issuer.token({ exp: NOW_SEC - 60 }))).toEqual({ sub: null })
    const twice = ['1', '2'].map(() => `Authorization: Bearer ${issuer.token()}`)
    expect(await sendRaw(service.origin, '/hello', twice)).toContain('{"sub":null}')
  })

  test('the tenant in the path must be the tenant of the token', async () => {
    const ask = async (path: string, claims: object): Promise<number> => {
      const headers = { authorization: `Bearer ${issuer.token(claims)}` }
      return (await fetch(`${service.origin}${path}`, { headers })).status
    }
    expect(await ask('/of/ten_1', { tid: 'ten_1' })).toBe(200)
    expect(await ask('/of/ten_2', { tid: 'ten_1' })).toBe(403)
    expect(await ask('/of/ten_1', {})).toBe(403)
    // A request does not pass if the function fails.
    expect(await ask('/of/fails', { tid: 'fails' })).toBe(500)
  })

  test.each([[undefined], [null], [0], [''], ['route'], ['router']])(
    'no request passes when %j is thrown, at once or after a fetch',
    async (thrown) => {
      onRefused = () => {
        // oxlint-disable-next-line only-throw-error -- that is the question
        throw thrown
      }
      const headers = { authorization: 'Bearer x.y.z' }
      const ask = async (origin: string): Promise<number> =>
        (await fetch(`${origin}/me`, { headers })).status
      expect(await ask(service.origin)).toBe(500)
      const fresh = newGuard()
      const other = await services[name]!(fresh)
      expect(await ask(other.origin)).toBe(500)
      fresh.close()
      await other.close()
    },
  )

  test('an error that onRefused throws reaches the error handler, at once or after a fetch', async () => {
    onRefused = () => {
      throw new Error('of the application')
    }
    expect((await get('/me', 'x')).status).toBe(500)

    const lost = newGuard(`${issuer.url}/nowhere`)
    const alone = await startService(lost)
    const headers = { authorization: `Bearer ${issuer.token()}` }
    expect((await fetch(`${alone.origin}/me`, { headers })).status).toBe(500)
    lost.close()
    await alone.close()
  })

  test('the first request waits for the keys', async () => {
    const fresh = newGuard()
    const alone = await startService(fresh)
    const headers = { authorization: `Bearer ${issuer.token()}` }
    const before = issuer.requests
    const requests = Array.from({ length: 100 }, () => fetch(`${alone.origin}/me`, { headers }))
    const statuses = (await Promise.all(requests)).map((answer) => answer.status)
    expect(new Set(statuses)).toEqual(new Set([200]))
    expect(issuer.requests - before).toBe(1)
    fresh.close()
    await alone.close()
  })
})

test('express: the middleware needs only the objects of Node', async () => {
  const guard = newGuard()
  const middleware = onExpress.requireAuth(guard)
  const service = await listen(
    createServer((request, response) => {
      middleware(request, response, (error) => response.end(error === undefined ? 'in' : 'error'))
    }),
  )
  const headers = { authorization: `Bearer ${issuer.token()}` }
  expect(await (await fetch(service.origin, { headers })).text()).toBe('in')
  expect((await fetch(service.origin)).status).toBe(401)
  guard.close()
  await service.close()
})

test('express: a valid token passes in the same turn of the event loop', async () => {
  const guard = newGuard()
  await guard.ready()
  const headers = { authorization: `Bearer ${issuer.token()}` }
  const request: IncomingMessage = Object.assign(new IncomingMessage(new Socket()), { headers })
  let passed = false
  onExpress.requireAuth(guard)(request, new ServerResponse(request), () => {
    passed = true
  })
  expect(passed).toBe(true)
  guard.close()
})

test('express: an answer that a timeout has already sent stays unchanged', async () => {
  const guard = createGuard({ issuer: issuer.url, fetchTimeoutMs: 100, fetch: never })
  const middleware = onExpress.requireAuth(guard)
  const service = await listen(
    createServer((request, response) => {
      response.writeHead(503).flushHeaders()
      middleware(request, response, () => {})
      setTimeout(() => response.end('late'), 200)
    }),
  )
  const headers = { authorization: `Bearer ${issuer.token()}` }
  expect(await (await fetch(service.origin, { headers })).text()).toBe('late')
  guard.close()
  await service.close()
})

describe('an error while the refusal is written, at once or after a fetch, goes to the error handler', () => {
  const fail = (): never => {
    throw new Error('of other middleware')
  }
  const headers = { authorization: 'Bearer x.y.z' }

  test.each([true, false])('express (keys loaded: %s)', async (areLoaded) => {
    const guard = newGuard()
    if (areLoaded) await guard.ready()
    const middleware = onExpress.requireAuth(guard)
    const service = await listen(
      createServer((request, response) => {
        const writeHead = response.writeHead.bind(response)
        response.writeHead = fail
        middleware(request, response, (error) => {
          response.writeHead = writeHead
          response.end(error instanceof Error ? error.message : 'in')
        })
      }),
    )
    expect(await (await fetch(service.origin, { headers })).text()).toBe('of other middleware')
    guard.close()
    await service.close()
  })

  test.each([true, false])('fastify (keys loaded: %s)', async (areLoaded) => {
    const guard = newGuard()
    if (areLoaded) await guard.ready()
    const app = fastify()
    app.addHook('onRequest', (_request, reply, done) => {
      reply.headers = fail
      done()
    })
    app.get('/', { onRequest: onFastify.requireAuth(guard) }, () => 'in')
    const answer = await app.inject({ url: '/', headers })
    expect(answer.json()).toMatchObject({ message: 'of other middleware' })
    guard.close()
    await app.close()
  })
})

function never(): Promise<Response> {
  return new Promise(() => {})
}

test('hono: a refusal keeps the headers that other middleware set', async () => {
  const guard = newGuard()
  const service = await services['hono']?.(guard)
  const headers = { origin: 'https://app.example' }
  const answer = await fetch(`${service?.origin}/me`, { headers })
  expect(answer.status).toBe(401)
  expect(answer.headers.get('access-control-allow-origin')).toBe('https://app.example')
  await service?.close()
})

test('fastify: inject works like a real request', async () => {
  const guard = newGuard()
  const app = fastify()
  app.get('/me', { onRequest: onFastify.requireAuth(guard) }, (request) => ({
    sub: onFastify.authOf(request).sub,
  }))
  const authorization = `Bearer ${issuer.token()}`
  const good = await app.inject({ url: '/me', headers: { authorization } })
  expect(good.json()).toEqual({ sub: 'acc-1' })
  expect((await app.inject('/me')).statusCode).toBe(401)
  guard.close()
})

test('authOf without requireAuth is a mistake in the routes', () => {
  expect(() => onFastify.authOf({})).toThrow(/requireAuth/)
})
