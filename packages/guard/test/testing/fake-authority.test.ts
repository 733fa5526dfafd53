import express from 'express'
import { createServer } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { authOf, requireAuth } from '../../src/adapters/express.ts'
import { createAuthenticator, type Guard } from '../../src/index.ts'
import { createFakeAuthority, type FakeAuthority } from '../../src/testing/fake-authority.ts'
import { listen, type Service } from '../support/services.ts'

describe('a service whose guard trusts a fake authority', () => {
  let authority: FakeAuthority
  let service: Service
  beforeAll(async () => {
    authority = createFakeAuthority({ roles: { clerk: ['refunds:create'] } })
    const guard = authority.createGuard({ cookies: { name: '__Host-cs_access' } })
    const app = express()
    app.get('/me', requireAuth(guard), (request, response) => {
      response.json(authOf(request))
    })
    app.get('/admin', requireAuth(guard, { roles: ['admin'] }), answer)
    app.get('/refunds', requireAuth(guard, { permissions: ['refunds:create'] }), answer)
    app.get('/of/:tenant', requireAuth(guard, { tenant: ({ params }) => params['tenant'] }), answer)
    app.get('/editors', requireAuth(guard, { tenant: '*', roles: ['editor'] }), answer)
    app.get('/strict', requireAuth(guard, { policy: 'strict', maxAgeSec: 60 }), answer)
    app.post('/orders', requireAuth(guard), answer)
    service = await listen(createServer(app))
  })
  afterAll(async () => {
    authority.close()
    await service.close()
  })

  function answer(_request: unknown, response: express.Response): void {
    response.json({})
  }

  async function ask(path: string, token?: string): Promise<string> {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
    const { status, ...rest } = await fetch(`${service.origin}${path}`, { headers }).then(
      async (response) => ({ status: response.status, body: (await response.json()) as object }),
    )
    return 'code' in rest.body ? `${status} ${String(rest.body.code)}` : String(status)
  }

  test('the first request passes with a token, and no request without one', async () => {
    expect(await ask('/me', authority.tokenFor())).toBe('200')
    expect(await ask('/me')).toBe('401 token_missing')
  })

  test.each<[path: string, holder: Parameters<FakeAuthority['tokenFor']>[0], expected: string]>([
    ['/admin', { roles: ['admin'] }, '200'],
    ['/admin', { roles: ['reader'] }, '403 role_missing'],
    ['/admin', { tenant: 'acme', tenantRoles: ['admin'] }, '403 role_missing'],
    ['/refunds', { roles: ['clerk'] }, '200'],
    ['/refunds', {}, '403 permission_missing'],
    ['/of/acme', { tenant: 'acme' }, '200'],
    ['/of/ten_9', { tenant: 'ten_9' }, '200'],
    ['/of/acme', { tenant: 'other' }, '403 tenant_mismatch'],
    ['/editors', { tenant: 'acme', tenantRoles: ['editor'] }, '200'],
    ['/me', { expiresInSec: -60 }, '401 token_expired'],
    ['/me', { service: 'svc_1' }, '200'],
    ['/strict', {}, '200'],
    ['/strict', { loggedInSecAgo: 100 }, '401 insufficient_user_authentication'],
    ['/me', { claims: { aud: 'other' } }, '401 token_invalid'],
  ])('%s with %j: %s', async (path, holder, expected) => {
    expect(await ask(path, authority.tokenFor(holder))).toBe(expected)
  })

  test('a token carries the claims of its holder', async () => {
    const token = authority.tokenFor({ sub: 'acct_alice', roles: ['a'], claims: { plan: 'paid' } })
    const response = await fetch(`${service.origin}/me`, {
      headers: { authorization: `Bearer ${token}` },
    })
    expect(await response.json()).toMatchObject({
      sub: 'acct_alice',
      roles: ['a'],
      plan: 'paid',
      iss: 'https://auth.test',
    })
  })

  test('endSession ends one session, at once', async () => {
    const [first, second] = [authority.tokenFor(), authority.tokenFor()]
    const sameSession = authority.tokenFor({ sid: 'ses_1' })
    expect(await ask('/me', first)).toBe('200')
    await authority.endSession(first)
    expect(await ask('/me', first)).toBe('401 session_ended')
    expect(await ask('/me', second)).toBe('200')
    await authority.endSession(authority.tokenFor({ sid: 'ses_1' }))
    expect(await ask('/me', sameSession)).toBe('401 session_ended')
    const account = authority.tokenFor({ service: 'svc_2' })
    await authority.endSession(account)
    expect(await ask('/me', account)).toBe('401 session_ended')
  })

  test('makeStale concerns older tokens of the account only', async () => {
    const old = authority.tokenFor({ sub: 'acct_bob' })
    await authority.makeStale(old)
    expect(await ask('/me', old)).toBe('401 token_stale')
    expect(await ask('/me', authority.tokenFor({ sub: 'acct_bob' }))).toBe('200')
  })

  test('setRoles changes what a role may do, for tokens that were already issued', async () => {
    const token = authority.tokenFor({ roles: ['helper'] })
    expect(await ask('/refunds', token)).toBe('403 permission_missing')
    await authority.setRoles({ helper: ['refunds:create'], clerk: ['refunds:create'] })
    expect(await ask('/refunds', token)).toBe('200')
  })

  test('a token in a cookie passes with its CSRF token', async () => {
    const cookie = `__Host-cs_access=${authority.tokenFor({ csrfToken: 'secret-of-the-session' })}`
    const send = async (headers: Record<string, string>): Promise<number> => {
      const all = { cookie, 'sec-fetch-site': 'same-origin', ...headers }
      return (await fetch(`${service.origin}/orders`, { method: 'POST', headers: all })).status
    }
    expect(await send({ 'x-csrf-token': 'secret-of-the-session' })).toBe(200)
    expect(await send({})).toBe(403)
  })
})

