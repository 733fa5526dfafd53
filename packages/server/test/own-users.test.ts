import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

import { checkSource, type AccountSource, type SourceAccount } from '../src/accounts/source.ts'
import { createAuthority, type Authority } from '../src/authority.ts'
import { createRefresher } from '../src/sessions/refresh.ts'
import { signIn } from '../src/sessions/sign-in.ts'
import { ISSUER, openTestAuthority, PASSWORD, USERNAME, type Pair } from './support/authority.ts'
import { membersOf, TestBrowser } from './support/browser.ts'
import { said } from './support/contract.ts'
import { runCommand } from './support/command-line.ts'
import { query, queryOne } from './support/database.ts'
import { claimsOf } from './support/forge.ts'
import { HERE } from './support/session-rows.ts'
import { openTestSessions, plainHasher } from './support/sessions.ts'
import { ALICE, openTestApplication, TestUsers, type TestApplication } from './support/users.ts'

const WRONG = { username: USERNAME, password: 'a wrong long password' }

let it: TestApplication
beforeEach(async () => {
  it = await openTestApplication()
})
afterEach(() => it[Symbol.asyncDispose]())

async function refresh(pair: Pair): Promise<Pair> {
  const response = await it.post('/api/token/refresh/', { refresh: pair.refresh })
  expect(response.status).toBe(200)
  return (await response.json()) as Pair
}

/** The answers to each use of a pair of tokens. */
async function uses({ access, refresh: token }: Pair): Promise<Record<string, unknown>> {
  const inspect = async (shown: string): Promise<number> =>
    (await it.post('/api/token/verify/', { token: shown })).status
  const refreshed = await it.post('/api/token/refresh/', { refresh: token })
  return {
    me: (await it.me(access)).status,
    verifyAccess: await inspect(access),
    verifyRefresh: await inspect(token),
    refresh: refreshed.status === 200 ? 200 : await refreshed.text(),
  }
}

const LOGGED_IN = { actor: ALICE, event: 'login', outcome: 'ok', account_id: ALICE }
const DISABLED = { me: 401, verifyAccess: 401, verifyRefresh: 401, refresh: said.noAccount }

/** A promise that a test settles. */
class Pending<T> {
  resolve: (value: T) => void = () => undefined
  reject: (error: Error) => void = () => undefined
  readonly promise = new Promise<T>((...settle) => ([this.resolve, this.reject] = settle))
}

function alice(): ReturnType<TestUsers['add']> {
  return it.users.users.get(ALICE)!
}

test('users of the application log in and refresh, with the id, username and roles of the application', async () => {
  const pair = await it.login()
  expect(claimsOf(pair.access)).toMatchObject({
    sub: ALICE,
    user_id: ALICE,
    roles: ['reader'],
    client_id: 'first-party',
    rvp: 0,
  })
  expect(claimsOf(pair.refresh)).toMatchObject({ sub: ALICE, user_id: ALICE })
  expect(it.authority.verify(pair.access)).toMatchObject({ ok: true, claims: { sub: ALICE } })

  const next = await refresh(pair)
  expect(claimsOf(next.access)).toMatchObject({ sub: ALICE, roles: ['reader'] })
  // The same successor again, as for a second tab.
  expect((await refresh(pair)).refresh).toBe(next.refresh)
  const me = await it.me(next.access)
  expect(await me.json()).toMatchObject({ sub: ALICE, username: USERNAME, roles: ['reader'] })
  expect(await uses(next)).toEqual({ me: 200, verifyAccess: 200, verifyRefresh: 200, refresh: 200 })
  expect((await it.post('/api/token/blacklist/', { refresh: next.refresh })).status).toBe(200)
  expect((await uses(next))['refresh']).toBe(said.blacklisted)
})

test("the row for an application's account has no password and no username that logs in", async () => {
  await it.login()
  expect(queryOne(it.dataDir, 'SELECT * FROM accounts')).toMatchObject({
    id: ALICE,
    username: USERNAME,
    username_key: `\u0001${ALICE}`,
    password_hash: null,
    roles: '["reader"]',
  })
  alice().roles.push('editor')
  await it.login()
  expect(queryOne(it.dataDir, 'SELECT roles FROM accounts')['roles']).toBe('["editor","reader"]')
  expect(
    query(
      it.dataDir,
      'SELECT actor, event, outcome, account_id FROM audit WHERE session_id IS NOT NULL',
    ),
  ).toEqual([LOGGED_IN, LOGGED_IN])
})

