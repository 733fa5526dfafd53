import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { describe, expect, test } from 'vitest'

import type { AccountManager } from '../src/accounts/manage.ts'
import { StoreFault } from '../src/base/faults.ts'
import { createRefresher } from '../src/sessions/refresh.ts'
import { signIn } from '../src/sessions/sign-in.ts'
import { systemClock } from '../src/base/clock.ts'
import { openStore } from '../src/store/open.ts'
import { ISSUER, openTestAuthority, PASSWORD, USERNAME } from './support/authority.ts'
import type { Pair, TestAuthority } from './support/authority.ts'
import { expectWholeLog, readChainStart } from './support/chain.ts'
import { execute, query, queryOne } from './support/database.ts'
import { HttpClient } from './support/http-client.ts'
import { ADMIN, startServerProcess } from './support/server-process.ts'
import { HERE } from './support/session-rows.ts'
import { openTestSessions, plainHasher } from './support/sessions.ts'
import { claimsOf } from './support/forge.ts'
import { SECRET, stealKey, stealPrivateNumber } from './support/tokens.ts'

const NEW_PASSWORD = 'another long password'

function entries(it: { readonly dataDir: string }): Record<string, unknown>[] {
  return query(
    it.dataDir,
    'SELECT position, kind, subject, hard FROM revocations ORDER BY position',
  )
}

function accountId(it: { readonly dataDir: string }): string {
  return String(queryOne(it.dataDir, 'SELECT id FROM accounts')['id'])
}

async function me(it: TestAuthority, access: string): Promise<number> {
  const headers = { authorization: `Bearer ${access}` }
  return (await it.authority.fetch(new Request(`${ISSUER}/auth/me`, { headers }))).status
}

/** Each operation that revokes something, its log entry, and its audit event. */
const revokingCalls: readonly [
  name: string,
  act: (it: TestAuthority, pair: Pair) => Promise<unknown>,
  kind: 'account' | 'session',
  strength: 'hard' | 'soft',
  event: string,
][] = [
  ['logging out', logOut, 'session', 'hard', 'logout'],
  ['a token that is used twice', reuse, 'session', 'hard', 'refresh_reused'],
  ['a token ahead of the store', comeAhead, 'session', 'hard', 'refresh_ahead'],
  [
    'disabling',
    onAccounts((all) => all.disable(USERNAME, 'test')),
    'account',
    'hard',
    'account_disabled',
  ],
  [
    'deleting',
    onAccounts((all) => all.delete(USERNAME, 'test')),
    'account',
    'hard',
    'account_deleted',
  ],
  [
    'a new password',
    onAccounts((all) => all.setPassword(USERNAME, NEW_PASSWORD, 'test')),
    'account',
    'hard',
    'password_changed',
  ],
  [
    'a role more',
    onAccounts((all) => all.addRole(USERNAME, 'writer', 'test')),
    'account',
    'soft',
    'role_added',
  ],
  [
    'a role less',
    onAccounts((all) => all.removeRole(USERNAME, 'reader', 'test')),
    'account',
    'soft',
    'role_removed',
  ],
]

function logOut(it: TestAuthority, pair: Pair): Promise<Response> {
  return it.post('/api/token/blacklist/', { refresh: pair.refresh })
}

async function reuse(it: TestAuthority, pair: Pair): Promise<void> {
  execute(it.dataDir, 'UPDATE sessions SET generation = 2')
  await it.post('/api/token/refresh/', { refresh: pair.refresh })
}

async function comeAhead(it: TestAuthority, pair: Pair): Promise<void> {
  execute(it.dataDir, 'UPDATE sessions SET generation = -2')
  await it.post('/api/token/refresh/', { refresh: pair.refresh })
}

function onAccounts(act: (accounts: AccountManager) => Promise<unknown>) {
  return (it: TestAuthority): Promise<unknown> => act(it.authority.accounts)
}

/** An authority with the account alice, who is a reader and has one session. */
async function openWithSession(): Promise<{ it: TestAuthority; pair: Pair }> {
  const it = await openTestAuthority({ secret: SECRET })
  await it.authority.accounts.addRole(USERNAME, 'reader', 'test')
  return { it, pair: await it.login() }
}

