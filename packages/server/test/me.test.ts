import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'

import {
  ISSUER,
  openTestAuthority,
  PASSWORD,
  USERNAME,
  type Pair,
  type TestAuthority,
} from './support/authority.ts'
import { ask, askJson, type Answer } from './support/contract.ts'
import { claimsOf } from './support/forge.ts'

let it: TestAuthority
let pair: Pair
beforeAll(async () => {
  it = await openTestAuthority()
})
afterAll(() => it[Symbol.asyncDispose]())
beforeEach(async () => {
  pair = await it.login()
})

function me(authorization?: string): Promise<Answer> {
  const headers: Record<string, string> = authorization === undefined ? {} : { authorization }
  return ask(it, '/auth/me', { method: 'GET', type: null, headers })
}

const REALM = `Bearer realm="${ISSUER}"`
const INVALID = `${REALM}, error="invalid_token"`

/** Asserts a problem document with this code, and a challenge that begins with this text. */
function expectProblem(answer: Answer, status: number, code: string, challenge: string): void {
  expect(answer.status).toBe(status)
  expect(JSON.parse(answer.text)).toEqual({
    type: 'about:blank',
    title: status === 400 ? 'Bad Request' : 'Unauthorized',
    status,
    detail: expect.any(String),
    code,
  })
  expect(answer.headers.get('content-type')).toBe('application/problem+json')
  expect(answer.headers.get('cache-control')).toBe('no-store')
  expect(answer.headers.get('www-authenticate')?.startsWith(challenge)).toBe(true)
}

test('shows the account of the token', async () => {
  const { sub, sid } = claimsOf(pair.access)
  const answer = await me(`Bearer ${pair.access}`)
  expect(answer.status).toBe(200)
  expect(answer.text).toBe(
    JSON.stringify({
      sub,
      username: USERNAME,
      user_id: sub,
      roles: [],
      permissions: [],
      tenant: null,
      tenants: [],
      sid,
      auth_time: Math.floor(it.clock.nowMs() / 1000),
      amr: ['pwd'],
    }),
  )
  expect(Object.fromEntries(answer.headers)).toMatchObject({
    'content-type': 'application/json',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  })
  expect(answer.headers.get('www-authenticate')).toBeNull()
})

test('shows the current roles, not those of the token', async () => {
  await it.authority.accounts.addRole(USERNAME, 'editor', 'test')
  const answer = await me(`Bearer ${pair.access}`)
  expect(JSON.parse(answer.text)).toMatchObject({ roles: ['editor'] })
  await it.authority.accounts.removeRole(USERNAME, 'editor', 'test')
})

test('shows roles and permissions in the tenant apart from the global ones', async () => {
  const { accounts, tenants, roles } = it.authority
  await tenants.create('globex', 'test')
  await roles.define({ name: 'admin', permissions: ['users.delete'] }, 'test')
  await roles.define({ name: 'support', permissions: ['tickets.read'] }, 'test')
  await accounts.create({ username: 'mallory', password: PASSWORD, roles: ['support'] }, 'test')
  await tenants.setMember({ username: 'mallory', tenant: 'globex', roles: ['admin'] }, 'test')
  const body = { username: 'mallory', password: PASSWORD }
  const { access } = (await (await it.post('/api/token/', body)).json()) as Pair
  const answer = await me(`Bearer ${access}`)
  expect(JSON.parse(answer.text)).toMatchObject({
    roles: ['support'],
    permissions: ['tickets.read'],
    tenant_roles: ['admin'],
    tenant_permissions: ['users.delete'],
    tenant: { name: 'globex' },
  })
})

test.each(['bearer', 'BEARER', 'Bearer '])('accepts the scheme as %j', async (scheme) => {
  expect((await me(`${scheme} ${pair.access}`)).status).toBe(200)
})

describe('without a bearer token, names no error', () => {
  test.each([undefined, '', 'Basic YWxpY2U6eA==', 'Digest x', 'Token abc', 'Bearerx abc'])(
    '%s',
    async (authorization) => {
      const answer = await me(authorization)
      expectProblem(answer, 401, 'token_missing', REALM)
      expect(answer.headers.get('www-authenticate')).not.toContain('error')
    },
  )
})

test.each(['Bearer', 'Bearer a b', 'Bearer a,b', 'Bearer "x"', 'Bearer a, Bearer b', 'Bearer é'])(
  'rejects the header as malformed: %s',
  async (authorization) => {
    const challenge = `${REALM}, error="invalid_request"`
    expectProblem(await me(authorization), 400, 'request_malformed', challenge)
  },
)

describe('refuses', () => {
  test.each(['x', 'a.b.c', 'eyJhbGciOiJub25lIn0.e30.', 'a'.repeat(9_000)])(
    'garbage',
    async (token) => {
      expectProblem(await me(`Bearer ${token}`), 401, 'token_invalid', INVALID)
    },
  )
  test('a refresh token', async () => {
    expectProblem(await me(`Bearer ${pair.refresh}`), 401, 'token_invalid', INVALID)
  })
  test('an expired token, from the second of its exp on', async () => {
    it.clock.advanceMs(299_999)
    expect((await me(`Bearer ${pair.access}`)).status).toBe(200)
    it.clock.advanceMs(1)
    expectProblem(await me(`Bearer ${pair.access}`), 401, 'token_expired', INVALID)
  })
  test('the token of a session that was ended, at once', async () => {
    await askJson(it, '/api/token/blacklist/', { refresh: pair.refresh })
    expectProblem(await me(`Bearer ${pair.access}`), 401, 'session_ended', INVALID)
  })
  test('the token of a session whose password was changed', async () => {
    await it.authority.accounts.setPassword(USERNAME, PASSWORD, 'test')
    expectProblem(await me(`Bearer ${pair.access}`), 401, 'session_ended', INVALID)
  })
  test('the token of a disabled account', async () => {
    await it.authority.accounts.disable(USERNAME, 'test')
    expectProblem(await me(`Bearer ${pair.access}`), 401, 'account_disabled', INVALID)
    await it.authority.accounts.enable(USERNAME, 'test')
    expectProblem(await me(`Bearer ${pair.access}`), 401, 'session_ended', INVALID)
  })
})

test('reads a token only from the header', async () => {
  const path = `/auth/me?access_token=${pair.access}`
  const headers = { cookie: `access=${pair.access}` }
  const answer = await ask(it, path, { method: 'GET', type: null, headers })
  expectProblem(answer, 401, 'token_missing', REALM)
})
