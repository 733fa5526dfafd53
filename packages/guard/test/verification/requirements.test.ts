import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import {
  combineGuards,
  createAuthenticator,
  createGuard,
  metricsText,
  resourceMetadata,
  watchToken,
  type Guard,
  type Refused,
  type Requirements,
} from '../../src/index.ts'
import { NOW_MS, NOW_SEC, TestIssuer } from '../support/issuer.ts'

const issuer = new TestIssuer()
const other = new TestIssuer()
let guard: Guard
beforeAll(async () => {
  await issuer.start()
  await other.start()
  guard = createGuard({
    issuer: issuer.url,
    clock: () => NOW_MS,
    onNotice: () => {},
    resourceMetadata: 'https://api.example/.well-known/oauth-protected-resource',
  })
  await guard.ready()
})
afterAll(async () => {
  guard.close()
  await issuer.stop()
  await other.stop()
})

async function ask(
  requirements: Requirements<Request>,
  claims: object = {},
): Promise<{ status: number; code?: string; challenge: string | null }> {
  const request = new Request('https://api.example/acme/me', {
    headers: { authorization: `Bearer ${issuer.token(claims)}`, 'x-tenant': 'ten_1' },
  })
  const result = await createAuthenticator(guard, requirements)(request)
  if (result.ok) return { status: 200, challenge: null }
  const { code } = (await result.response.json()) as { code: string }
  const { status, headers } = result.response
  return { status, code, challenge: headers.get('www-authenticate') }
}