describe.each(revokingCalls)('%s', (_, act, kind, strength, event) => {
  test(`writes one ${strength} entry about the ${kind}, and its line in the audit`, async () => {
    const { it, pair } = await openWithSession()
    await using authority = it
    await act(it, pair)
    const subject = claimsOf(pair.access)[kind === 'account' ? 'sub' : 'sid']
    expect(entries(authority).slice(1)).toEqual([
      { position: 2, kind, subject, hard: strength === 'hard' ? 1 : 0 },
    ])
    expect(query(it.dataDir, 'SELECT event FROM audit WHERE event = ?', event)).toHaveLength(
      event === 'role_added' ? 2 : 1,
    )
    expect(await me(it, pair.access)).toBe(strength === 'hard' ? 401 : 200)
  })

  test.each(['revocations', 'audit'])('changes nothing if %s cannot be written', async (table) => {
    const { it, pair } = await openWithSession()
    await using authority = it
    execute(
      it.dataDir,
      `CREATE TRIGGER broken BEFORE INSERT ON ${table} BEGIN SELECT RAISE(ABORT, 'broken'); END`,
    )
    const stateBefore = (): unknown => [
      query(
        it.dataDir,
        'SELECT id, password_hash, roles, disabled_at, hard_position FROM accounts',
      ),
      query(it.dataDir, 'SELECT id, ended_at FROM sessions'),
      query(it.dataDir, 'SELECT * FROM audit'),
      query(it.dataDir, 'SELECT * FROM revocation_head'),
      entries(authority),
    ]
    const before = stateBefore()
    // The HTTP API answers 503, and the library rejects.
    const outcome = await act(it, pair).catch((error: unknown) => error)
    if (outcome instanceof Response) expect(outcome.status).toBe(503)
    else if (outcome !== undefined) expect(outcome).toBeInstanceOf(StoreFault)
    expect(stateBefore()).toEqual(before)
    expect(await me(it, pair.access)).toBe(200)
  })
})

test('an operation that revokes nothing writes no entry', async () => {
  await using it = await openTestAuthority()
  const { accounts } = it.authority
  const pair = await it.login()
  await it.post('/api/token/refresh/', { refresh: pair.refresh })
  await accounts.addRole(USERNAME, 'writer', 'test')
  await accounts.addRole(USERNAME, 'writer', 'test')
  await accounts.removeRole(USERNAME, 'reader', 'test')
  await accounts.enable(USERNAME, 'test')
  await logOut(it, pair)
  await logOut(it, pair)
  await accounts.disable(USERNAME, 'test')
  await accounts.disable(USERNAME, 'test')
  await accounts.enable(USERNAME, 'test')
  expect(entries(it).map(({ kind, hard }) => [kind, hard])).toEqual([
    ['account', 0],
    ['session', 1],
    ['account', 1],
  ])
})

test('only the id of a deleted account is left, in log and audit, and its name is free', async () => {
  await using it = await openTestAuthority()
  const { accounts, tenants } = it.authority
  await tenants.create('acme', 'test')
  await tenants.setMember({ tenant: 'acme', username: USERNAME, roles: ['editor'] }, 'test')
  const pair = await it.login()
  expect(await accounts.delete(USERNAME, 'test')).toEqual({ ok: true, value: 'changed' })
  expect(await accounts.find(USERNAME)).toBeUndefined()
  for (const table of ['accounts', 'sessions', 'memberships']) {
    expect(query(it.dataDir, `SELECT * FROM ${table}`)).toEqual([])
  }
  expect(await accounts.delete(USERNAME, 'test')).toMatchObject({ code: 'account_unknown' })

  const again = await accounts.create({ username: USERNAME, password: PASSWORD }, 'test')
  expect(again.ok && again.value.id).not.toBe(claimsOf(pair.access)['sub'])
  expect((await it.post('/api/token/refresh/', { refresh: pair.refresh })).status).toBe(401)
  expect(await me(it, pair.access)).toBe(401)
  expect(await me(it, (await it.login()).access)).toBe(200)
})

test('an account has its newest hard position in its own row', async () => {
  await using it = await openTestAuthority()
  const { accounts } = it.authority
  const positions: unknown[] = []
  for (const act of [
    () => accounts.addRole(USERNAME, 'writer', 'test'),
    () => accounts.setPassword(USERNAME, NEW_PASSWORD, 'test'),
    () => accounts.removeRole(USERNAME, 'writer', 'test'),
    () => accounts.disable(USERNAME, 'test'),
    () => accounts.enable(USERNAME, 'test'),
  ]) {
    await act()
    positions.push(queryOne(it.dataDir, 'SELECT hard_position FROM accounts')['hard_position'])
  }
  expect(positions).toEqual([0, 2, 2, 4, 4])
})