describe("a change in the application's table", () => {
  test('takes effect at the next refresh: roles', async () => {
    const pair = await it.login()
    alice().roles = ['writer', 'admin', 'writer']
    expect(await (await it.me(pair.access)).json()).toMatchObject({ roles: ['admin', 'writer'] })
    expect(claimsOf((await refresh(pair)).access)['roles']).toEqual(['admin', 'writer'])
    alice().roles = []
    expect(claimsOf((await refresh(pair)).access)['roles']).toEqual([])
  })

  test('takes effect at the next refresh: an account that is not active', async () => {
    const pair = await it.login()
    alice().isActive = false
    expect(await uses(pair)).toEqual(DISABLED)
    const login = await it.post('/api/token/', { username: USERNAME, password: PASSWORD })
    expect([login.status, await login.text()]).toEqual([401, said.wrongCredentials])
    const wrong = await it.post('/api/token/', WRONG)
    expect([wrong.status, await wrong.text()]).toEqual([401, said.wrongCredentials])
    // The refusal must not use up the token: the account is only disabled in the application's table.
    alice().isActive = true
    expect((await uses(pair))['refresh']).toBe(200)
  })

  test('takes effect at the next refresh: a deleted user', async () => {
    const pair = await it.login()
    it.users.users.delete(ALICE)
    expect(await uses(pair)).toEqual(DISABLED)
    // The next user with this name is another person.
    it.users.add('user-2', USERNAME)
    expect(await uses(pair)).toEqual(DISABLED)
    expect(claimsOf((await it.login()).access)['sub']).toBe('user-2')
  })

  test('logging out does not ask the application', async () => {
    const pair = await it.login()
    it.users.before = () => Promise.reject(new Error('down'))
    expect((await it.post('/api/token/blacklist/', { refresh: pair.refresh })).status).toBe(200)
    // A token of a session that is over does not ask the application either.
    expect((await uses(pair))['refresh']).toBe(said.blacklisted)
  })
})