describe('a route that requires', () => {
  test('a role passes if the account has one of the named roles', async () => {
    expect(await ask({ roles: ['admin', 'reader'] })).toMatchObject({ status: 200 })
    const refused = await ask({ roles: ['admin', 'owner'] })
    expect(refused).toMatchObject({ status: 403, code: 'role_missing' })
    expect(refused.challenge).toContain('error="insufficient_scope"')
  })

  test.each<[string, Requirements<Request>['tenant'], object, number]>([
    ['the one', 'ten_1', { tid: 'ten_1' }, 200],
    ['another', 'ten_1', { tid: 'ten_2' }, 403],
    ['required, and the token has none', 'ten_1', {}, 403],
    ['the one in a header', ({ headers }) => headers.get('x-tenant') ?? '', { tid: 'ten_1' }, 200],
    ['the one in the path', ({ url }) => `ten_${new URL(url).pathname[1]}`, { tid: 'ten_a' }, 200],
    ['from a request that names none', () => undefined, {}, 403],
    [
      'from a request that names none, with a token of a tenant',
      () => undefined,
      { tid: 'ten_1' },
      403,
    ],
    ['its name', 'acme', { tid: 'ten_1', tenant_name: 'acme' }, 200],
    ['its name in capitals', 'ACME', { tid: 'ten_1', tenant_name: 'acme' }, 403],
    ['the name of another', 'globex', { tid: 'ten_1', tenant_name: 'acme' }, 403],
    ['a name, and the token has no name', 'undefined', { tid: 'ten_1' }, 403],
    ['any', '*', { tid: 'ten_1' }, 200],
    ['any, and the token has none', '*', {}, 403],
    ['any, chosen by the request', () => '*', { tid: 'ten_1', tenant_name: 'acme' }, 403],
    ['an empty text from the request', () => '', { tid: 'ten_1' }, 403],
    ['null, from untyped code', () => null as never, { tid: 'ten_1' }, 403],
    [
      'a promise, from untyped code',
      (() => Promise.resolve('ten_1')) as never,
      { tid: 'ten_1' },
      403,
    ],
    ['a list, from untyped code', () => ['ten_1'] as never, { tid: 'ten_1' }, 403],
  ])('a tenant: %s', async (_, tenant, claims, status) => {
    expect((await ask(tenant === undefined ? {} : { tenant }, claims)).status).toBe(status)
  })

  test.each<[string, Requirements<Request>, number]>([
    ['no tenant', { roles: ['admin'] }, 403],
    ['the tenant of the token', { roles: ['admin'], tenant: 'globex' }, 200],
    ['another tenant', { roles: ['admin'], tenant: 'acme' }, 403],
    ['any tenant', { roles: ['admin'], tenant: '*' }, 200],
    ['any tenant, and a role that is global', { roles: ['reader'], tenant: '*' }, 200],
    ['no tenant, and a role that is global', { roles: ['reader'] }, 200],
    ['any tenant, and a role that is neither', { roles: ['owner'], tenant: '*' }, 403],
  ])(
    'a role counts as one in a tenant if the requirement names %s',
    async (_, required, status) => {
      const claims = { tid: 'ten_1', tenant_name: 'globex', tenant_roles: ['admin'] }
      expect((await ask(required, claims)).status).toBe(status)
    },
  )

  test.each([
    ['the scope', ['orders:read'], 'orders:read', 200],
    ['one of several scopes', ['orders:read'], 'openid orders:read', 200],
    ['all of several scopes', ['a', 'b'], 'b c a', 200],
    ['only some of the scopes', ['a', 'b'], 'a', 403],
    ['a longer scope', ['orders'], 'orders:read', 403],
    ['the scope in capitals', ['a'], 'A', 403],
    ['an empty scope', ['a'], '', 403],
    ['no scope, as after a direct login', ['a'], undefined, 403],
  ])('scopes, and the token has %s', async (_, scopes, scope, status) => {
    const answer = await ask({ scopes }, scope === undefined ? {} : { scope })
    expect(answer.status).toBe(status)
    if (status === 200) return
    expect(answer.code).toBe('scope_missing')
    // The client learns for which scopes to ask (RFC 6750 §3).
    expect(answer.challenge).toContain(`error="insufficient_scope"`)
    expect(answer.challenge).toContain(`scope="${scopes.join(' ')}"`)
  })

  test('scopes: a request without a token also learns them', async () => {
    const both = combineGuards([guard, createGuard({ issuer: 'https://b.example', onNotice() {} })])
    for (const each of [guard, both]) {
      const check = createAuthenticator(each, { scopes: ['a', 'b'] })
      const result = await check(new Request('https://api.example/me'))
      expect(result.response?.headers.get('www-authenticate')).toContain('scope="a b"')
    }
  })

  test('a stronger login: the challenge names what is missing (RFC 9470)', async () => {
    expect(await ask({ acr: 'mfa' }, { acr: 'mfa' })).toMatchObject({ status: 200 })
    const { status, challenge } = await ask({ acr: ['mfa', 'hw'] }, { acr: 'pwd' })
    expect(status).toBe(401)
    expect(challenge).toContain('error="insufficient_user_authentication"')
    expect(challenge).toContain('acr_values="mfa hw"')
  })

  test.each([
    [0, 200],
    [600, 200],
    [601, 401],
    [undefined, 401],
  ])('a recent login, with a login %s s ago', async (ago, status) => {
    const claims = ago === undefined ? {} : { auth_time: NOW_SEC - ago }
    const answer = await ask({ maxAgeSec: 600 }, claims)
    expect(answer.status).toBe(status)
    if (status === 401) expect(answer.challenge).toContain('max_age="600"')
  })

  test.each<[string, object]>([
    ['inherits them', Object.create({ roles: ['owner'] }) as object],
    [
      'is an instance of a class',
      new (class {
        get roles(): string[] {
          return ['owner']
        }
      })(),
    ],
    ['hides one', Object.defineProperty({}, 'roles', { value: ['owner'] })],
    ['names one by a symbol', { [Symbol('roles')]: ['owner'] }],
    ['is a list', ['owner']],
    ['is a set', new Set(['owner'])],
    ['is a function', () => ['owner']],
    [
      'inherits a member besides a function',
      Object.assign(Object.create({ roles: ['owner'] }) as object, { tenant: () => 'ten_1' }),
    ],
  ])('requirements in an object that %s throw when the route is created', (_, odd) => {
    expect(() => guard.route(odd as Requirements)).toThrow('plain object')
    expect(() => createAuthenticator(guard, odd as Requirements<Request>)).toThrow('plain object')
  })

  test('a role still requires it after the caller empties the list', async () => {
    const roles = ['admin']
    const check = createAuthenticator(guard, { roles })
    roles.length = 0
    const headers = { authorization: `Bearer ${issuer.token()}` }
    expect(await check(new Request('https://api.example/me', { headers }))).toMatchObject({
      ok: false,
    })
  })

  test('something that needs the feed throws if there is no feed', () => {
    expect(() => guard.route({ permissions: ['a'] })).toThrow('permissions')
    expect(() => guard.route({ policy: 'strict' })).toThrow('strict')
  })

  test.each<[string, object]>([
    ['role', { role: ['admin'] }],
    ['roles', { roles: [] }],
    ['roles', { roles: 'admin' }],
    ['roles', { roles: ['a b'] }],
    ['scopes', { scopes: [] }],
    ['scopes', { scopes: 'a b' }],
    ['scopes', { scopes: ['a b'] }],
    ['acr', { acr: 'a"b' }],
    ['tenant', { tenant: '' }],
    ['tenant', { tenant: 7 }],
    ['tenant', { tenant: undefined }],
    ['roles', { roles: undefined }],
    ['maxAgeSec', { maxAgeSec: -1 }],
    ['policy', { policy: 'loose' }],
  ])('an invalid requirement (%s: %j) throws when the route is created', (name, bad) => {
    expect(() => guard.route(bad as Requirements)).toThrow(name)
  })
})

