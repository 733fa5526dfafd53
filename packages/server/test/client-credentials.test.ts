import { createGuard } from '@countersign/guard'
import * as fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { ISSUER, openTestAuthority, type TestAuthority } from './support/authority.ts'
import { membersOf } from './support/browser.ts'
import {
  askToken,
  askWithSecret,
  basic,
  expectError,
  newClient,
  tokenOf,
  type TestClient,
} from './support/clients.ts'
import { ask, askJson, FORM_TYPE, JSON_TYPE, said } from './support/contract.ts'
import { execute, query } from './support/database.ts'
import { claimsOf, headerOf, openForge } from './support/forge.ts'

let it: TestAuthority
let client: TestClient
beforeEach(async () => {
  it = await openTestAuthority({ accessLifetime: '10m' })
  client = await newClient(it, 'billing', { roles: ['reader', 'auditor', 'reader'] })
})
afterEach(() => it[Symbol.asyncDispose]())

test('a service account gets an access token for its id and secret', async () => {
  const answer = await askWithSecret(it, client)
  expect(answer.status).toBe(200)
  expect(Object.fromEntries(answer.headers)).toEqual({
    'content-type': 'application/json',
    'cache-control': 'no-store',
    pragma: 'no-cache',
    'cross-origin-resource-policy': 'same-origin',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
  })
  // There is no refresh token.
  expect(membersOf(answer)).toEqual({
    access_token: expect.any(String),
    token_type: 'Bearer',
    expires_in: 600,
  })
  const token = tokenOf(answer)
  const nowSec = Math.floor(it.clock.nowMs() / 1000)
  expect(headerOf(token)).toMatchObject({ alg: 'ES256', typ: 'at+jwt' })
  // No sid, auth_time or user_id: there is no person.
  expect(claimsOf(token)).toEqual({
    iss: ISSUER,
    sub: client.id,
    aud: ISSUER,
    exp: nowSec + 600,
    iat: nowSec,
    jti: expect.stringMatching(/^[0-9a-f]{32}$/),
    client_id: client.id,
    rvp: 0,
    roles: ['auditor', 'reader'],
    token_type: 'access',
  })
})

test('a service account can send its id and secret in a Basic header', async () => {
  const token = tokenOf(await askToken(it, {}, { headers: basic(client.id, client.secret) }))
  expect(claimsOf(token)['sub']).toBe(client.id)
})