describe('authority.users', () => {
  const entries = (): Record<string, unknown>[] =>
    query(it.dataDir, 'SELECT position, kind, subject, hard FROM revocations')

  test('changed: older tokens become stale, and sessions live on', async () => {
    const pair = await it.login()
    alice().roles = ['writer']
    await it.authority.users.changed(ALICE, 'app:admin')
    expect(entries()).toEqual([{ position: 1, kind: 'account', subject: ALICE, hard: 0 }])
    expect(claimsOf(pair.access)).toMatchObject({ rvp: 0 })
    const next = await refresh(pair)
    expect(claimsOf(next.access)).toMatchObject({ rvp: 1, roles: ['writer'] })
    expect(
      query(it.dataDir, "SELECT actor, account_id FROM audit WHERE event = 'account_changed'"),
    ).toEqual([{ actor: 'app:admin', account_id: ALICE }])
  })

  test('endSessions: every session and token ends, and a new login works', async () => {
    const pairs = [await it.login(), await it.login()]
    await it.authority.users.endSessions(ALICE, 'app:admin')
    expect(entries()).toEqual([{ position: 1, kind: 'account', subject: ALICE, hard: 1 }])
    expect(queryOne(it.dataDir, 'SELECT hard_position FROM accounts')).toEqual({ hard_position: 1 })
    for (const pair of pairs) {
      expect(await uses(pair)).toEqual({
        me: 401,
        verifyAccess: 400,
        verifyRefresh: 400,
        refresh: said.blacklisted,
      })
    }
    const pair = await it.login()
    expect(claimsOf(pair.access)['rvp']).toBe(1)
    expect((await uses(pair))['refresh']).toBe(200)
    expect(
      query(it.dataDir, "SELECT actor, account_id FROM audit WHERE event = 'sessions_ended'"),
    ).toEqual([{ actor: 'app:admin', account_id: ALICE }])
  })

  test.each([0, 1])(
    'endSessions ends a login that is in flight, after %i others',
    async (before) => {
      for (let n = 0; n < before; n += 1) await it.login()
      it.users.before = (method) =>
        method === 'verifyPassword' ? it.authority.users.endSessions(ALICE, 'app') : undefined
      expect(
        (await it.post('/api/token/', { username: USERNAME, password: PASSWORD })).status,
      ).toBe(401)
      expect(query(it.dataDir, 'SELECT id FROM sessions')).toHaveLength(before)
      expect(query(it.dataDir, "SELECT detail FROM audit WHERE outcome = 'refused'")).toEqual([
        { detail: 'revoked' },
      ])
      it.users.before = () => undefined
      await it.login()
      // The row existed before any login, and the first login wrote the name.
      expect(queryOne(it.dataDir, 'SELECT username FROM accounts')['username']).toBe(USERNAME)
    },
  )

  test('a change while the application is asked at a refresh is newer than the token', async () => {
    const pair = await it.login()
    it.users.before = (method) =>
      method === 'get' ? it.authority.users.changed(ALICE, 'app') : undefined
    expect(claimsOf((await refresh(pair)).access)['rvp']).toBe(0)
    it.users.before = (method) =>
      method === 'get' ? it.authority.users.endSessions(ALICE, 'app') : undefined
    expect((await it.post('/api/token/refresh/', { refresh: pair.refresh })).status).toBe(401)
  })

  test.each(['', 'acct_1', 'svc_1', 'a b', 'ä', 'x'.repeat(129)])(
    'about %j, which is no id, is a mistake',
    async (id) => {
      const { users } = it.authority
      await expect(users.changed(id, 'app')).rejects.toThrow(TypeError)
      await expect(users.endSessions(id, 'app')).rejects.toThrow(TypeError)
      expect(entries()).toEqual([])
    },
  )
})

