import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import {
  ISSUER,
  openTestAuthority,
  PASSWORD,
  USERNAME,
  type Pair,
  type TestAuthority,
} from './support/authority.ts'
import {
  askWithSecret,
  basic,
  expectError,
  newClient,
  tokenOf,
  type TestClient,
} from './support/clients.ts'
import { ask, FORM_TYPE, type Answer } from './support/contract.ts'
import { query } from './support/database.ts'
import { claimsOf } from './support/forge.ts'

let it: TestAuthority
let client: TestClient
beforeEach(async () => {
  it = await openTestAuthority()
  client = await newClient(it, 'gateway')
})
afterEach(() => it[Symbol.asyncDispose]())

function post(
  path: string,
  form: Readonly<Record<string, string>>,
  by: TestClient = client,
): Promise<Answer> {
  return ask(it, path, {
    type: FORM_TYPE,
    body: new URLSearchParams(form).toString(),
    headers: basic(by.id, by.secret),
  })
}

const revoke = (token: string, by?: TestClient): Promise<Answer> =>
  post('/oauth2/revoke', { token }, by)

async function introspect(token: string, by?: TestClient): Promise<Record<string, unknown>> {
  const answer = await post('/oauth2/introspect', { token }, by)
  expect(answer.status).toBe(200)
  expect(answer.headers.get('cache-control')).toBe('no-store')
  return JSON.parse(answer.text) as Record<string, unknown>
}

async function me(access: string): Promise<number> {
  const headers = { authorization: `Bearer ${access}` }
  return (await it.authority.fetch(new Request(`${ISSUER}/auth/me`, { headers }))).status
}

async function refresh({ refresh: token }: Pair): Promise<number> {
  return (await it.post('/api/token/refresh/', { refresh: token })).status
}

const INACTIVE = { active: false }

describe('POST /oauth2/introspect (RFC 7662)', () => {
  test('returns the claims of an access token', async () => {
    await it.authority.accounts.addRole(USERNAME, 'reader', 'test')
    const { access } = await it.login()
    const { csh: _, ...claims } = claimsOf(access)
    expect(await introspect(access)).toEqual({
      active: true,
      ...claims,
      token_type: 'Bearer',
      username: USERNAME,
    })
  })

  test('returns the account and the expiry of a refresh token', async () => {
    const pair = await it.login()
    const { sub, sid, iat, exp, jti } = claimsOf(pair.refresh)
    expect(await introspect(pair.refresh)).toEqual({
      active: true,
      iss: ISSUER,
      sub,
      sid,
      iat,
      exp,
      jti,
      client_id: 'first-party',
      username: USERNAME,
    })
  })

  test('returns no username for a service account', async () => {
    const token = tokenOf(await askWithSecret(it, client))
    expect(await introspect(token)).toMatchObject({ active: true, sub: client.id })
    expect(await introspect(token)).not.toHaveProperty('username')
  })

  test.each<[string, (pair: Pair) => unknown]>([
    ['an expired token', () => it.clock.advanceMs(301_000)],
    ['a token of an ended session', (pair) => it.post('/api/token/blacklist/', pair)],
    ['a token of a disabled account', () => it.authority.accounts.disable(USERNAME, 'test')],
    [
      'a token from before a change of roles',
      () => it.authority.accounts.addRole(USERNAME, 'new', 'test'),
    ],
    ['a revoked token', (pair) => revoke(pair.access)],
  ])('returns only active: false for %s', async (_, act) => {
    const pair = await it.login()
    expect(await introspect(pair.access)).toMatchObject({ active: true })
    await act(pair)
    expect(await introspect(pair.access)).toEqual(INACTIVE)
  })

  test.each(['', 'x', 'a.b.c', 'é', 'x'.repeat(9_000)])('also for the text %j', async (token) => {
    const answer = await post('/oauth2/introspect', { token, token_type_hint: 'anything' })
    if (token === '') expectError(answer, 400, 'invalid_request')
    else expect(JSON.parse(answer.text)).toEqual(INACTIVE)
  })

  test('shows a service account of a tenant only tokens in that tenant', async () => {
    const { tenants } = it.authority
    await tenants.create('acme', 'test')
    await tenants.create('globex', 'test')
    await tenants.setMember({ username: USERNAME, tenant: 'acme', roles: [] }, 'test')
    const acme = await newClient(it, 'acme-gateway', { tenant: 'acme' })
    const globex = await newClient(it, 'globex-gateway', { tenant: 'globex' })
    const { access, refresh: token } = await it.login()
    expect(await introspect(access, acme)).toMatchObject({ active: true })
    expect(await introspect(token, acme)).toMatchObject({ active: true })
    expect(await introspect(access, globex)).toEqual(INACTIVE)
    expect(await introspect(token, globex)).toEqual(INACTIVE)
  })
})