describe('the token', () => {
  test('is accepted by the authority and by a guard', async () => {
    const token = tokenOf(await askWithSecret(it, client))
    expect(it.authority.verify(token)).toMatchObject({ ok: true, claims: { sub: client.id } })

    const guard = createGuard({
      issuer: ISSUER,
      clock: () => it.clock.nowMs(),
      fetch: (input) => it.authority.fetch(new Request(input)),
    })
    const result = await guard.verify(token)
    guard.close()
    expect(result).toMatchObject({ ok: true, claims: { sub: client.id, client_id: client.id } })
  })

  test('of a person is refused without its session, although its signature is valid', async () => {
    const { access } = await it.login()
    const forge = await openForge(it.dataDir)
    const without = forge.access({ ...claimsOf(access), sid: undefined })
    expect(it.authority.verify(without)).toEqual({ ok: false, code: 'claim_missing', claim: 'sid' })
    const headers = { authorization: `Bearer ${without}` }
    expect((await ask(it, '/auth/me', { method: 'GET', type: null, headers })).status).toBe(401)
  })

  test('names the tenant of its service account', async () => {
    const tenant = await it.authority.tenants.create('acme', 'test')
    const inside = await newClient(it, 'importer', { roles: ['writer'], tenant: 'acme' })
    expect(claimsOf(tokenOf(await askWithSecret(it, inside)))).toMatchObject({
      roles: ['writer'],
      tid: tenant.ok ? tenant.value.id : '',
    })
  })

  test('does not have the claims that the application adds for people', async () => {
    let calls = 0
    await it.restart({ claims: () => ({ plan: 'gold', calls: (calls += 1) }) })
    expect(claimsOf(tokenOf(await askWithSecret(it, client)))).not.toHaveProperty('plan')
    expect(calls).toBe(0)
  })

  test('carries the log position that was read before the client', async () => {
    await it.authority.clients.setRoles('billing', ['writer'], 'test')
    expect(claimsOf(tokenOf(await askWithSecret(it, client)))).toMatchObject({
      rvp: 1,
      roles: ['writer'],
    })
  })

  test.each([
    ['GET', '/auth/me'],
    ['GET', '/auth/sessions'],
    ['POST', '/auth/sessions/end-others'],
    ['POST', '/auth/sessions/end-all'],
    ['DELETE', '/auth/sessions/AAAAAAAAAAAAAAAAAAAAAA'],
    ['POST', '/auth/password'],
  ])('is not accepted at %s %s', async (method, path) => {
    const headers = { authorization: `Bearer ${tokenOf(await askWithSecret(it, client))}` }
    const body = method === 'POST' ? { body: '{}' } : { type: null }
    const answer = await ask(it, path, { method, headers, ...body })
    expect(answer.status).toBe(403)
    expect(membersOf(answer)).toMatchObject({ code: 'person_required', status: 403 })
  })

  test('is not accepted in a cookie', async () => {
    const headers = { cookie: `cs_access=${tokenOf(await askWithSecret(it, client))}` }
    const answer = await ask(it, '/auth/me', { method: 'GET', type: null, headers })
    expect(answer.status).toBe(401)
  })

  test('is valid at /api/token/verify/ while its service account is enabled', async () => {
    const verify = async (token: string): Promise<[number, string]> => {
      const { status, text } = await askJson(it, '/api/token/verify/', { token })
      return [status, text]
    }
    const token = tokenOf(await askWithSecret(it, client))
    expect(await verify(token)).toEqual([200, '{}'])
    const { clients } = it.authority
    await clients.disable('billing', 'test')
    expect(await verify(token)).toEqual([401, said.noAccount])
    // After the service account is enabled again, its revoked tokens stay revoked.
    await clients.enable('billing', 'test')
    expect(await verify(token)).toEqual([400, said.blacklistedField])
    expect(await verify(tokenOf(await askWithSecret(it, client)))).toEqual([200, '{}'])
    const forge = await openForge(it.dataDir)
    const sub = `svc_${'A'.repeat(22)}`
    const unknown = forge.access({ ...claimsOf(token), sub, client_id: sub })
    expect(await verify(unknown)).toEqual([401, said.invalid])
  })
})