describe('an application that fails', () => {
  const SECRET_TEXT = `no such row: ${USERNAME} ${PASSWORD}`
  const failures: [string, () => unknown][] = [
    [
      'rejects',
      () => Promise.reject(Object.assign(new Error(SECRET_TEXT), { code: 'ECONNREFUSED' })),
    ],
    [
      'throws',
      () => {
        throw new TypeError(SECRET_TEXT)
      },
    ],
    // oxlint-disable-next-line prefer-promise-reject-errors
    ['rejects with no error', () => Promise.reject(SECRET_TEXT)],
  ]

  async function expectUnavailable(response: Response): Promise<void> {
    expect(response.status).toBe(503)
    expect(response.headers.get('retry-after')).toBe('1')
    const text = await response.text()
    expect(text).toContain('The accounts cannot be reached. Try again shortly.')
    expect(text).not.toContain(PASSWORD)
  }

  describe.each(failures)('and %s', (_, fail) => {
    test.each(['find', 'verifyPassword'] as const)('at %s logs nobody in', async (at) => {
      it.users.before = (method) => (method === at ? fail() : undefined)
      await expectUnavailable(
        await it.post('/api/token/', { username: USERNAME, password: PASSWORD }),
      )
      expect(query(it.dataDir, 'SELECT id FROM sessions')).toEqual([])
      expect(it.log).toHaveLength(1)
      expect(JSON.parse(it.log[0]!)).toMatchObject({
        level: 50,
        event: 'accounts_unavailable',
        path: '/api/token/',
        method: at,
        reason: 'threw',
      })
      expect(it.log[0]).not.toContain(PASSWORD)
      expect(it.log[0]).not.toContain(USERNAME)
    })

    test('at get refuses the refresh and leaves the token usable', async () => {
      const pair = await it.login()
      it.users.before = fail
      await expectUnavailable(await it.me(pair.access))
      await expectUnavailable(await it.post('/api/token/verify/', { token: pair.access }))
      await expectUnavailable(await it.post('/api/token/verify/', { token: pair.refresh }))
      await expectUnavailable(await it.post('/api/token/refresh/', { refresh: pair.refresh }))
      expect(it.log.join()).not.toContain(PASSWORD)
      it.users.before = () => undefined
      expect((await uses(pair))['refresh']).toBe(200)
    })
  })

  test("is logged with the error's name, code and stack, without its message", async () => {
    it.users.before = failures[0]![1]
    await it.post('/api/token/', WRONG)
    expect(JSON.parse(it.log[0]!)).toMatchObject({
      error: 'Error',
      code: 'ECONNREFUSED',
      at: expect.arrayContaining([expect.stringContaining('own-users.test.ts')]),
    })
  })

  test('does not clear the cookies of a browser', async () => {
    const browser = new TestBrowser(it)
    await browser.login()
    const cookies = new Map(browser.cookies)
    it.users.before = failures[0]![1]
    expect((await browser.visit('/auth/refresh')).status).toBe(503)
    expect((await browser.get('/auth/me')).status).toBe(503)
    expect(browser.cookies).toEqual(cookies)
    it.users.before = () => undefined
    expect((await browser.visit('/auth/refresh')).status).toBe(200)
  })

  test('to answer within five seconds is not waited for, and its late answer is ignored', async () => {
    const pair = await it.login()
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    try {
      for (const [at, path, body] of [
        ['find', '/api/token/', { username: USERNAME, password: PASSWORD }],
        ['verifyPassword', '/api/token/', { username: USERNAME, password: PASSWORD }],
        ['get', '/api/token/refresh/', { refresh: pair.refresh }],
      ] as const) {
        const hanging = new Pending<void>()
        const asked = new Pending<void>()
        it.users.before = (method) => {
          if (method !== at) return undefined
          asked.resolve()
          return hanging.promise
        }
        let answered = false
        const answer = it.post(path, body).finally(() => (answered = true))
        await asked.promise
        await vi.advanceTimersByTimeAsync(4_999)
        expect(answered).toBe(false)
        await vi.advanceTimersByTimeAsync(1)
        await expectUnavailable(await answer)
        expect(JSON.parse(it.log.at(-1)!)).toMatchObject({ method: at, reason: 'no_answer' })
        hanging.reject(new Error('too late for anybody'))
      }
    } finally {
      vi.useRealTimers()
    }
    it.users.before = () => undefined
    expect((await uses(pair))['refresh']).toBe(200)
    expect(query(it.dataDir, 'SELECT id FROM sessions')).toHaveLength(1)
  })

  test('gets only a bounded number of calls at once', async () => {
    const hanging = new Pending<undefined>()
    const source = checkSource(
      {
        find: () => hanging.promise,
        get: () => hanging.promise,
        verifyPassword: () => hanging.promise.then(() => true),
      },
      60_000,
    )
    const found = { id: 'x', username: 'x', isActive: true, roles: [] }
    const passwords = Array.from({ length: 128 }, async () =>
      source.verifyPassword({ ...found, given: found }, 'x'),
    )
    expect(source.verifyPassword({ ...found, given: found }, 'x')).toBe(undefined)
    const calls = Array.from({ length: 4_096 - 128 }, () => source.get('x'))
    await expect(source.get('x')).rejects.toMatchObject({ details: { reason: 'too_many_calls' } })
    hanging.resolve(undefined)
    expect(new Set(await Promise.all(calls))).toEqual(new Set([undefined]))
    expect(new Set(await Promise.all(passwords))).toEqual(new Set([true]))
    expect(await source.get('x')).toBe(undefined)
  })
})

