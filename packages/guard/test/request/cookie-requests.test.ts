import { createServer as createHttp2Server, connect as connectHttp2 } from 'node:http2'
import { serve } from '@hono/node-server'
import fastify from 'fastify'
import { Hono } from 'hono'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import * as onExpress from '../../src/adapters/express.ts'
import * as onFastify from '../../src/adapters/fastify.ts'
import * as onHono from '../../src/adapters/hono.ts'
import {
  createGuard,
  csrfHash,
  type Guard,
  type GuardOptions,
  refusals,
  viewOfNode,
} from '../../src/index.ts'
import { createTestKey, NOW_MS, NOW_SEC, portOf, TestIssuer } from '../support/issuer.ts'
import { sendRaw, type Service, services } from '../support/services.ts'

/** The issuer of the tokens that the services accept. Its keys are those of the local server. */
const ISSUER = 'https://auth.example'
const LISTED = 'https://app.example'
const FOREIGN = 'https://evil.example'
const NAME = '__Host-cs_access'
const CSRF_TOKEN = 'kWDAJsmm0zvVEqF9ZrPTnYh3'

const issuer = new TestIssuer()
let refused: Array<readonly [code: string, reason: string]> = []

function newGuard(options: Partial<GuardOptions> = {}): Guard {
  return createGuard({
    issuer: ISSUER,
    jwksUrl: `${issuer.url}/.well-known/jwks.json`,
    cookies: { origins: [LISTED] },
    clock: () => NOW_MS,
    onRefused: ({ code, reason }) => refused.push([code, reason]),
    ...options,
  })
}

/** A token from a login with cookies. */
function cookieToken(changes: object = {}): string {
  return issuer.token({ iss: ISSUER, aud: ISSUER, csh: csrfHash(CSRF_TOKEN), ...changes })
}

const SAME_ORIGIN = 'Sec-Fetch-Site: same-origin'
const CSRF = `X-CSRF-Token: ${CSRF_TOKEN}`
const cookie = (value = cookieToken()) => `Cookie: ${NAME}=${value}`

beforeAll(() => issuer.start())
afterAll(() => issuer.stop())
beforeEach(() => {
  refused = []
})

interface Answer {
  readonly status: number
  readonly text: string
}

async function send(
  service: Service,
  method: string,
  lines: readonly string[],
  path = '/note',
): Promise<Answer> {
  const text = await sendRaw(service.origin, path, lines, method)
  return { status: Number(text.slice(9, 12)), text }
}