describe('authentication fails with the same answer', () => {
  test('for an unknown client, a wrong secret, a disabled client and a disabled tenant', async () => {
    const { clients, tenants } = it.authority
    await tenants.create('acme', 'test')
    const inside = await newClient(it, 'importer', { tenant: 'acme' })
    const disabled = await newClient(it, 'disabled')
    await clients.disable('disabled', 'test')
    await tenants.disable('acme', 'test')
    const tries: readonly TestClient[] = [
      { ...client, id: `svc_${'A'.repeat(22)}` },
      { ...client, secret: 'wrong' },
      { ...client, secret: client.secret.toUpperCase() },
      { ...client, secret: `${client.secret} ` },
      { ...client, secret: disabled.secret },
      disabled,
      inside,
    ]
    const texts = new Set<string>()
    for (const each of tries) {
      const answers = [
        await askWithSecret(it, each),
        await askToken(it, {}, { headers: basic(each.id, encodeURIComponent(each.secret)) }),
      ]
      for (const answer of answers) {
        expectError(answer, 401, 'invalid_client')
        texts.add(answer.text)
      }
    }
    expect(texts.size).toBe(1)
    const refused = query(
      it.dataDir,
      `SELECT detail, account_id FROM audit WHERE event = 'client_login' ORDER BY id`,
    )
    expect(refused.map((row) => row['detail'])).toEqual(
      [
        'unknown_client',
        'wrong_secret',
        'wrong_secret',
        'wrong_secret',
        'wrong_secret',
        'client_disabled',
        'tenant_disabled',
      ].flatMap((each) => [each, each]),
    )
    expect(refused[0]).toMatchObject({ account_id: null })
    expect(refused[2]).toMatchObject({ account_id: client.id })
  })

  test.each<[name: string, form: (own: TestClient) => Record<string, string>]>([
    ['no authentication', () => ({})],
    ['an id alone', ({ id }) => ({ client_id: id })],
    ['a secret alone', ({ secret }) => ({ client_secret: secret })],
    ['an empty secret', ({ id }) => ({ client_id: id, client_secret: '' })],
    [
      'the name in place of the id',
      ({ secret }) => ({ client_id: 'billing', client_secret: secret }),
    ],
    ['the id of the secret', ({ id, secretId }) => ({ client_id: id, client_secret: secretId })],
    [
      'an id with a NUL at its end',
      ({ id, secret }) => ({ client_id: `${id}\0`, client_secret: secret }),
    ],
    [
      'a secret with a NUL at its end',
      ({ id, secret }) => ({ client_id: id, client_secret: `${secret}\0` }),
    ],
    ['SQL', ({ secret }) => ({ client_id: `' OR 1=1 --`, client_secret: secret })],
    ['a pattern', ({ secret }) => ({ client_id: 'svc_%', client_secret: secret })],
    ['a long id', ({ secret }) => ({ client_id: 'x'.repeat(15_000), client_secret: secret })],
  ])('for %s', async (_, form) => {
    expectError(await askToken(it, form(client)), 401, 'invalid_client')
  })

  test.each<[name: string, value: (own: TestClient) => string]>([
    ['no base64', () => 'Basic !!!'],
    ['base64url', () => 'Basic -__-'],
    ['nothing', () => 'Basic'],
    ['nothing but spaces', () => 'Basic   '],
    ['no colon', ({ id }) => `Basic ${btoa(id)}`],
    ['an empty id', ({ secret }) => `Basic ${btoa(`:${secret}`)}`],
    ['an empty secret', ({ id }) => `Basic ${btoa(`${id}:`)}`],
    ['broken percent-encoding', ({ id }) => `Basic ${btoa(`${id}:%E0%A4%A`)}`],
    ['percent-encoding that is no UTF-8', ({ id }) => `Basic ${btoa(`${id}:%ff%fe`)}`],
    ['bytes that are no UTF-8', ({ id }) => `Basic ${btoa(`${id}:\xff\xfe`)}`],
    ['NUL', ({ id, secret }) => `Basic ${btoa(`${id}\0:${secret}`)}`],
    ['a colon in the secret', ({ id, secret }) => `Basic ${btoa(`${id}:${secret}:x`)}`],
    ['a colon before it', ({ id, secret }) => `Basic ${btoa(`${id}::${secret}`)}`],
    ['an encoded colon between', ({ id, secret }) => `Basic ${btoa(`${id}%3A${secret}`)}`],
    [
      'two credentials',
      ({ id, secret }) => {
        const { authorization } = basic(id, secret)
        return `${authorization}, ${authorization}`
      },
    ],
    ['another scheme', ({ id, secret }) => `Bearer ${btoa(`${id}:${secret}`)}`],
    ['no scheme', ({ id, secret }) => btoa(`${id}:${secret}`)],
    ['a secret of 8 KiB', ({ id }) => `Basic ${btoa(`${id}:${'x'.repeat(8_192)}`)}`],
  ])('for a header with %s', async (_, value) => {
    const answer = await askToken(it, {}, { headers: { authorization: value(client) } })
    expectError(answer, 401, 'invalid_client')
  })

  test('for any text in the header', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 60 }), async (bytes) => {
        const authorization = `Basic ${Buffer.from(bytes).toString('base64')}`
        expectError(await askToken(it, {}, { headers: { authorization } }), 401, 'invalid_client')
      }),
      { numRuns: 50 },
    )
  })
})

describe('authentication succeeds', () => {
  test.each<[name: string, value: (own: TestClient) => string]>([
    ['in small letters', ({ id, secret }) => basic(id, secret).authorization.replace('B', 'b')],
    ['without padding', ({ id, secret }) => basic(id, secret).authorization.replaceAll('=', '')],
    [
      'with unnecessary percent-encoding',
      ({ id, secret }) => basic(percentAll(id), percentAll(secret)).authorization,
    ],
  ])('with a header %s', async (_, value) => {
    tokenOf(await askToken(it, {}, { headers: { authorization: value(client) } }))
  })

  test('with a header, and the same id in the form', async () => {
    const headers = basic(client.id, client.secret)
    tokenOf(await askToken(it, { client_id: client.id }, { headers }))
  })

  test('with unknown or empty parameters', async () => {
    const form = { client_id: client.id, client_secret: client.secret }
    tokenOf(await askToken(it, { ...form, scope: '', audience: 'x', resource: 'y' }))
  })
})