describe('an answer of the wrong shape', () => {
  const GOOD: SourceAccount = { id: ALICE, username: USERNAME, isActive: true, roles: [] }
  const wrongs: [field: string, given: unknown][] = [
    ['the answer', true],
    ['the answer', 'alice'],
    ['the answer', 0],
    ['id', {}],
    ['id', [GOOD]],
    ['username', { ...GOOD, username: undefined }],
    ['username', { ...GOOD, username: '' }],
    ['username', { ...GOOD, username: 'a\u001b[31m' }],
    ['username', { ...GOOD, username: '\ud800' }],
    ['username', { ...GOOD, username: 'a'.repeat(321) }],
    ['isActive', { ...GOOD, isActive: undefined }],
    ['isActive', { ...GOOD, isActive: 1 }],
    ['isActive', { ...GOOD, isActive: 'true' }],
    ['roles', { ...GOOD, roles: undefined }],
    ['roles', { ...GOOD, roles: 'admin' }],
    ['roles', { ...GOOD, roles: new Set(['admin']) }],
    ['roles', { ...GOOD, roles: [1] }],
    ['roles', { ...GOOD, roles: ['ad min'] }],
    ['roles', { ...GOOD, roles: ['r'.repeat(65)] }],
    ['roles', { ...GOOD, roles: Array.from({ length: 65 }, (_, n) => `r${n}`) }],
    ['roles', { ...GOOD, roles: Array.from({ length: 40 }, (_, n) => `${'r'.repeat(60)}${n}`) }],
  ]
  const ids: [field: string, given: unknown][] = [
    '',
    42,
    null,
    'a b',
    'a\n',
    'a\0',
    'ä',
    '\u{1f600}',
    'x'.repeat(129),
    'acct_1',
    'acct_BP5bIzs7IlS55VhMxQklhw',
    'svc_BP5bIzs7IlS55VhMxQklhw',
  ].map((id) => ['id', { ...GOOD, id }])

  const answering = (
    find: unknown,
    { get = find, isRight = () => true }: { get?: unknown; isRight?: () => unknown } = {},
  ): AccountSource =>
    ({ find: () => find, get: () => get, verifyPassword: isRight }) as AccountSource

  test.each(
    [...wrongs, ...ids].map(
      ([field, given]) => [field, JSON.stringify(given)?.slice(0, 90), given] as const,
    ),
  )('is never a yes, and is logged by its field: %s in %s', async (field, _, given) => {
    await using other = await openTestApplication({ accounts: answering(given) })
    const response = await other.post('/api/token/', { username: USERNAME, password: PASSWORD })
    expect(response.status).toBe(503)
    expect(response.headers.get('retry-after')).toBe('1')
    expect(query(other.dataDir, 'SELECT id FROM accounts')).toEqual([])
    expect(JSON.parse(other.log[0]!)).toMatchObject({
      level: 50,
      event: 'accounts_unavailable',
      method: 'find',
      reason: 'wrong_answer',
      field,
    })
  })

  test.each([1, 'true', {}, [], null, undefined])(
    'is never a yes to a password: %j',
    async (isRight) => {
      await using other = await openTestApplication({
        accounts: answering(GOOD, { isRight: () => isRight }),
      })
      const credentials = { username: USERNAME, password: PASSWORD }
      expect((await other.post('/api/token/', credentials)).status).toBe(503)
      expect(JSON.parse(other.log[0]!)).toMatchObject({
        method: 'verifyPassword',
        field: 'the answer',
      })
    },
  )

  test.each([
    ['of another account', { ...GOOD, id: 'user-2' }, 'id'],
    ['without roles', { ...GOOD, roles: null }, 'roles'],
  ])('is a fault at a refresh: %s', async (_, get, field) => {
    await using other = await openTestApplication({ accounts: answering(GOOD, { get }) })
    const pair = await other.login()
    const response = await other.post('/api/token/refresh/', { refresh: pair.refresh })
    expect(response.status).toBe(503)
    expect((await other.me(pair.access)).status).toBe(503)
    expect(JSON.parse(other.log[0]!)).toMatchObject({ method: 'get', field })
  })

  test.each(['x', '~'.repeat(128), '42', '550e8400-e29b-41d4-a716-446655440000', `'";--<&%`])(
    'is not the id %s',
    async (id) => {
      const roles = Array.from({ length: 64 }, (_, n) => `${'r'.repeat(23)}${n}`)
      await using other = await openTestApplication({ accounts: answering({ ...GOOD, id, roles }) })
      const pair = await other.login()
      expect(claimsOf(pair.access)).toMatchObject({ sub: id, user_id: id })
      expect(await (await other.me(pair.access)).json()).toMatchObject({ sub: id })
      const refreshed = await other.post('/api/token/refresh/', { refresh: pair.refresh })
      expect(refreshed.status).toBe(200)
      await other.authority.users.endSessions(id, 'test')
      expect((await other.me(pair.access)).status).toBe(401)
    },
  )

  test.each([undefined, null])('%s means that there is no such account', async (nobody) => {
    await using other = await openTestApplication({ accounts: answering(nobody) })
    const response = await other.post('/api/token/', { username: USERNAME, password: PASSWORD })
    expect([response.status, await response.text()]).toEqual([401, said.wrongCredentials])
    expect(other.log).toEqual([])
  })
})