describe.each(Object.entries(services))('%s', (_name, start) => {
  let guard: Guard
  let service: Service

  beforeAll(async () => {
    guard = newGuard()
    service = await start(guard)
  })
  afterAll(async () => {
    guard.close()
    await service.close()
  })

  async function withGuard(options: Partial<GuardOptions>, use: (alone: Service) => Promise<void>) {
    const other = newGuard(options)
    const alone = await start(other)
    await use(alone)
    other.close()
    await alone.close()
  }

  /** Expects that a request is refused with a code, and that the answer contains nothing more precise. */
  async function expectRefused(
    method: string,
    lines: readonly string[],
    code: keyof typeof refusals,
    reason: string,
  ) {
    refused = []
    const answer = await send(service, method, lines)
    expect(answer.status, reason).toBe(refusals[code].status)
    expect(answer.text).toContain(`"code":"${code}"`)
    expect(refused).toEqual([[code, reason]])
    if (reason !== code) expect(answer.text).not.toContain(reason)
  }

  async function expectMissing(method: string, lines: readonly string[]) {
    const answer = await send(service, method, lines)
    expect(answer.status).toBe(401)
    expect(answer.text).toContain('"code":"token_missing"')
    expect(refused).toEqual([])
  }

  test('a page of the service reads with the cookie alone, and writes with the cookie and the CSRF token', async () => {
    const read = await send(service, 'GET', [cookie(), SAME_ORIGIN])
    expect(read.status).toBe(200)
    expect(read.text).toContain('{"sub":"acc-1"}')

    const written = await send(service, 'POST', [cookie(), SAME_ORIGIN, CSRF])
    expect(written.status).toBe(200)
    expect(written.text).toContain('{"sub":"acc-1"}')
    expect(refused).toEqual([])
  })

  test('the claims are those of the token, including csh', async () => {
    const { text } = await send(service, 'GET', [cookie()], '/me')
    expect(JSON.parse(/\{.*\}/.exec(text)?.[0] ?? '')).toEqual({
      ...issuer.claims(),
      iss: ISSUER,
      aud: ISSUER,
      csh: csrfHash(CSRF_TOKEN),
    })
  })

  test('no cookie: 401 token_missing', async () => {
    await expectMissing('GET', [])
    await expectMissing('POST', ['Cookie: theme=dark', CSRF])
  })

  test('another site: 403 with a problem document, and a challenge without an error', async () => {
    const lines = [cookie(), CSRF, 'Sec-Fetch-Site: cross-site', `Origin: ${FOREIGN}`]
    const { text } = await send(service, 'POST', lines)
    expect(text).toMatch(/^HTTP\/1\.1 403 /)
    expect(text).toContain(`Bearer realm="${ISSUER}"\r\n`)
    expect(text).toMatch(/content-type: application\/problem\+json/i)
    expect(text).toMatch(/cache-control: no-store/i)
    expect(JSON.parse(/\{.*\}/.exec(text)?.[0] ?? '')).toEqual({
      type: 'about:blank',
      title: 'Forbidden',
      status: 403,
      detail: refusals.csrf_failed.text,
      code: 'csrf_failed',
    })
    expect(refused).toEqual([['csrf_failed', 'origin_refused']])
  })

  const origins = [undefined, 'null', 'own', LISTED, FOREIGN, `${LISTED}/`]
  // For each of these origins, in order, whether an unsafe method passes.
  test.each<[site: string | undefined, passes: string]>([
    ['same-origin', 'yyyyyy'],
    ['none', 'yyyyyy'],
    ['same-site', 'nnnynn'],
    ['cross-site', 'nnnynn'],
    ['same-party', 'nnnynn'],
    ['SAME-ORIGIN', 'nnnynn'],
    [undefined, 'nnnynn'],
  ])('Sec-Fetch-Site %s with each Origin and each method', async (site, passes) => {
    const headers = [cookie(), CSRF, ...(site === undefined ? [] : [`Sec-Fetch-Site: ${site}`])]
    for (const [n, origin] of origins.entries()) {
      const value = origin === 'own' ? service.origin : origin
      const lines = value === undefined ? headers : [...headers, `Origin: ${value}`]
      for (const method of ['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE']) {
        const isSafe = ['GET', 'HEAD', 'OPTIONS'].includes(method)
        const { status } = await send(service, method, lines)
        const expected = isSafe || passes[n] === 'y' ? 200 : 403
        expect(status, `${method} ${origin}`).toBe(expected)
      }
    }
  })

  test('Host, proxy and Referer headers do not make a request from another site pass', async () => {
    const lines = [
      `X-Forwarded-Host: evil.example`,
      'X-Forwarded-Proto: https',
      `Referer: ${LISTED}/`,
      `Origin: http://test`,
    ]
    await expectRefused('POST', [cookie(), CSRF, ...lines], 'csrf_failed', 'origin_refused')
  })

  test.each([
    ['Sec-Fetch-Site', [SAME_ORIGIN, SAME_ORIGIN]],
    ['Sec-Fetch-Site', ['Sec-Fetch-Site: cross-site', SAME_ORIGIN]],
    ['Origin', [`Origin: ${LISTED}`, `Origin: ${LISTED}`]],
    ['Origin', [`Origin: ${LISTED}`, `Origin: ${FOREIGN}`]],
    ['Origin', [`Origin: ${FOREIGN}`, `Origin: ${LISTED}`]],
  ])('%s sent twice does not help: %j', async (_header, lines) => {
    await expectRefused('POST', [cookie(), CSRF, ...lines], 'csrf_failed', 'origin_refused')
  })

  test('a page of another site cannot open a WebSocket, although it opens with a GET', async () => {
    const upgrade = 'Upgrade: websocket'
    const site = ['Sec-Fetch-Site: same-site', `Origin: ${FOREIGN}`]
    await expectRefused('GET', [cookie(), upgrade, ...site], 'csrf_failed', 'origin_refused')
    expect((await send(service, 'GET', [cookie(), upgrade, SAME_ORIGIN])).status).toBe(200)
    expect((await send(service, 'GET', [cookie(), upgrade, `Origin: ${LISTED}`])).status).toBe(200)
  })

  test("Django's name for the header is accepted too", async () => {
    const lines = [cookie(), SAME_ORIGIN, `X-CSRFToken: ${CSRF_TOKEN}`]
    expect((await send(service, 'DELETE', lines)).status).toBe(200)
  })

  test.each<[what: string, lines: readonly string[], reason: string]>([
    ['missing', [], 'missing'],
    ['in a cookie only', [`Cookie: csrftoken=${CSRF_TOKEN}`], 'missing'],
    ['under another name', [`X-XSRF-Token: ${CSRF_TOKEN}`], 'missing'],
    ['empty', ['X-CSRF-Token:'], 'wrong'],
    ["another session's", ['X-CSRF-Token: AAAAAAAAAAAAAAAAAAAAAAAA'], 'wrong'],
    ['cut short', [CSRF.slice(0, -1)], 'wrong'],
    ['longer', [`${CSRF}x`], 'wrong'],
    ['in lower case', [`X-CSRF-Token: ${CSRF_TOKEN.toLowerCase()}`], 'wrong'],
    ['its own hash', [`X-CSRF-Token: ${csrfHash(CSRF_TOKEN)}`], 'wrong'],
    ['quoted', [`X-CSRF-Token: "${CSRF_TOKEN}"`], 'wrong'],
    ['sent in both headers', [CSRF, `X-CSRFToken: ${CSRF_TOKEN}`], 'repeated'],
    ['two different values', ['X-CSRFToken: x', CSRF], 'repeated'],
  ])('the CSRF token is %s: 403 on unsafe methods', async (_what, lines, reason) => {
    const sent = [cookie(), SAME_ORIGIN, ...lines]
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      await expectRefused(method, sent, 'csrf_failed', `csrf_token_${reason}`)
    }
    expect((await send(service, 'GET', sent)).status).toBe(200)
  })

  test('a correct CSRF token that is sent twice is refused', async () => {
    const { status } = await send(service, 'POST', [cookie(), SAME_ORIGIN, CSRF, CSRF])
    expect(status).toBe(403)
    expect(refused).toMatchObject([['csrf_failed', expect.stringMatching(/^csrf_token_/)]])
  })

  test('a CSRF token in the query is never read', async () => {
    const path = `/note?csrf_token=${CSRF_TOKEN}&x-csrf-token=${CSRF_TOKEN}`
    expect((await send(service, 'POST', [cookie(), SAME_ORIGIN], path)).status).toBe(403)
  })

  test('the CSRF token of one session does not match the access token of another', async () => {
    const other = cookie(cookieToken({ sid: 'ses-2', csh: csrfHash('other') }))
    await expectRefused('POST', [other, SAME_ORIGIN, CSRF], 'csrf_failed', 'csrf_token_wrong')
  })

  test('a token that was not issued for a cookie is refused in a cookie, with every method', async () => {
    const planted = cookie(cookieToken({ csh: undefined }))
    for (const method of ['GET', 'POST', 'OPTIONS', 'DELETE']) {
      const lines = [planted, SAME_ORIGIN, CSRF]
      await expectRefused(method, lines, 'token_invalid', 'cookie_without_csh')
    }
    for (const csh of [null, '', 7, ['x']]) {
      await expectRefused('GET', [cookie(cookieToken({ csh }))], 'token_invalid', 'claim_invalid')
    }
  })

  test('in the header, a token that was issued for a cookie needs no CSRF token', async () => {
    const lines = [`Authorization: Bearer ${cookieToken()}`, 'Sec-Fetch-Site: cross-site']
    expect((await send(service, 'POST', lines)).status).toBe(200)
  })

  test('an invalid or expired token in the cookie gets the same answer as in the header', async () => {
    const withoutDate = ({ text }: Answer) => text.replace(/^date: .*$/im, '')
    for (const [token, code, reason] of [
      ['x', 'token_invalid', 'token_malformed'],
      [`"${cookieToken()}"`, 'token_invalid', 'header_invalid'],
      [cookieToken({ exp: NOW_SEC - 5 }), 'token_expired', 'token_expired'],
      [cookieToken({ iss: issuer.url }), 'token_invalid', 'issuer_mismatch'],
      [`${cookieToken().slice(0, -86)}${'A'.repeat(86)}`, 'token_invalid', 'signature_invalid'],
      [
        issuer.token({}, { kid: issuer.key.kid }, createTestKey()),
        'token_invalid',
        'signature_invalid',
      ],
    ] as const) {
      const lines = [cookie(token), SAME_ORIGIN, CSRF]
      await expectRefused('POST', lines, code, reason)
      if (token.startsWith('"')) continue
      const inHeader = await send(service, 'POST', [`Authorization: Bearer ${token}`])
      expect(withoutDate(await send(service, 'POST', lines))).toBe(withoutDate(inHeader))
    }
    await expectRefused('GET', [cookie('')], 'token_invalid', 'token_malformed')
  })

  test('another site learns nothing about the token', async () => {
    const site = ['Sec-Fetch-Site: cross-site', `Origin: ${FOREIGN}`]
    for (const token of ['x', cookieToken({ exp: 1 }), cookieToken({ csh: undefined })]) {
      await expectRefused('POST', [cookie(token), ...site], 'csrf_failed', 'origin_refused')
    }
  })

  test.each<[what: string, lines: () => readonly string[]]>([
    ['in one header', () => [`${cookie()}; ${NAME}=${cookieToken()}`]],
    ['planted first', () => [`Cookie: ${NAME}=x; ${NAME}=${cookieToken()}`]],
    ['planted last', () => [`${cookie()}; a=b; ${NAME}=`]],
    ['in two headers', () => [cookie(), cookie()]],
    ['in two headers with others', () => [`Cookie: ${NAME}=x; a=1`, 'cOOKIE: b=2', cookie()]],
  ])('the cookie is sent twice, %s: 400', async (_what, lines) => {
    await expectRefused('GET', lines(), 'request_malformed', 'cookie_repeated')
  })

  test.each([
    `=${NAME}=TOKEN`,
    ` =${NAME}=TOKEN`,
    NAME,
    `${NAME} =TOKEN`,
    `a=${NAME}=TOKEN`,
    `a="${NAME}=TOKEN"`,
    'cs_access=TOKEN',
    '__Secure-cs_access=TOKEN',
    '__host-cs_access=TOKEN',
    '__HOST-cs_access=TOKEN',
    '__Host-CS_ACCESS=TOKEN',
    '%5F%5FHost-cs_access=TOKEN',
    'access_token=TOKEN',
    'Authorization=Bearer TOKEN',
  ])('Cookie: %s is not the cookie', async (value) => {
    const line = `Cookie: ${value.replace('TOKEN', cookieToken())}`
    await expectMissing('GET', [line, SAME_ORIGIN])
    // It does not affect the valid cookie either.
    expect((await send(service, 'GET', [`${line}; ${NAME}=${cookieToken()}`])).status).toBe(200)
  })

  test('300 other cookies, in one header or in many, change nothing', async () => {
    const pairs = Array.from({ length: 300 }, (_, n) => `cookie_${n}=value`)
    const one = `Cookie: ${pairs.toSpliced(150, 0, `${NAME}=${cookieToken()}`).join('; ')}`
    expect((await send(service, 'GET', [one])).status).toBe(200)
    const many = [...pairs.slice(0, 20).map((pair) => `Cookie: ${pair}`), cookie()]
    expect((await send(service, 'GET', many)).status).toBe(200)
  })

  test('a Bearer token in the header takes precedence, valid or not, and the cookie is not read', async () => {
    const good = `Authorization: Bearer ${cookieToken({ sub: 'acc-2', csh: undefined })}`
    for (const line of [cookie(), cookie('x'), `Cookie: ${NAME}=x; ${NAME}=y`]) {
      const { status, text } = await send(service, 'POST', [good, line, `Origin: ${FOREIGN}`])
      expect([status, text.includes('"acc-2"')]).toEqual([200, true])
    }
    const rest = [cookie(), SAME_ORIGIN, CSRF]
    const bad = 'Authorization: Bearer x'
    await expectRefused('POST', [bad, ...rest], 'token_invalid', 'token_malformed')
    const malformed = 'Authorization: Bearer x y'
    const reason = 'authorization_unreadable'
    await expectRefused('POST', [malformed, ...rest], 'request_malformed', reason)
    expect((await send(service, 'POST', [good, good, ...rest])).status).toBe(400)
  })

  test('another scheme in the header counts as no token, so the cookie is read', async () => {
    for (const line of ['Authorization: Basic YTpi', 'Authorization: Digest x', 'Authorization:']) {
      expect((await send(service, 'POST', [line, cookie(), SAME_ORIGIN, CSRF])).status).toBe(200)
      await expectRefused(
        'POST',
        [line, cookie(), SAME_ORIGIN],
        'csrf_failed',
        'csrf_token_missing',
      )
    }
  })

  test('optionalAuth: a request that another site may have sent is anonymous', async () => {
    const hello = async (method: string, lines: readonly string[]) => {
      refused = []
      const { status, text } = await send(service, method, lines, '/hello')
      expect(status).toBe(200)
      return text.includes('{"sub":"acc-1"}')
    }
    expect(await hello('GET', [cookie()])).toBe(true)
    expect(await hello('POST', [cookie(), SAME_ORIGIN, CSRF])).toBe(true)
    expect(await hello('POST', [cookie(), CSRF, `Origin: ${FOREIGN}`])).toBe(false)
    expect(refused).toEqual([['csrf_failed', 'origin_refused']])
    expect(await hello('POST', [cookie(), SAME_ORIGIN])).toBe(false)
    expect(refused).toEqual([['csrf_failed', 'csrf_token_missing']])
    expect(await hello('GET', [cookie(), cookie()])).toBe(false)
    expect(refused).toEqual([['request_malformed', 'cookie_repeated']])
    expect(await hello('POST', [])).toBe(false)
  })

  test('without the option cookies, no cookie is read', async () => {
    const off: Array<Partial<GuardOptions>> = [{ cookies: false }, { cookies: undefined as never }]
    for (const options of off) {
      await withGuard(options, async (alone) => {
        for (const line of [cookie(), `Cookie: ${NAME}=x; ${NAME}=y`]) {
          const { status, text } = await send(alone, 'POST', [line, SAME_ORIGIN, CSRF])
          expect(status).toBe(401)
          expect(text).toContain('"code":"token_missing"')
        }
      })
    }
  })

  test('cookies: true accepts only pages of the service itself', async () => {
    await withGuard({ cookies: true }, async (alone) => {
      expect((await send(alone, 'POST', [cookie(), CSRF, SAME_ORIGIN])).status).toBe(200)
      expect((await send(alone, 'POST', [cookie(), CSRF, `Origin: ${LISTED}`])).status).toBe(403)
    })
  })

  test('the cookie name follows from the issuer, or is an option', async () => {
    await withGuard({ cookies: { name: '__Secure-cs_access' } }, async (alone) => {
      const shared = cookie().replace(NAME, '__Secure-cs_access')
      expect((await send(alone, 'GET', [shared])).status).toBe(200)
      expect((await send(alone, 'GET', [cookie()])).status).toBe(401)
    })
    const local = issuer.url
    await withGuard({ issuer: local, cookies: true }, async (alone) => {
      const value = cookieToken({ iss: local, aud: local })
      expect((await send(alone, 'GET', [`Cookie: cs_access=${value}`])).status).toBe(200)
      expect((await send(alone, 'GET', [cookie(value)])).status).toBe(401)
    })
  })

  test('a request that waits for the keys is checked like any other', async () => {
    const cases: Array<[status: number, lines: readonly string[]]> = [
      [200, [cookie(), SAME_ORIGIN, CSRF]],
      [403, [cookie(), SAME_ORIGIN]],
      [401, [cookie(cookieToken({ csh: undefined })), SAME_ORIGIN, CSRF]],
    ]
    for (const [expected, lines] of cases) {
      await withGuard({}, async (alone) => {
        expect((await send(alone, 'POST', lines)).status).toBe(expected)
      })
    }
  })
})