test('a refusal names the metadata of the resource (RFC 9728)', async () => {
  const result = await createAuthenticator(guard)(new Request('https://api.example/me'))
  expect(result.ok).toBe(false)
  if (result.ok) return
  expect(result.response.headers.get('www-authenticate')).toBe(
    `Bearer realm="${issuer.url}", resource_metadata="https://api.example/.well-known/oauth-protected-resource"`,
  )
  expect(resourceMetadata(guard, { resource: 'https://api.example' })).toEqual({
    resource: 'https://api.example',
    authorization_servers: [issuer.url],
    bearer_methods_supported: ['header'],
  })
})

test('with several issuers each token is verified by its own issuer', async () => {
  const second = createGuard({ issuer: other.url, clock: () => NOW_MS, onNotice: () => {} })
  const both = combineGuards([guard, second])
  await both.ready()
  const codeOf = async (token: string): Promise<string> => {
    const result = await both.verify(token)
    return result.ok ? result.claims.iss : result.code
  }
  expect(await codeOf(issuer.token())).toBe(issuer.url)
  expect(await codeOf(other.token())).toBe(other.url)
  // The claims of the other issuer, signed with our key; and a token of an unknown issuer.
  expect(await codeOf(issuer.token({ iss: other.url }))).toBe('token_invalid')
  expect(await codeOf(issuer.token({ iss: 'https://nobody.example' }))).toBe('token_invalid')
  expect(await codeOf('x')).toBe('token_invalid')
  expect(() => combineGuards([guard, guard])).toThrow('the same issuer')
  const before = guard.metrics()
  expect(both.metrics()).toMatchObject({
    verified: before.verified + 1,
    refused: { token_invalid: (before.refused.token_invalid ?? 0) + 1 },
  })
  second.close()
})

test('with several issuers the challenge comes from the issuer of the token', async () => {
  const second = createGuard({ issuer: other.url, clock: () => NOW_MS, onNotice: () => {} })
  const both = combineGuards([guard, second])
  await both.ready()
  const challengeTo = async (token?: string): Promise<string | null> => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
    const asked = new Request('https://api.example/me', { headers })
    const result = await createAuthenticator(both, { roles: ['owner'] })(asked)
    return result.ok ? 'in' : result.response.headers.get('www-authenticate')
  }
  expect(await challengeTo(other.token())).toMatch(`Bearer realm="${other.url}", error=`)
  expect(await challengeTo(issuer.token())).toMatch(`Bearer realm="${issuer.url}", error=`)
  const resource = 'https://api.example'
  for (const all of [both, [guard, second]]) {
    const { authorization_servers } = resourceMetadata(all, { resource })
    expect(authorization_servers).toEqual([issuer.url, other.url])
  }
  expect(await challengeTo()).toMatch(`Bearer realm="${issuer.url}", resource_metadata=`)
  second.close()
})