describe('a login', () => {
  test('with an unknown username costs one hash and no verifyPassword call', async () => {
    const verified: unknown[] = []
    const users = new TestUsers()
    users.add(ALICE, USERNAME)
    await using sessions = await openTestSessions({
      hasher: {
        ...plainHasher,
        verify: async (hash) => {
          verified.push(hash)
          return false
        },
      },
    })
    const parts = { ...sessions.services, source: checkSource(users) }
    const credentials = { username: 'mallory', password: PASSWORD }
    expect(await signIn(parts, credentials, HERE)).toEqual({
      ok: false,
      code: 'credentials_invalid',
    })
    expect(verified).toEqual([undefined])
    // Passwords outside the bounds are not passed to the application.
    for (const password of ['x'.repeat(4_097), `${PASSWORD}\0`]) {
      const result = await signIn(parts, { username: USERNAME, password }, HERE)
      expect(result).toMatchObject({ ok: false, code: 'credentials_invalid' })
    }
    expect(verified).toEqual([undefined, undefined, undefined])
    expect(users.asked).toEqual(['find mallory', `find ${USERNAME}`, `find ${USERNAME}`])
    // A login to an existing account costs no hash of the authority.
    expect((await signIn(parts, { username: USERNAME, password: PASSWORD }, HERE)).ok).toBe(true)
    expect(verified).toHaveLength(3)
  })

  test.each([
    ['without white space at its ends', '  Alice\u3000', ['find Alice']],
    ['with the spelling of the person', 'ALICE@example.com', ['find ALICE@example.com']],
    ['unless a database may fail on it', 'alice\0', []],
    ['unless it is too long', 'a'.repeat(321), []],
  ])('passes the typed name to the application, %s', async (_, username, asked) => {
    const browser = new TestBrowser(it)
    const answer = await browser.login({ username, password: PASSWORD })
    expect(answer.status).toBe(asked.length > 0 ? 200 : 401)
    expect(it.users.asked.slice(0, 1)).toEqual(asked)
  })

  test('has no tenants', async () => {
    await it.authority.tenants.create('acme', 'test')
    const browser = new TestBrowser(it)
    const answer = await browser.login({ username: USERNAME, password: PASSWORD, tenant: 'acme' })
    expect(membersOf(answer)).toMatchObject({ code: 'tenant_forbidden' })
    await browser.login()
    const moved = await browser.visit('/auth/refresh', { body: { tenant: 'acme' } })
    expect(membersOf(moved)).toMatchObject({ code: 'tenant_forbidden' })
  })
})