test('a revocation before the guard connects, and one without any guard', async () => {
  const authority = createFakeAuthority({ issuer: 'http://localhost:8000', audience: 'api' })
  const [ended, other] = [authority.tokenFor(), authority.tokenFor()]
  await authority.endSession(ended)
  const guard = authority.createGuard()
  expect(await guard.verify(ended)).toMatchObject({ ok: false, code: 'session_ended' })
  expect(await guard.verify(other)).toMatchObject({ ok: true, claims: { aud: 'api' } })
  authority.close()
  await authority.endSession(other)
})

test('the guards of two fake authorities do not accept each other`s tokens', async () => {
  const [one, two] = [createFakeAuthority(), createFakeAuthority()]
  const guard: Guard = one.createGuard()
  expect(await guard.verify(two.tokenFor())).toMatchObject({ code: 'token_invalid' })
  one.close()
})

test('revocations at the same time are all in force afterwards', async () => {
  const authority = createFakeAuthority()
  const guard = authority.createGuard()
  await guard.ready()
  const tokens = Array.from({ length: 20 }, () => authority.tokenFor())
  await Promise.all(tokens.map((token) => authority.endSession(token)))
  for (const token of tokens) expect(guard.verify(token)).toMatchObject({ code: 'session_ended' })
  authority.close()
})

test('a closed guard does not keep a revocation waiting', async () => {
  const authority = createFakeAuthority()
  const guard = authority.createGuard()
  await guard.ready()
  const token = authority.tokenFor()
  const ending = authority.endSession(token)
  guard.close()
  await ending
})

test('mistakes in tests are reported', async () => {
  const authority = createFakeAuthority()
  expect(() => authority.tokenFor({ tenantRoles: ['a'] })).toThrow(/tenant/)
  await expect(authority.endSession('x')).rejects.toThrow(/tokenFor/)
  await expect(authority.makeStale('x')).rejects.toThrow(/tokenFor/)
  expect(() => authority.createGuard({ polcy: 'open' } as object)).toThrow(/polcy/)
})

test('own claims have their type', async () => {
  const authority = createFakeAuthority()
  const guard = authority.createGuard<{ readonly plan: string }>()
  const request = new Request('https://api.test', {
    headers: { authorization: `Bearer ${authority.tokenFor({ claims: { plan: 'paid' } })}` },
  })
  const result = await createAuthenticator(guard)(request)
  expect(result.ok && result.claims.plan).toBe('paid')
  authority.close()
})