describe('POST /oauth2/revoke (RFC 7009)', () => {
  test('revokes one access token at every endpoint, with one log entry', async () => {
    const pair = await it.login()
    const other = await it.login()
    expect(await me(pair.access)).toBe(200)
    for (let times = 0; times < 3; times++) {
      expect(await revoke(pair.access)).toMatchObject({ status: 200, text: '' })
    }
    expect(await me(pair.access)).toBe(401)
    expect((await it.post('/api/token/verify/', { token: pair.access })).status).toBe(401)
    expect(await me(other.access)).toBe(200)
    // The session stays live and gets another token.
    expect(await refresh(pair)).toBe(200)
    expect(query(it.dataDir, 'SELECT kind, subject, hard FROM revocations')).toEqual([
      { kind: 'token', subject: claimsOf(pair.access)['jti'], hard: 0 },
    ])
  })

  test('of a refresh token ends its session', async () => {
    const pair = await it.login()
    expect(await revoke(pair.refresh)).toMatchObject({ status: 200, text: '' })
    expect(await me(pair.access)).toBe(401)
    expect(await refresh(pair)).toBe(401)
    expect(await revoke(pair.refresh)).toMatchObject({ status: 200 })
  })

  test('of an old copy of a refresh token ends its session too', async () => {
    const pair = await it.login()
    expect(await refresh(pair)).toBe(200)
    it.clock.advanceMs(20_000)
    expect(await revoke(pair.refresh)).toMatchObject({ status: 200 })
    expect(await me(pair.access)).toBe(401)
  })

  test.each(['nothing', 'a.b.c', 'x'.repeat(9_000)])('of %j succeeds', async (token) => {
    expect(await revoke(token)).toMatchObject({ status: 200, text: '' })
  })

  test('of the tokens of another service account is refused', async () => {
    const other = await newClient(it, 'other')
    const token = tokenOf(await askWithSecret(it, other))
    expectError(await revoke(token), 400, 'unauthorized_client')
    expect(await introspect(token)).toMatchObject({ active: true })
    expect(await revoke(token, other)).toMatchObject({ status: 200 })
    expect(await introspect(token)).toEqual(INACTIVE)
  })

  test('of its own tokens is limited to a hundred at once, then one a second', async () => {
    const own = await Promise.all(
      Array.from({ length: 103 }, async () => tokenOf(await askWithSecret(it, client))),
    )
    const [first = '', ...others] = own
    for (const token of others.slice(0, 100)) expect((await revoke(token)).status).toBe(200)
    const throttled = await revoke(first)
    expectError(throttled, 429, 'temporarily_unavailable')
    expect(throttled.headers.get('retry-after')).toBe('1')
    expect((await introspect(first))['active']).toBe(true)
    // Tokens of people are not counted.
    expect((await revoke((await it.login()).access)).status).toBe(200)
    it.clock.advanceMs(1_000)
    expect((await revoke(first)).status).toBe(200)
    expect((await introspect(first))['active']).toBe(false)
  })

  test('by a service account of a tenant is limited to its own tokens', async () => {
    await it.authority.tenants.create('acme', 'test')
    await it.authority.tenants.setMember({ username: USERNAME, tenant: 'acme', roles: [] }, 'test')
    const bound = await newClient(it, 'bound', { tenant: 'acme' })
    const pair = await it.login()
    // The answer equals the answer for a text that is not a token. Introspection reveals nothing either.
    for (const token of [pair.access, pair.refresh, 'none']) {
      expect((await revoke(token, bound)).status).toBe(200)
    }
    expect(await me(pair.access)).toBe(200)
    expect(await refresh(pair)).toBe(200)
    it.clock.advanceMs(20_000)
    // An old copy must not end the session, because this service account may not revoke it.
    expect(await revoke(pair.refresh, bound)).toMatchObject({ status: 200 })
    expect(await me(pair.access)).toBe(200)
  })
})

describe.each(['/oauth2/revoke', '/oauth2/introspect'])('%s', (path) => {
  test('requires authentication', async () => {
    const { access } = await it.login()
    const form = { token: access }
    expectError(
      await ask(it, path, { type: FORM_TYPE, body: `token=${access}` }),
      401,
      'invalid_client',
    )
    expectError(await post(path, form, { ...client, secret: 'guessed' }), 401, 'invalid_client')
    await it.authority.clients.disable('gateway', 'test')
    expectError(await post(path, form), 401, 'invalid_client')
    expect(await me(access)).toBe(200)
  })

  test('does not accept an access token as authentication', async () => {
    const { access } = await it.login()
    const answer = await ask(it, path, {
      type: FORM_TYPE,
      body: `token=${access}`,
      headers: { authorization: `Bearer ${access}` },
    })
    expectError(answer, 401, 'invalid_client')
  })

  test('accepts only forms, with each parameter once', async () => {
    const headers = basic(client.id, client.secret)
    const json = await ask(it, path, { body: JSON.stringify({ token: PASSWORD }), headers })
    expectError(json, 415, 'invalid_request')
    const twice = await ask(it, path, { type: FORM_TYPE, body: 'token=a&token=b', headers })
    expectError(twice, 400, 'invalid_request')
  })
})
