import { createGuard, viewOfRequest } from '@countersign/guard'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'

import type {
  CreatedSession,
  CreateSessionOptions,
  SessionNotCreated,
} from '../src/sessions/create-session.ts'
import {
  ISSUER,
  openTestAuthority,
  PASSWORD,
  USERNAME,
  type TestAuthority,
} from './support/authority.ts'
import { TestBrowser, membersOf } from './support/browser.ts'
import { query, execute } from './support/database.ts'
import { claimsOf } from './support/forge.ts'
import { ALICE, openTestApplication } from './support/users.ts'

// authority.sessions.create: the application has authenticated the person.

let it: TestAuthority
let alice: string
beforeAll(async () => {
  it = await openTestAuthority()
  alice = (await it.authority.accounts.find(USERNAME))!.id
})
afterAll(() => it[Symbol.asyncDispose]())

const created = (result: CreatedSession | SessionNotCreated): CreatedSession => {
  if (!result.ok) throw new Error(result.code)
  return result
}

test('an application opens a session for a person that its OAuth provider authenticated', async () => {
  const attempt = await it.authority.sessions.begin()
  const authenticatedAt = it.clock.nowMs() - 60_000
  const session = created(
    await it.authority.sessions.create(alice, {
      ...attempt,
      amr: ['fed', 'otp', 'fed'],
      acr: 'urn:mace:incommon:iap:silver',
      authenticatedAt,
      address: '::ffff:198.51.100.4',
      userAgent: 'Firefox',
    }),
  )
  expect(claimsOf(session.access)).toMatchObject({
    sub: alice,
    sid: session.sessionId,
    auth_time: Math.floor(authenticatedAt / 1000),
    amr: ['fed', 'otp'],
    acr: 'urn:mace:incommon:iap:silver',
  })
  expect(session).toMatchObject({
    accountId: alice,
    accessExpiresAt: it.clock.nowMs() + 300_000,
    refreshExpiresAt: it.clock.nowMs() + 14 * 86_400_000,
  })
  expect(it.authority.verify(session.access)).toMatchObject({ ok: true })

  const refreshed = await it.post('/api/token/refresh/', { refresh: session.refresh })
  const { access } = (await refreshed.json()) as { access: string }
  expect(claimsOf(access)).toMatchObject({ sid: session.sessionId, amr: ['fed', 'otp'] })

  const { entries } = await it.authority.audit.list({ accountId: alice, limit: 1 })
  expect(entries[0]).toMatchObject({
    event: 'login',
    outcome: 'ok',
    actor: 'application',
    detail: 'fed otp',
    sessionId: session.sessionId,
    address: '198.51.100.4',
  })
})

test('authenticatedAt defaults to now, and a later time counts as now', async () => {
  const nowSec = Math.floor(it.clock.nowMs() / 1000)
  const { sessions } = it.authority
  for (const authenticatedAt of [undefined, it.clock.nowMs() + 90_000]) {
    const session = created(await sessions.create(alice, { amr: ['sms'], authenticatedAt }))
    expect(claimsOf(session.access)).toMatchObject({ auth_time: nowSec, amr: ['sms'] })
  }
})

test('a route of a guard that requires a context class or a recent login accepts it by these claims', async () => {
  const { sessions } = it.authority
  const guard = createGuard({
    issuer: ISSUER,
    clock: () => it.clock.nowMs(),
    fetch: (input) => it.authority.fetch(new Request(input)),
  })
  const strong = guard.route({ acr: 'two-factor', maxAgeSec: 600 })
  const answer = async (options: Omit<CreateSessionOptions, 'amr'>): Promise<object> => {
    const { access } = created(await sessions.create(alice, { amr: ['fed'], ...options }))
    const headers = { authorization: `Bearer ${access}` }
    return strong.authenticate(viewOfRequest(new Request(ISSUER, { headers })))
  }
  const weak = { ok: false, code: 'insufficient_user_authentication' }
  const minutesAgo = (minutes: number): number => it.clock.nowMs() - minutes * 60_000
  expect(await answer({ acr: 'two-factor', authenticatedAt: minutesAgo(10) })).toMatchObject({
    ok: true,
  })
  expect(await answer({ acr: 'two-factor', authenticatedAt: minutesAgo(11) })).toMatchObject(weak)
  expect(await answer({ acr: 'one-factor' })).toMatchObject(weak)
  expect(await answer({})).toMatchObject(weak)
  guard.close()
})