function percentAll(text: string): string {
  return Array.from(Buffer.from(text), (byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')
}

describe('a request is rejected', () => {
  const GRANT = 'grant_type=client_credentials'

  test.each<[name: string, form: (own: string) => string]>([
    ['without a grant type', (own) => own],
    ['with an empty grant type', (own) => `grant_type=&${own}`],
    ['with an empty body', () => ''],
    ['with two grant types', (own) => `${GRANT}&${GRANT}&${own}`],
    ['with two grant types in two spellings', (own) => `${GRANT}&grant%5Ftype=x&${own}`],
    ['with two ids', (own) => `${GRANT}&${own}&client_id=x`],
    ['with two secrets', (own) => `${GRANT}&${own}&client_secret=`],
    ['with an unknown parameter twice', (own) => `${GRANT}&${own}&x=1&x=2`],
    ['with broken percent-encoding', (own) => `${GRANT}&${own}&x=%zz`],
    ['with a lone percent sign', (own) => `${GRANT}&${own}%`],
    ['with bytes that are no UTF-8', (own) => `${GRANT}&${own}&x=%ff`],
  ])('%s', async (_, form) => {
    const own = `client_id=${client.id}&client_secret=${client.secret}`
    expectError(await askToken(it, form(own)), 400, 'invalid_request')
  })

  test.each<[name: string, form: (own: TestClient) => Record<string, string>]>([
    ['in the form', ({ id, secret }) => ({ client_id: id, client_secret: secret })],
    ['a secret in the form', ({ secret }) => ({ client_secret: secret })],
    ['another id in the form', () => ({ client_id: `svc_${'A'.repeat(22)}` })],
  ])('with authentication in the header and %s', async (_, form) => {
    for (const headers of [basic(client.id, client.secret), { authorization: 'Bearer x' }]) {
      const answer = await askToken(it, form(client), { headers })
      const isHeaderWrong =
        headers.authorization === 'Bearer x' && !('client_secret' in form(client))
      if (isHeaderWrong) expectError(answer, 401, 'invalid_client')
      else expectError(answer, 400, 'invalid_request')
    }
  })

  test.each([
    'password',
    'refresh_token',
    'authorization_code',
    'CLIENT_CREDENTIALS',
    'x'.repeat(9_000),
  ])('of the grant type %s', async (grantType) => {
    const form = { client_id: client.id, client_secret: client.secret, grant_type: grantType }
    expectError(await askToken(it, form), 400, 'unsupported_grant_type')
  })

  test.each(['read', ' ', 'openid offline_access'])('that asks for the scope %j', async (scope) => {
    const form = { client_id: client.id, client_secret: client.secret, scope }
    expectError(await askToken(it, form), 400, 'invalid_scope')
  })

  test.each([
    null,
    '',
    JSON_TYPE,
    'text/plain',
    'multipart/form-data; boundary=x',
    `${FORM_TYPE}; charset=utf-16`,
    `${FORM_TYPE}x`,
  ])('of the type %j', async (type) => {
    const form = { client_id: client.id, client_secret: client.secret }
    expectError(await askToken(it, form, { type }), 415, 'invalid_request')
    // Also with an empty body.
    expectError(await askToken(it, '', { type }), 415, 'invalid_request')
  })

  test.each([`${FORM_TYPE};charset=UTF-8`, FORM_TYPE.toUpperCase()])(
    'but accepted as %s',
    async (type) => {
      const form = { client_id: client.id, client_secret: client.secret }
      tokenOf(await askToken(it, form, { type }))
    },
  )

  test('compressed', async () => {
    const headers = { 'content-encoding': 'gzip' }
    expectError(await askToken(it, {}, { headers }), 415, 'invalid_request')
  })

  test('of more than 16 KiB', async () => {
    const form = `${GRANT}&client_id=${client.id}&client_secret=${client.secret}&x=`
    const bytes = 16 * 1024 - form.length
    tokenOf(await askToken(it, `${form}${'x'.repeat(bytes)}`))
    expectError(await askToken(it, `${form}${'x'.repeat(bytes + 1)}`), 413, 'invalid_request')
  })

  test.each(['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS'])('by %s', async (method) => {
    const path = `/oauth2/token?${GRANT}&client_id=${client.id}&client_secret=${client.secret}`
    const answer = await ask(it, path, { method, type: null })
    expect(answer.status).toBe(405)
    expect(answer.headers.get('allow')).toBe('POST')
  })

  test('in the query', async () => {
    const path = `/oauth2/token?${GRANT}&client_id=${client.id}&client_secret=${client.secret}`
    expectError(await ask(it, path, { type: FORM_TYPE, body: '' }), 400, 'invalid_request')
  })
})

test('a store that fails is answered 503 with Retry-After', async () => {
  execute(it.dataDir, 'ALTER TABLE client_secrets RENAME TO gone')
  const answer = await askWithSecret(it, client)
  expectError(answer, 503, 'temporarily_unavailable')
  expect(answer.headers.get('retry-after')).toBe('1')
})

describe('attempts', () => {
  const wrong = (): TestClient => ({ ...client, secret: 'wrong' })

  beforeEach(() => it.restart({ throttle: 'source=3/90s,account=4/60m,address=8/80s' }))

  test('with a wrong secret at one client from one address are slowed down', async () => {
    for (let at = 0; at < 3; at += 1) {
      expectError(await askWithSecret(it, wrong()), 401, 'invalid_client')
    }
    const throttled = await askWithSecret(it, wrong())
    expectError(throttled, 429, 'temporarily_unavailable')
    expect(throttled.headers.get('retry-after')).toBe('30')
    it.clock.advanceMs(30_000)
    expectError(await askWithSecret(it, wrong()), 401, 'invalid_client')
  })

  test('with a wrong secret do not block the right secret from the same address', async () => {
    for (let at = 0; at < 9; at += 1) await askWithSecret(it, wrong())
    tokenOf(await askWithSecret(it, client))
  })

  test('of a disabled client count like wrong secrets, and its secret works after it is enabled', async () => {
    await it.authority.clients.disable('billing', 'test')
    const refused = query(it.dataDir, `SELECT count(*) AS n FROM audit WHERE outcome = 'refused'`)
    for (let at = 0; at < 9; at += 1) {
      expectError(await askWithSecret(it, client), 401, 'invalid_client')
    }
    expectError(await askWithSecret(it, wrong()), 429, 'temporarily_unavailable')
    expect(refused).toEqual([{ n: 0 }])
    expect(query(it.dataDir, `SELECT count(*) AS n FROM audit WHERE outcome = 'refused'`)).toEqual([
      { n: 3 },
    ])
    await it.authority.clients.enable('billing', 'test')
    tokenOf(await askWithSecret(it, client))
  })

  test('that succeed do not count', async () => {
    for (let at = 0; at < 20; at += 1) tokenOf(await askWithSecret(it, client))
  })

  test('at an unknown client count like others', async () => {
    const nobody = { ...client, id: `svc_${'A'.repeat(22)}` }
    for (let at = 0; at < 3; at += 1) {
      expectError(await askWithSecret(it, nobody), 401, 'invalid_client')
    }
    expectError(await askWithSecret(it, nobody), 429, 'temporarily_unavailable')
    // Attempts at other clients are allowed until the bucket of the address is full.
    tokenOf(await askWithSecret(it, client))
  })

  test('at the same time are all counted', async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, () => askWithSecret(it, wrong())))
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(3)
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(47)
  })

  test('count together without known addresses, and block no client', async () => {
    const statuses: number[] = []
    const askFromNowhere = async (id: string, secret: string): Promise<number> => {
      const body = `grant_type=client_credentials&client_id=${id}&client_secret=${secret}`
      const headers = { 'content-type': FORM_TYPE }
      const request = new Request(`${ISSUER}/oauth2/token`, { method: 'POST', headers, body })
      return (await it.authority.fetch(request)).status
    }
    for (let at = 0; at < 6; at += 1) {
      statuses.push(await askFromNowhere(`svc_${String(at).repeat(22)}`, 'x'))
    }
    expect(statuses).toEqual([401, 401, 401, 401, 429, 429])
    expect(await askFromNowhere(client.id, client.secret)).toBe(200)
  })

  test('from many addresses block no client', async () => {
    for (let at = 0; at < 9; at += 1) {
      const body = `grant_type=client_credentials&client_id=${client.id}&client_secret=x`
      const headers = { 'content-type': FORM_TYPE }
      const request = new Request(`${ISSUER}/oauth2/token`, { method: 'POST', headers, body })
      const answer = await it.authority.fetch(request, { address: `198.51.100.${at}` })
      expect(answer.status).toBe(401)
    }
    tokenOf(await askWithSecret(it, client))
  })
})