test('combining combined guards combines their parts', async () => {
  const second = createGuard({ issuer: other.url, clock: () => NOW_MS, onNotice: () => {} })
  const third = createGuard({ issuer: 'https://third.example', onNotice: () => {} })
  const all = combineGuards([third, combineGuards([guard, second])])
  expect(await all.verify(other.token())).toMatchObject({ ok: true })
  expect(await all.verify(issuer.token())).toMatchObject({ ok: true })
  expect(() => combineGuards([all, second])).toThrow('the same issuer')
  expect(() => combineGuards([] as never)).toThrow('the array is empty')
  second.close()
})

test('guards that read the same cookie cannot be combined', () => {
  const made = ['a', 'b', 'c'].map((name) =>
    createGuard({
      issuer: `https://${name}.example`,
      cookies: name === 'c' ? { name: '__Host-third' } : true,
      onNotice: () => {},
    }),
  )
  const [a, b, c] = made as [Guard, Guard, Guard]
  expect(() => combineGuards([a, b])).toThrow('cookies.name')
  expect(combineGuards([a, c]).cookieName).toBe(a.cookieName)
})

test('metrics count accepted tokens, those from the cache, and refusals', async () => {
  const made = createGuard({ issuer: issuer.url, clock: () => NOW_MS, onNotice: () => {} })
  await made.ready()
  const token = issuer.token()
  for (let times = 0; times < 3; times++) await made.verify(token)
  await made.verify('x')
  expect(made.metrics()).toEqual({
    verified: 3,
    cached: 2,
    refused: { token_invalid: 1 },
    feed: undefined,
  })
  expect(metricsText(made)).toContain(
    `countersign_guard_refused_total{issuer="${issuer.url}",code="token_invalid"} 1\n`,
  )
  const second = createGuard({ issuer: 'https://other.example', onNotice: () => {} })
  const lines = metricsText(combineGuards([made, second])).split('\n')
  expect(lines.filter((line) => line.startsWith('countersign_guard_verified_total'))).toEqual([
    `countersign_guard_verified_total{issuer="${issuer.url}"} 3`,
    'countersign_guard_verified_total{issuer="https://other.example"} 0',
  ])
  made.close()
})

test('a watch ends once when the token expires, and a new token of the session prolongs it', async () => {
  let nowMs = NOW_MS
  const made = createGuard({ issuer: issuer.url, clock: () => nowMs, onNotice: () => {} })
  await made.ready()
  const ends: Refused[] = []
  const live = watchToken(made, issuer.token(), { onEnd: (refused) => ends.push(refused) })
  const longer = issuer.token({ exp: NOW_SEC + 600, jti: 'next' })
  for (const differing of [
    { sid: 'ses-2' },
    { sub: 'acct_2' },
    { tid: 'ten_2' },
    { client_id: 'c' },
  ]) {
    expect(live.renew(issuer.token(differing))).toMatchObject({ ok: false })
  }
  expect(live.renew(longer)).toMatchObject({ ok: true })
  nowMs += 400_000
  await new Promise((resolve) => setTimeout(resolve, 700))
  expect(ends).toEqual([])
  nowMs += 400_000
  await expect.poll(() => ends.length).toBe(1)
  expect(ends[0]).toMatchObject({ code: 'token_expired' })
  await new Promise((resolve) => setTimeout(resolve, 700))
  expect(ends).toHaveLength(1)
  made.close()
})