describe('throttling', () => {
  const attempt = async (other: TestApplication, body: object, address?: string): Promise<number> =>
    (await other.post('/api/token/', body, address === undefined ? {} : { address })).status

  test('counts attempts at one account together in every spelling, and at unknown usernames too', async () => {
    await using other = await openTestApplication({ throttle: 'account=3/90s,source=100/90s' })
    const addresses = Array.from({ length: 8 }, (_, n) => `198.51.100.${n}`)
    const spellings = [USERNAME, `${USERNAME}@example.com`, 'ALICE', USERNAME]
    const statuses: number[] = []
    for (const [n, username] of spellings.entries()) {
      statuses.push(await attempt(other, { ...WRONG, username }, addresses[n]))
    }
    expect(statuses).toEqual([401, 401, 401, 429])
    const nobody: number[] = []
    for (let n = 0; n < 4; n += 1) {
      nobody.push(
        await attempt(other, { ...WRONG, username: n % 2 ? 'NOBODY' : 'nobody' }, addresses[n]),
      )
    }
    expect(nobody).toEqual([401, 401, 401, 429])
    expect(await attempt(other, { ...WRONG, username: 'a  b' }, addresses[5])).toBe(401)
  })

  test('counts before the password is verified, and removes the attempt of a right password', async () => {
    await using other = await openTestApplication({ throttle: 'source=2/90s' })
    for (let n = 0; n < 4; n += 1) await other.login()
    expect(await attempt(other, WRONG)).toBe(401)
    expect(await attempt(other, WRONG)).toBe(401)
    other.users.asked.length = 0
    expect(await attempt(other, { username: USERNAME, password: PASSWORD })).toBe(429)
    expect(other.users.asked).toEqual([`find ${USERNAME}`])
  })

  test('does not lock out a known device or address', async () => {
    await using other = await openTestApplication({ throttle: 'account=2/90s' })
    await other.login()
    for (const address of ['198.51.100.1', '198.51.100.2', '198.51.100.3']) {
      await attempt(other, WRONG, address)
    }
    const right = { username: USERNAME, password: PASSWORD }
    expect(await attempt(other, right, '198.51.100.4')).toBe(429)
    expect(await attempt(other, right)).toBe(200)
  })

  test('P21 forgets a device when the application ends the sessions of its account', async () => {
    await using other = await openTestApplication({ throttle: 'account=2/90s,device=2/90s' })
    const besieged = async (device: string, address: string): Promise<number> => {
      const browser = new TestBrowser(other, address)
      browser.cookies.set('cs_device', device)
      return (await browser.login()).status
    }
    const browser = new TestBrowser(other)
    await browser.login()
    const device = browser.cookies.get('cs_device')!
    for (let n = 0; n < 3; n += 1) await attempt(other, WRONG, `198.51.100.${n}`)
    expect(await besieged(device, '198.51.100.8')).toBe(200)
    await other.authority.users.endSessions(ALICE, 'app')
    expect(await besieged(device, '198.51.100.9')).toBe(429)
  })
})

test('a browser logs in, refreshes, sees and ends its sessions, and logs out', async () => {
  const browser = new TestBrowser(it)
  expect(membersOf(await browser.login())).toMatchObject({ sub: ALICE, roles: ['reader'] })
  alice().roles = ['writer']
  expect(membersOf(await browser.visit('/auth/refresh'))).toMatchObject({ roles: ['writer'] })
  expect(membersOf(await browser.get('/auth/me'))).toMatchObject({ sub: ALICE, username: USERNAME })
  const pair = await it.login()
  expect(membersOf(await browser.get('/auth/sessions'))['sessions']).toHaveLength(2)
  expect((await browser.visit('/auth/sessions/end-others')).status).toBe(204)
  expect((await uses(pair))['refresh']).toBe(said.blacklisted)
  expect((await browser.visit('/auth/refresh')).status).toBe(200)
  expect((await browser.visit('/auth/logout')).status).toBe(204)
  expect(browser.cookies.has('cs_refresh')).toBe(false)

  await browser.login()
  alice().isActive = false
  const refused = await browser.visit('/auth/refresh')
  expect(membersOf(refused)).toMatchObject({ status: 401, code: 'account_disabled' })
  expect(browser.cookies.has('cs_refresh')).toBe(false)
})

describe('without its own accounts, the authority does not offer', () => {
  test('changing a password, signing up, authority.accounts', async () => {
    await using other = await openTestApplication({ signUp: true })
    const browser = new TestBrowser(other)
    await browser.login()
    const body = { old_password: PASSWORD, new_password: 'another horse battery' }
    for (const path of ['/auth/password', '/auth/signup']) {
      const answer = await browser.visit(path, { body })
      expect(membersOf(answer)).toMatchObject({ status: 404, code: 'not_found' })
    }
    // @ts-expect-error: the accounts are the application's
    expect(other.authority.accounts).toBe(undefined)
    // @ts-expect-error: and there are no own accounts
    expect((other.authority as Authority).users).toBeDefined()
  })

  test('is rejected in a configuration file', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'countersign-test-'))
    try {
      writeFileSync(join(dataDir, 'countersign.config.mjs'), 'export default { accounts: {} }')
      for (const words of [['start'], ['accounts', 'list']]) {
        const { code, stderr } = await runCommand(words, { dataDir })
        expect(code).toBe(1)
        expect(stderr).toContain('createAuthority({ accounts })')
      }
    } finally {
      rmSync(dataDir, { recursive: true, force: true })
    }
  })

  test('is shown by commands as an account of the application', async () => {
    const { refresh: token } = await it.login()
    const run = async (words: string[], input = ''): Promise<string> => {
      const env = { COUNTERSIGN_PUBLIC_URL: ISSUER }
      return (await runCommand(words, { dataDir: it.dataDir, env, input })).stdout
    }
    expect(await run(['sessions', 'list', '--json'])).toContain(`"username":"${USERNAME}"`)
    expect(await run(['accounts', 'list'])).not.toContain(USERNAME)
    expect(await run(['token', 'inspect'], token)).toContain(
      `${USERNAME} is an account of the application, which was not called`,
    )
  })

  test('must have its three methods', async () => {
    const accounts = { find: () => undefined, get: () => undefined } as unknown as AccountSource
    await expect(createAuthority({ dataDir: '/nowhere', accounts })).rejects.toThrow(
      new TypeError('accounts.verifyPassword must be a function.'),
    )
  })
})