describe('the log', () => {
  test('has no gap and an unbroken chain after concurrent operations', async () => {
    await using it = await openTestAuthority()
    const start = readChainStart(it.dataDir)
    const pairs = await Promise.all(Array.from({ length: 20 }, () => it.login()))
    await Promise.all(
      pairs.flatMap((pair, n) => [
        logOut(it, pair),
        it.authority.accounts.addRole(USERNAME, `role-${n}`, 'test'),
        it.post('/api/token/refresh/', { refresh: pair.refresh }),
      ]),
    )
    expect(expectWholeLog(it.dataDir, start)).toBe(40)
  })

  test('is shared by two processes', async () => {
    await using server = await startServerProcess()
    const start = readChainStart(server.dataDir)
    const http = new HttpClient(server.url)
    const pairs: Pair[] = []
    for (let n = 0; n < 60; n += 1) pairs.push(await http.login(ADMIN))

    const beside = await openStore(server, { exclusive: false, clock: systemClock })
    const admin = accountId(server)
    const answers = Promise.all(
      pairs.map(({ refresh }) => http.post('/api/token/blacklist/', { refresh })),
    )
    for (let n = 0; n < 60; n += 1) {
      await beside.accounts.addRole(admin, `role-${n}`, { at: Date.now(), actor: 'test' })
      // Yields to the event loop, so that the answers can arrive.
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect((await answers).map(({ status }) => status)).toEqual(Array(60).fill(200))
    await beside.close()
    http.close()
    expect(expectWholeLog(server.dataDir, start)).toBe(120)
  })

  test('and the audit are append-only', async () => {
    const { it, pair } = await openWithSession()
    await using authority = it
    await logOut(it, pair)
    for (const table of ['revocations', 'audit']) {
      const before = query(authority.dataDir, `SELECT * FROM ${table}`)
      expect(before.length).toBeGreaterThan(0)
      expect(() => execute(it.dataDir, `UPDATE ${table} SET at = 0`)).toThrow(/append-only/)
      expect(() => execute(it.dataDir, `DELETE FROM ${table}`)).toThrow(/append-only/)
      expect(query(it.dataDir, `SELECT * FROM ${table}`)).toEqual(before)
    }
  })
})

describe('rvp', () => {
  test('is the head of the log when the token is issued', async () => {
    await using it = await openTestAuthority()
    const { accounts } = it.authority
    let pair = await it.login()
    expect(claimsOf(pair.access)['rvp']).toBe(0)
    await accounts.addRole(USERNAME, 'reader', 'test')
    const response = await it.post('/api/token/refresh/', { refresh: pair.refresh })
    const [before, refreshed] = [pair, (await response.json()) as Pair]
    expect(claimsOf(refreshed.access)).toMatchObject({ rvp: 1, roles: ['reader'] })
    await accounts.removeRole(USERNAME, 'reader', 'test')
    const repeated = await it.post('/api/token/refresh/', { refresh: before.refresh })
    pair = (await repeated.json()) as Pair
    expect(claimsOf(pair.access)).toMatchObject({ rvp: 2, roles: [] })
    expect(claimsOf((await it.login()).access)['rvp']).toBe(2)
  })

  test('of a login is read before the account, so a change during the login is newer than the token', async () => {
    // The change happens while the password is checked.
    const hooks: { meanwhile?: () => Promise<unknown> } = {}
    await using it = await openTestSessions({
      hasher: {
        ...plainHasher,
        verify: async (hash, password, key) => {
          await hooks.meanwhile?.()
          return (await plainHasher.verify(hash, password, key)) ?? false
        },
      },
    })
    await it.accounts.create({ username: 'alice', password: PASSWORD }, 'test')
    const credentials = { username: 'alice', password: PASSWORD }
    hooks.meanwhile = () => it.accounts.addRole('alice', 'reader', 'test')
    const granted = await signIn(it.services, credentials, HERE)
    expect(granted.ok && claimsOf(granted.access)).toMatchObject({ rvp: 0, roles: [] })
    expect((await it.store.revocations.head()).position).toBe(1)
  })
})

describe('a login in progress', () => {
  const changes: [string, (accounts: AccountManager) => Promise<unknown>][] = [
    ['the account is disabled', (accounts) => accounts.disable('alice', 'test')],
    [
      'it is disabled and enabled again',
      async (accounts) => {
        await accounts.disable('alice', 'test')
        await accounts.enable('alice', 'test')
      },
    ],
    ['it is deleted', (accounts) => accounts.delete('alice', 'test')],
    ['its password changes', (accounts) => accounts.setPassword('alice', NEW_PASSWORD, 'test')],
    [
      'the same password is set again',
      (accounts) => accounts.setPassword('alice', PASSWORD, 'test'),
    ],
  ]

  test.each(changes)('gets no session when %s', async (_, change) => {
    const hooks: { meanwhile?: () => Promise<unknown> } = {}
    await using it = await openTestSessions({
      hasher: {
        ...plainHasher,
        verify: async (hash, password, key) => {
          const isRight = await plainHasher.verify(hash, password, key)
          await hooks.meanwhile?.()
          return isRight ?? false
        },
      },
    })
    await it.accounts.create({ username: 'alice', password: PASSWORD }, 'test')
    hooks.meanwhile = () => change(it.accounts)
    expect(await signIn(it.services, { username: 'alice', password: PASSWORD }, HERE)).toEqual({
      ok: false,
      code: 'credentials_invalid',
    })
    expect(query(it.dataDir, 'SELECT * FROM sessions')).toEqual([])
    expect(query(it.dataDir, `SELECT outcome, detail FROM audit WHERE event = 'login'`)).toEqual([
      { outcome: 'refused', detail: 'revoked' },
    ])
  })

  test('keeps its session when an older session ends', async () => {
    const hooks: { meanwhile?: () => Promise<unknown> } = {}
    await using it = await openTestSessions({
      hasher: {
        ...plainHasher,
        verify: async (hash, password, key) => {
          await hooks.meanwhile?.()
          return (await plainHasher.verify(hash, password, key)) ?? false
        },
      },
    })
    await it.accounts.create({ username: 'alice', password: PASSWORD }, 'test')
    const credentials = { username: 'alice', password: PASSWORD }
    const older = await signIn(it.services, credentials, HERE)
    const sid = older.ok ? String(claimsOf(older.access)['sid']) : ''
    const at = it.clock.nowMs()
    hooks.meanwhile = () => it.store.sessions.end(sid, { event: 'logout' }, { at, actor: 'test' })
    const granted = await signIn(it.services, credentials, HERE)
    expect(granted.ok).toBe(true)
    const token = granted.ok ? granted.refresh! : ''
    expect((await createRefresher(it.services)(token, HERE)).ok).toBe(true)
  })
})

test('the files contain no readable token, password or key', async () => {
  await using it = await openTestAuthority({ secret: SECRET })
  const pairs = [await it.login()]
  for (let n = 0; n < 3; n += 1) {
    const response = await it.post('/api/token/refresh/', { refresh: pairs.at(-1)!.refresh })
    pairs.push((await response.json()) as Pair)
  }
  await it.post('/api/token/refresh/', { refresh: 'not-a-token-0123456789' })
  await it.post('/api/token/', { username: USERNAME, password: 'a wrong long password' })
  await it.post('/api/token/', { username: 'typed-into-the-wrong-field', password: PASSWORD })
  await it.authority.accounts.setPassword(USERNAME, NEW_PASSWORD, 'test')
  await it.post('/api/token/refresh/', { refresh: pairs[0]!.refresh })
  await logOut(it, pairs[0]!)

  const names = readdirSync(it.dataDir)
  expect(names).toEqual(expect.arrayContaining(['countersign.db', 'countersign.db-wal']))
  const files = names.map((name) => readFileSync(join(it.dataDir, name)))
  const holds = (secret: Buffer | string): boolean => files.some((file) => file.includes(secret))
  // These values must be in the files, which shows that the search below finds things.
  expect(holds(String(claimsOf(pairs[0]!.access)['sid']))).toBe(true)
  expect(holds('test-agent')).toBe(true)

  const tokens = pairs.flatMap(({ access, refresh }) => [access, refresh])
  const secrets: (Buffer | string)[] = [
    ...tokens.flatMap((token) => token.split('.')),
    ...tokens.map((token) => String(claimsOf(token)['jti'])),
    ...tokens.map((token) => Buffer.from(String(claimsOf(token)['jti']), 'hex')),
    ...tokens.map((token) => Buffer.from(token.split('.')[2] ?? '', 'base64url')),
    PASSWORD,
    NEW_PASSWORD,
    'a wrong long password',
    'typed-into-the-wrong-field',
    SECRET,
    ...[stealKey(it.dataDir, 'access'), stealKey(it.dataDir, 'refresh')].flatMap(encodings),
    ...encodings(stealPrivateNumber(it.dataDir)),
    'not-a-token-0123456789',
  ]
  expect(secrets.filter(holds)).toEqual([])
})

function encodings(bytes: Buffer): (Buffer | string)[] {
  const base64 = bytes.toString('base64').replaceAll('=', '')
  return [bytes, base64, bytes.toString('base64url'), bytes.toString('hex')]
}