test('a watch ends although onRefused throws, and a failing listener does not disturb the others', async () => {
  let nowMs = NOW_MS
  const notices: string[] = []
  const made = createGuard({
    issuer: issuer.url,
    clock: () => nowMs,
    onNotice: (text) => notices.push(text),
    onRefused: () => {
      throw new Error('as asked')
    },
  })
  await made.ready()
  let calls = 0
  made.watch(() => {
    calls += 1
    throw new Error('clumsy')
  })
  made.watch(() => Promise.reject(new Error('late')))
  const ends: Refused[] = []
  watchToken(made, issuer.token(), { onEnd: (refused) => ends.push(refused) })
  nowMs += 800_000
  await expect.poll(() => ends.length).toBe(1)
  expect(ends[0]).toMatchObject({ code: 'token_invalid', reason: 'check_threw' })
  const sofar = calls
  await expect.poll(() => calls).toBeGreaterThan(sofar)
  // The other notices are about the feed and about the clock of this test.
  const told = new Set(notices.filter((text) => text.startsWith('A listener')))
  expect(told).toEqual(
    new Set(
      ['as asked', 'clumsy', 'late'].map(
        (why) => `A listener of guard.watch threw an error: ${why}`,
      ),
    ),
  )
  expect(ends).toHaveLength(1)
  // At the start the caller receives the error itself.
  const first = (): unknown => watchToken(made, 'x', { onEnd: (refused) => ends.push(refused) })
  expect(first).toThrow('as asked')
  expect(ends).toHaveLength(2)
  made.close()
})

test('while a watched token is unverified, a token of another session does not prolong the watch', async () => {
  const made = createGuard({ issuer: issuer.url, clock: () => NOW_MS, onNotice: () => {} })
  const ends: Refused[] = []
  const onEnd = (refused: Refused): unknown => ends.push(refused)
  // No keys are loaded yet.
  const live = watchToken(made, issuer.token(), { onEnd })
  const bad = watchToken(made, other.token({ iss: issuer.url }), { onEnd })
  const differing = live.renew(issuer.token({ sid: 'ses-2' }))
  const rescue = bad.renew(issuer.token())
  expect(await differing).toMatchObject({ ok: false, reason: 'session_differs' })
  expect(await rescue).toMatchObject({ ok: false })
  expect(await live.renew(issuer.token({ jti: 'next' }))).toMatchObject({ ok: true })
  expect(ends).toMatchObject([{ code: 'token_invalid' }])
  made.close()
})

test('the other listeners are still called when one throws and onNotice throws too', async () => {
  const made = createGuard({
    issuer: issuer.url,
    clock: () => NOW_MS,
    onNotice: (text) => {
      if (text.startsWith('A listener')) throw new Error('no more')
    },
  })
  let calls = 0
  for (const thrown of [undefined, Object.create(null) as unknown, 'text', new Error('odd')]) {
    made.watch(() => {
      throw thrown
    })
  }
  made.watch(() => {
    calls += 1
  })
  await expect.poll(() => calls).toBeGreaterThan(1)
  made.close()
})

test('a guard without a feed reports that in one notice', () => {
  const notices: string[] = []
  const made = createGuard({ issuer: issuer.url, onNotice: (text) => notices.push(text) })
  expect(notices).toEqual([expect.stringContaining('no revocation feed')])
  expect(made.hasFeed).toBe(false)
  made.close()
})

test('without fault listeners the first fault with each code becomes a notice with its reason', async () => {
  const notices: string[] = []
  const gone = await new TestIssuer().start()
  await gone.stop()
  let now = 0
  const made = createGuard({
    issuer: gone.url,
    elapsed: () => (now += 60_000),
    onNotice: (text) => notices.push(text),
  })
  for (let tries = 0; tries < 3; tries++) await made.verify(issuer.token())
  expect(notices.slice(1)).toEqual([
    `The issuer cannot be reached (ECONNREFUSED). The guard of ${gone.url} retries automatically.`,
  ])
  made.close()
})

test.each<[string, object]>([
  ['feed', { feed: true }],
  ['feed.clientId', { feed: { clientSecret: 's' } }],
  ['feed.clientSecret', { feed: { clientId: 'c', clientSecret: '' } }],
  ['feed.url', { feed: { clientId: 'c', clientSecret: 's', url: 'http://elsewhere.example' } }],
  ['feed.transport', { feed: { clientId: 'c', clientSecret: 's', transport: 'pigeon' } }],
  ['policy', { policy: 'loose' }],
  ['readyTimeoutMs', { readyTimeoutMs: 1 }],
  ['resourceMetadata', { resourceMetadata: 'nowhere' }],
])('the option %s is checked when the guard is made', (name, options) => {
  expect(() => createGuard({ issuer: issuer.url, ...options })).toThrow(name)
})