describe('an account of ours and one of the application with the same name', () => {
  const OURS = 'the password of our own'

  test('are two accounts, and neither is accepted as the other', async () => {
    await using ours = await openTestAuthority()
    await ours.authority.accounts.setPassword(USERNAME, OURS, 'test')
    const [own] = await ours.authority.accounts.list()
    const credentials = { username: USERNAME, password: OURS }
    const ownPair = (await (await ours.post('/api/token/', credentials)).json()) as Pair
    await ours.authority.close()

    const application = await openTestApplication({ dataDir: ours.dataDir })
    expect((await application.post('/api/token/', credentials)).status).toBe(401)
    const pair = await application.login()
    expect(claimsOf(pair.access)['sub']).toBe(ALICE)
    expect((await application.me(ownPair.access)).status).toBe(401)
    for (const token of [ownPair.access, ownPair.refresh]) {
      expect((await application.post('/api/token/verify/', { token })).status).toBe(401)
    }
    const refused = await application.post('/api/token/refresh/', { refresh: ownPair.refresh })
    expect(await refused.text()).toBe(said.noAccount)
    // The application was not asked about an account that is not its own.
    expect(application.users.asked).not.toContain(`get ${own!.id}`)
    await application.authority.users.endSessions('user-2', 'test')
    await application.authority.close()

    await ours.restart()
    expect(await ours.authority.accounts.list()).toEqual([own])
    expect(await ours.authority.accounts.count()).toBe(1)
    expect(await ours.authority.accounts.find(ALICE)).toBe(undefined)
    expect(
      (await ours.post('/api/token/', { username: USERNAME, password: PASSWORD })).status,
    ).toBe(401)
    const foreign = await ours.post('/api/token/refresh/', { refresh: pair.refresh })
    expect(await foreign.text()).toBe(said.noAccount)
    for (const token of [pair.access, pair.refresh]) {
      expect((await ours.post('/api/token/verify/', { token })).status).toBe(401)
    }
    const headers = { authorization: `Bearer ${pair.access}` }
    const me = await ours.authority.fetch(new Request(`${ISSUER}/auth/me`, { headers }))
    expect(me.status).toBe(401)
    const next = await ours.post('/api/token/refresh/', { refresh: ownPair.refresh })
    expect(next.status).toBe(200)
  })
})

test('a refresh calls the store twice and the application once', async () => {
  await using sessions = await openTestSessions()
  const users = new TestUsers()
  users.add(ALICE, USERNAME)
  const parts = { ...sessions.services, source: checkSource(users) }
  const granted = await signIn(parts, { username: USERNAME, password: PASSWORD }, HERE)
  if (!granted.ok) throw new Error(granted.code)
  users.asked.length = 0
  const state = vi.spyOn(sessions.store.sessions, 'state')
  const refreshing = vi.spyOn(sessions.store.sessions, 'refresh')
  expect((await createRefresher(parts)(granted.refresh!, HERE)).ok).toBe(true)
  expect([state.mock.calls.length, refreshing.mock.calls.length]).toEqual([1, 1])
  expect(users.asked).toEqual([`get ${ALICE}`])
})