describe('over HTTP/2, where each cookie may be a separate header', () => {
  /** Sends the cookies as separate fields, which Node does for an array. */
  function request(origin: string, cookies: string[], headers: object = {}): Promise<number> {
    const session = connectHttp2(origin)
    return new Promise<number>((resolve, reject) => {
      const stream = session.request({ ':path': '/', ...headers, cookie: cookies })
      stream.on('response', (answer) => resolve(Number(answer[':status'])))
      stream.on('error', reject)
      stream.resume()
    }).finally(() => session.close())
  }

  async function expectCookiesWork(origin: string) {
    const ours = `${NAME}=${cookieToken()}`
    expect(await request(origin, ['a=1', ours, 'b=2'])).toBe(200)
    expect(await request(origin, ['a=1', 'b=2'])).toBe(401)
    expect(await request(origin, [ours, 'a=1', ours])).toBe(400)
    expect(await request(origin, [ours], { ':method': 'POST' })).toBe(403)
    const right = { ':method': 'POST', 'sec-fetch-site': 'same-origin', 'x-csrf-token': CSRF_TOKEN }
    expect(await request(origin, ['a=1', ours], right)).toBe(200)
    const twice = { ...right, 'x-csrf-token': [CSRF_TOKEN, CSRF_TOKEN] }
    expect(await request(origin, [ours], twice)).toBe(403)
    const page = { ':method': 'POST', 'x-csrf-token': CSRF_TOKEN }
    expect(await request(origin, [ours], { ...page, origin: LISTED })).toBe(200)
    expect(await request(origin, [ours], { ...page, origin: FOREIGN })).toBe(403)
  }

  test("Node's compatibility objects", async () => {
    const guard = newGuard()
    const middleware = onExpress.requireAuth(guard)
    const server = createHttp2Server((incoming, response) => {
      // They have everything that the middleware uses.
      middleware(incoming as never, response as never, () => response.end('in'))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    await expectCookiesWork(`http://127.0.0.1:${portOf(server)}`)
    guard.close()
    server.close()
  })

  test('fastify', async () => {
    const guard = newGuard()
    const app = fastify({ http2: true })
    app.all('/', { onRequest: onFastify.requireAuth(guard) as never }, (_request, reply) =>
      reply.send('in'),
    )
    await expectCookiesWork(await app.listen({ port: 0, host: '127.0.0.1' }))
    guard.close()
    await app.close()
  })

  test('hono', async () => {
    const guard = newGuard()
    const app = new Hono()
    app.all('/', onHono.requireAuth(guard), (c) => c.text('in'))
    const server = serve({ fetch: app.fetch, createServer: createHttp2Server, port: 0 })
    if (!server.listening) await new Promise((resolve) => server.once('listening', resolve))
    await expectCookiesWork(`http://127.0.0.1:${portOf(server)}`)
    guard.close()
    server.close()
  })
})

test('fastify: cookies sent with inject are read', async () => {
  const guard = newGuard()
  const app = fastify()
  app.get('/', { onRequest: onFastify.requireAuth(guard) }, () => 'in')
  const good = await app.inject({ url: '/', cookies: { [NAME]: cookieToken(), a: '1' } })
  expect(good.statusCode).toBe(200)
  guard.close()
})

test('several Cookie values of a custom view that exceed the limit are refused', async () => {
  const guard = newGuard()
  const view = (...cookies: string[]) => ({
    method: 'GET',
    values: (name: string) => (name === 'cookie' ? cookies : []),
  })
  const ours = `${NAME}=${cookieToken()}`
  expect(await guard.authenticate(view('a=1', ours))).toMatchObject({ ok: true })
  expect(await guard.authenticate(view(ours, ours))).toMatchObject({ reason: 'cookie_repeated' })
  expect(await guard.authenticate(view(ours, 'a'.repeat(16 * 1024)))).toMatchObject({
    code: 'request_malformed',
    reason: 'cookie_too_large',
  })
  guard.close()
})

test('a custom view that returns both values of a header sent twice is refused', async () => {
  const guard = newGuard()
  const post = (headers: Readonly<Record<string, readonly string[]>>) =>
    guard.authenticate({
      method: 'POST',
      values: (name) =>
        ({ cookie: [`${NAME}=${cookieToken()}`], 'x-csrf-token': [CSRF_TOKEN], ...headers })[
          name
        ] ?? [],
    })
  expect(await post({ 'sec-fetch-site': ['same-origin'] })).toMatchObject({ ok: true })
  for (const headers of [
    { 'sec-fetch-site': ['same-origin', 'cross-site'] },
    { 'sec-fetch-site': ['cross-site', 'same-origin'] },
    { origin: [LISTED, FOREIGN] },
    { origin: [FOREIGN, LISTED] },
  ]) {
    expect(await post(headers)).toMatchObject({ reason: 'origin_refused' })
  }
  guard.close()
})

test('inherited properties are not read as headers', () => {
  const headers = Object.create({ 'sec-fetch-site': 'same-origin' }, {})
  const view = viewOfNode({ method: 'POST', headers, rawHeaders: [] })
  expect(view.values('sec-fetch-site')).toEqual([])
})
