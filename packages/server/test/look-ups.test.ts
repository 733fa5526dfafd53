import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { openTestAuthority, PASSWORD, type TestAuthority } from './support/authority.ts'
import { execute } from './support/database.ts'
import { ALICE, openTestApplication } from './support/users.ts'

// Accounts, sessions and the audit, as an embedding application reads them page by page.

const NAMES = ['anna', 'bert', 'carl', 'dora', 'emil']

let it: TestAuthority
beforeAll(async () => {
  it = await openTestAuthority()
  for (const username of NAMES) {
    const created = await it.authority.accounts.create({ username, password: PASSWORD }, 'test')
    expect(created.ok).toBe(true)
  }
})
afterAll(() => it[Symbol.asyncDispose]())

async function idOf(username: string): Promise<string> {
  return (await it.authority.accounts.find(username))!.id
}

/** Reads all pages. */
async function pages<Page extends { readonly next: string | undefined }>(
  read: (cursor: string | undefined) => Promise<Page>,
): Promise<Page[]> {
  const all: Page[] = []
  let cursor: string | undefined
  do {
    const page = await read(cursor)
    all.push(page)
    cursor = page.next
  } while (cursor !== undefined && all.length < 100)
  return all
}

describe('accounts', () => {
  test('are found by id', async () => {
    const id = await idOf('bert')
    expect(await it.authority.accounts.get(id)).toEqual(await it.authority.accounts.find('bert'))
    expect(await it.authority.accounts.get(id)).not.toHaveProperty('passwordHash')
    expect(await it.authority.accounts.get('acct_AAAAAAAAAAAAAAAAAAAAAA')).toBeUndefined()
    expect(await it.authority.accounts.get('')).toBeUndefined()
  })

  test('are not found by the id of an account of an application', async () => {
    await using own = await openTestApplication({ keyRotation: 'off' })
    await own.login()
    await own.authority.close()
    await using its = await openTestAuthority({ dataDir: own.dataDir })
    expect(await its.authority.accounts.get(ALICE)).toBeUndefined()
  })

  test.each([1, 2, 3, 6, 7])('in pages of %i, every account once, by username', async (limit) => {
    const read = await pages((after) => it.authority.accounts.list({ limit, after }))
    const names = read.flatMap(({ accounts }) => accounts.map(({ username }) => username))
    expect(names).toEqual(['alice', ...NAMES])
    expect(read).toHaveLength(Math.ceil(6 / limit))
    expect(await it.authority.accounts.list()).toEqual(read.flatMap(({ accounts }) => accounts))
  })

  test('the next page continues after an account that was deleted meanwhile', async () => {
    await it.authority.accounts.create({ username: 'b-deleted', password: PASSWORD }, 'test')
    const first = await it.authority.accounts.list({ limit: 3 })
    expect(first.accounts.at(-1)!.username).toBe('b-deleted')
    await it.authority.accounts.delete('b-deleted', 'test')
    const { accounts } = await it.authority.accounts.list({ after: first.next, limit: 1 })
    expect(accounts.map(({ username }) => username)).toEqual(['bert'])
  })
})