describe('cookies', () => {
  test('log a browser in, like POST /auth/login does', async () => {
    const session = created(
      await it.authority.sessions.create(alice, { amr: ['fed'], forCookies: true }),
    )
    const browser = new TestBrowser(it)
    await browser.get('/auth/csrf')
    for (const line of it.authority.sessions.cookies(session)) browser.keep(line)
    expect([...browser.cookies.keys()].toSorted()).toEqual(['cs_access', 'cs_device', 'cs_refresh'])

    const me = await browser.get('/auth/me')
    expect(me.status).toBe(200)
    expect(membersOf(me)).toMatchObject({ sub: alice, sid: session.sessionId })
    await browser.get('/auth/csrf')
    expect((await browser.visit('/auth/refresh')).status).toBe(200)
    expect((await browser.visit('/auth/sessions/end-others')).status).toBe(204)
    expect((await browser.visit('/auth/logout')).status).toBe(204)
    expect(browser.cookies.has('cs_access')).toBe(false)
  })

  test('have the attributes of login cookies', async () => {
    const browser = new TestBrowser(it)
    await browser.login()
    const session = created(
      await it.authority.sessions.create(alice, { amr: ['fed'], forCookies: true }),
    )
    const shape = (lines: readonly string[]): string[] =>
      lines.map((line) => line.replace(/=[^;]*/, '=...')).toSorted()
    const ofLogin = browser.lines.filter((line) => !/^cs_csrf=[\w-]/.test(line))
    expect(shape(it.authority.sessions.cookies(session))).toEqual(shape(ofLogin))
  })

  test('are refused for a session whose access token has no CSRF hash', async () => {
    const session = created(await it.authority.sessions.create(alice, { amr: ['fed'] }))
    expect(() => it.authority.sessions.cookies(session)).toThrow(
      new TypeError('cookies needs a session that was created with forCookies: true.'),
    )
  })
})