describe('sessions', () => {
  test('show account, address and proofs, and never a seed', async () => {
    await it.post('/api/token/', { username: 'anna', password: PASSWORD })
    const accountId = await idOf('anna')
    const { sessions, next } = await it.authority.sessions.list({ accountId })
    expect(next).toBeUndefined()
    const now = it.clock.nowMs()
    expect(sessions).toEqual([
      {
        id: expect.stringMatching(/^[\w-]{22}$/),
        accountId,
        username: 'anna',
        tenantId: undefined,
        isLive: true,
        createdAt: now,
        lastUsedAt: now,
        expiresAt: now + 14 * 86_400_000,
        endsAt: now + 30 * 86_400_000,
        endedAt: undefined,
        authenticatedAt: now,
        amr: ['pwd'],
        acr: undefined,
        address: '203.0.113.7',
        userAgent: 'test-agent',
      },
    ])
  })

  test.each([1, 2, 5, 100])(
    'in pages of %i, every session once, also those of one millisecond',
    async (limit) => {
      const username = `pages-${limit}`
      await it.authority.accounts.create({ username, password: PASSWORD }, 'test')
      for (let n = 0; n < 5; n += 1) {
        if (n === 3) it.clock.advanceMs(1)
        await it.post('/api/token/', { username, password: PASSWORD })
      }
      const accountId = await idOf(username)
      const read = await pages((before) => it.authority.sessions.list({ accountId, limit, before }))
      const sessions = read.flatMap((page) => page.sessions)
      expect(new Set(sessions.map(({ id }) => id)).size).toBe(5)
      const times = sessions.map(({ createdAt }) => createdAt)
      expect(times).toEqual(times.toSorted((a, b) => b - a))
      expect(read).toHaveLength(Math.ceil(5 / limit))
    },
  )

  test('of all accounts are listed, and only live sessions on request', async () => {
    const { id } = (await it.authority.sessions.list({ limit: 1 })).sessions[0]!
    await it.authority.sessions.end(id, 'test')
    const listed = async (live: boolean): Promise<readonly string[]> =>
      (await it.authority.sessions.list({ live, limit: 1_000 })).sessions.map((each) => each.id)
    expect(await listed(false)).toContain(id)
    expect(await listed(true)).not.toContain(id)
    expect((await listed(true)).length).toBeGreaterThan(1)
  })

  test('end by id: its tokens are refused, and the audit names who ended it', async () => {
    const response = await it.post('/api/token/', { username: 'dora', password: PASSWORD })
    const { refresh } = (await response.json()) as { refresh: string }
    const accountId = await idOf('dora')
    const [session] = (await it.authority.sessions.list({ accountId })).sessions
    expect(await it.authority.sessions.end(session!.id, 'support')).toEqual({
      ok: true,
      value: 'changed',
    })
    expect((await it.post('/api/token/refresh/', { refresh })).status).toBe(401)
    expect((await it.authority.sessions.list({ accountId })).sessions[0]).toMatchObject({
      isLive: false,
      endedAt: it.clock.nowMs(),
    })
    const { entries } = await it.authority.audit.list({ accountId, limit: 1 })
    expect(entries).toMatchObject([
      { event: 'session_ended', actor: 'support', sessionId: session!.id },
    ])
    expect(await it.authority.sessions.end(session!.id, 'support')).toEqual({
      ok: true,
      value: 'unchanged',
    })
    expect(await it.authority.sessions.end('nobody', 'support')).toMatchObject({
      ok: false,
      code: 'session_unknown',
    })
  })

  test('of an account of the application', async () => {
    await using own = await openTestApplication()
    await own.login()
    const { sessions } = await own.authority.sessions.list({ accountId: ALICE })
    expect(sessions).toMatchObject([{ accountId: ALICE, username: 'alice', isLive: true }])
  })
})

describe('the audit', () => {
  test.each([1, 7, 1_000])('in pages of %i, every line once, newest first', async (limit) => {
    const read = await pages((before) => it.authority.audit.list({ limit, before }))
    const ids = read.flatMap(({ entries }) => entries.map(({ id }) => id))
    expect(new Set(ids).size).toBe(ids.length)
    expect(ids).toEqual(ids.toSorted((a, b) => b - a))
    expect(ids.at(-1)).toBe(1)
  })

  test('of one account, past lines that are written meanwhile', async () => {
    const accountId = await idOf('emil')
    await it.authority.accounts.disable('emil', 'test')
    const first = await it.authority.audit.list({ accountId, limit: 1 })
    await it.authority.accounts.enable('emil', 'test')
    const second = await it.authority.audit.list({ accountId, limit: 1, before: first.next })
    expect([...first.entries, ...second.entries].map(({ event }) => event)).toEqual([
      'account_disabled',
      'account_created',
    ])
    expect(second.next).toBeUndefined()
  })
})

test.each([0, -1, 1.5, 1_001, '10', null])('a limit of %j is a TypeError', async (limit) => {
  const { accounts, sessions, audit } = it.authority
  // Callers in JavaScript can pass values of other types.
  const page = { limit: limit as number }
  for (const list of [accounts.list(page), sessions.list(page), audit.list(page)]) {
    await expect(list).rejects.toThrow(
      new TypeError('limit must be a whole number from 1 to 1000.'),
    )
  }
})

test.each(['', 'x', '1', '1.', 7, {}])('an unknown cursor %j is a TypeError', async (cursor) => {
  const before = cursor as string
  await expect(it.authority.sessions.list({ before })).rejects.toThrow(/^before must be the next/)
  if (before !== '1') {
    await expect(it.authority.audit.list({ before })).rejects.toThrow(/^before must be the next/)
  }
})

test('a username that current rules reject still works in pages', async () => {
  execute(
    it.dataDir,
    `UPDATE accounts SET username = 'b  ert', username_key = 'b  ert' WHERE username = 'bert'`,
  )
  const read = await pages((after) => it.authority.accounts.list({ limit: 1, after }))
  expect(read.flatMap(({ accounts }) => accounts.map(({ username }) => username))).toContain('emil')
})