describe('no session is opened', () => {
  test.each(['acct_AAAAAAAAAAAAAAAAAAAAAA', 'svc_AAAAAAAAAAAAAAAAAAAAAA', 'someone', '\u0001'])(
    'for an id that no account has: %j',
    async (id) => {
      expect(await it.authority.sessions.create(id, { amr: ['fed'] })).toMatchObject({
        ok: false,
        code: 'account_unknown',
      })
    },
  )

  test('for a disabled account, and the audit says so', async () => {
    const id = await newAccount('disabled')
    await it.authority.accounts.disable('disabled', 'test')
    expect(await it.authority.sessions.create(id, { amr: ['fed'] })).toMatchObject({
      ok: false,
      code: 'account_disabled',
    })
    const { entries } = await it.authority.audit.list({ accountId: id, limit: 1 })
    expect(entries[0]).toMatchObject({
      event: 'login',
      outcome: 'refused',
      actor: 'application',
      detail: 'account_disabled',
    })
    expect(await sessionsOf(id)).toEqual([])
  })

  test('in a tenant that the account is not a member of, that is disabled, or that does not exist', async () => {
    const id = await newAccount('tenant-member')
    await it.authority.tenants.create('globex', 'test')
    for (const tenant of ['globex', 'nowhere']) {
      expect(await it.authority.sessions.create(id, { amr: ['fed'], tenant })).toMatchObject({
        ok: false,
        code: 'tenant_forbidden',
      })
    }
    const member = { username: 'tenant-member', tenant: 'globex', roles: ['owner'] }
    await it.authority.tenants.setMember(member, 'test')
    const session = created(
      await it.authority.sessions.create(id, { amr: ['fed'], tenant: 'globex' }),
    )
    expect(claimsOf(session.access)).toMatchObject({
      tid: expect.stringMatching(/^ten_/),
      roles: ['owner'],
    })
    await it.authority.tenants.disable('globex', 'test')
    expect(
      await it.authority.sessions.create(id, { amr: ['fed'], tenant: 'globex' }),
    ).toMatchObject({ ok: false, code: 'tenant_forbidden' })
  })

  test('when the sessions of the account were revoked after the attempt began', async () => {
    const id = await newAccount('changed')
    const attempt = await it.authority.sessions.begin()
    await it.authority.accounts.setPassword('changed', 'another horse battery', 'test')
    expect(await it.authority.sessions.create(id, { ...attempt, amr: ['fed'] })).toMatchObject({
      ok: false,
      code: 'session_revoked',
    })
    const { entries } = await it.authority.audit.list({ accountId: id, limit: 1 })
    expect(entries[0]).toMatchObject({ outcome: 'refused', detail: 'revoked' })
    expect(await sessionsOf(id)).toEqual([])
    // A new attempt begins after that change.
    const second = await it.authority.sessions.begin()
    created(await it.authority.sessions.create(id, { ...second, amr: ['fed'] }))
  })

  test('when the account was disabled and enabled again after the attempt began', async () => {
    const id = await newAccount('twice')
    const attempt = await it.authority.sessions.begin()
    await it.authority.accounts.disable('twice', 'test')
    await it.authority.accounts.enable('twice', 'test')
    expect(await it.authority.sessions.create(id, { ...attempt, amr: ['fed'] })).toMatchObject({
      code: 'session_revoked',
    })
  })

  test('from a position that the log has not reached: the session would outlive revocations', async () => {
    const { position } = await it.authority.sessions.begin()
    expect(
      await it.authority.sessions.create(alice, { amr: ['fed'], position: position + 1 }),
    ).toMatchObject({ ok: false, code: 'position_ahead' })
  })

  test('from a position before everybody had to log in again', async () => {
    await using other = await openTestAuthority()
    const id = (await other.authority.accounts.find(USERNAME))!.id
    const attempt = await other.authority.sessions.begin()
    await other.restart({}, () => {
      // `countersign restore` writes such an entry about the issuer.
      execute(
        other.dataDir,
        `INSERT INTO revocations (position, kind, subject, hard, at, chain)
         SELECT position + 1, 'issuer', 'http://localhost:8000', 1, 0, randomblob(32) FROM revocation_head`,
      )
      execute(
        other.dataDir,
        `UPDATE revocation_head SET position = position + 1,
           chain = (SELECT chain FROM revocations ORDER BY position DESC LIMIT 1)`,
      )
    })
    expect(await other.authority.sessions.create(id, { ...attempt, amr: ['fed'] })).toMatchObject({
      code: 'session_revoked',
    })
    const fresh = await other.authority.sessions.begin()
    created(await other.authority.sessions.create(id, { ...fresh, amr: ['fed'] }))
  })
})

test('a later revocation ends the session like any other session', async () => {
  const id = await newAccount('ends')
  const session = created(await it.authority.sessions.create(id, { amr: ['hwk'] }))
  await it.authority.accounts.disable('ends', 'test')
  await vi.waitFor(() => {
    expect(it.authority.verify(session.access)).toEqual({ ok: false, code: 'session_ended' })
  })
  expect((await it.post('/api/token/refresh/', { refresh: session.refresh })).status).toBe(401)
})

test.each([
  ['accountId', '', { amr: ['fed'] }],
  ['accountId', 7, { amr: ['fed'] }],
  ['options', 'acct_1', undefined],
  ['amr', 'acct_1', {}],
  ['amr', 'acct_1', { amr: 'fed' }],
  ['amr', 'acct_1', { amr: [] }],
  ['amr', 'acct_1', { amr: [''] }],
  ['amr', 'acct_1', { amr: ['two words'] }],
  ['amr', 'acct_1', { amr: Array.from({ length: 17 }, () => 'otp') }],
  ['acr', 'acct_1', { amr: ['fed'], acr: '' }],
  ['acr', 'acct_1', { amr: ['fed'], acr: 'a b' }],
  ['acr', 'acct_1', { amr: ['fed'], acr: 'a'.repeat(256) }],
  ['authenticatedAt', 'acct_1', { amr: ['fed'], authenticatedAt: 1_700_000_000 }],
  ['authenticatedAt', 'acct_1', { amr: ['fed'], authenticatedAt: new Date() }],
  ['position', 'acct_1', { amr: ['fed'], position: -1 }],
  ['position', 'acct_1', { amr: ['fed'], position: '1' }],
  ['tenant', 'acct_1', { amr: ['fed'], tenant: '' }],
  ['address', 'acct_1', { amr: ['fed'], address: 'localhost' }],
  ['userAgent', 'acct_1', { amr: ['fed'], userAgent: null }],
  ['forCookies', 'acct_1', { amr: ['fed'], forCookies: 'yes' }],
])('a wrong %s is a TypeError that names it: %j, %j', async (name, accountId, options) => {
  // Callers in JavaScript can pass values of other types.
  const opening = it.authority.sessions.create(accountId as string, options as { amr: string[] })
  await expect(opening).rejects.toThrow(TypeError)
  await expect(opening).rejects.toThrow(new RegExp(`^${name} must`))
})

describe('if the application keeps the accounts', () => {
  test('a session opens for an account that has never logged in here', async () => {
    await using own = await openTestApplication()
    own.users.users.get(ALICE)!.roles = ['editor']
    const attempt = await own.authority.sessions.begin()
    const session = created(
      await own.authority.sessions.create(ALICE, { ...attempt, amr: ['fed'] }),
    )
    expect(claimsOf(session.access)).toMatchObject({ sub: ALICE, roles: ['editor'], amr: ['fed'] })
    expect((await own.me(session.access)).status).toBe(200)
    expect((await own.post('/api/token/refresh/', { refresh: session.refresh })).status).toBe(200)
    expect(own.users.asked.filter((each) => each.startsWith('verifyPassword'))).toEqual([])
  })

  test.each([
    ['account_unknown', 'user-2', () => undefined],
    ['account_unknown', 'acct_AAAAAAAAAAAAAAAAAAAAAA', () => undefined],
    ['account_disabled', ALICE, (user: { isActive: boolean }) => (user.isActive = false)],
  ])('%s: %s', async (code, id, change) => {
    await using own = await openTestApplication()
    change(own.users.users.get(ALICE)!)
    expect(await own.authority.sessions.create(id, { amr: ['fed'] })).toMatchObject({ code })
    expect(query(own.dataDir, 'SELECT id FROM sessions')).toEqual([])
  })

  test('no session opens when the application ends them between the proof and the call', async () => {
    await using own = await openTestApplication()
    const attempt = await own.authority.sessions.begin()
    await own.authority.users.endSessions(ALICE, 'test')
    expect(await own.authority.sessions.create(ALICE, { ...attempt, amr: ['fed'] })).toMatchObject({
      code: 'session_revoked',
    })
  })

  test('no session opens when the account changes while the application is asked', async () => {
    await using own = await openTestApplication()
    own.users.before = async (method) => {
      if (method === 'get') await own.authority.users.endSessions(ALICE, 'test')
    }
    expect(await own.authority.sessions.create(ALICE, { amr: ['fed'] })).toMatchObject({
      code: 'session_revoked',
    })
  })
})

async function newAccount(username: string): Promise<string> {
  const account = await it.authority.accounts.create({ username, password: PASSWORD }, 'test')
  if (!account.ok) throw new Error(account.text)
  return account.value.id
}

async function sessionsOf(accountId: string): Promise<readonly object[]> {
  return (await it.authority.sessions.list({ accountId })).sessions
}
