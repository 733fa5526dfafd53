import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

import type { AuthorityConfig } from '../src/authority.ts'
import { openTestAuthority, type Pair, type TestAuthority } from './support/authority.ts'
import { execute, query, queryOne } from './support/database.ts'

const DAY_MS = 86_400_000
const ROUND_MS = 60_000

async function refresh(it: TestAuthority, pair: Pair): Promise<{ status: number; pair: Pair }> {
  const response = await it.post('/api/token/refresh/', { refresh: pair.refresh })
  return { status: response.status, pair: (await response.json()) as Pair }
}

async function logOut(it: TestAuthority, pair: Pair): Promise<void> {
  const response = await it.post('/api/token/blacklist/', { refresh: pair.refresh })
  expect(response.status).toBe(200)
}

function count(it: TestAuthority, table: string): number {
  return Number(queryOne(it.dataDir, `SELECT count(*) AS n FROM ${table}`)['n'])
}

describe('COUNTERSIGN_SESSIONS_PER_ACCOUNT_MAX', () => {
  test('the oldest session ends at the sign-in beyond the limit, with entry and audit line', async () => {
    await using it = await openTestAuthority({ sessionsPerAccountMax: '2' })
    const pairs: Pair[] = []
    for (let n = 0; n < 4; n += 1) {
      pairs.push(await it.login())
      it.clock.advanceMs(1_000)
    }
    const answers = await Promise.all(pairs.map((pair) => refresh(it, pair)))
    expect(answers.map(({ status }) => status)).toEqual([401, 401, 200, 200])
    // Access tokens of the ended sessions are revoked with them.
    const verified = await Promise.all(
      pairs.map(({ access }) => it.post('/api/token/verify/', { token: access })),
    )
    expect(verified.map(({ status }) => status)).toEqual([400, 400, 200, 200])
    expect(query(it.dataDir, 'SELECT kind, hard FROM revocations')).toEqual([
      { kind: 'session', hard: 1 },
      { kind: 'session', hard: 1 },
    ])
    const ended = query(it.dataDir, `SELECT detail FROM audit WHERE event = 'session_ended'`)
    expect(ended.map(({ detail }) => detail)).toEqual(['session_limit', 'session_limit'])
  })

  test('a session that was logged out or has expired does not count', async () => {
    await using it = await openTestAuthority({ sessionsPerAccountMax: 2 })
    const [first, second] = [await it.login(), await it.login()]
    await logOut(it, second)
    await it.login()
    expect((await refresh(it, first)).status).toBe(200)
    it.clock.advanceMs(15 * DAY_MS)
    await it.login()
    await it.login()
    expect(query(it.dataDir, `SELECT 1 FROM audit WHERE event = 'session_ended'`)).toEqual([])
  })

  test('without the setting, an account has any number of sessions', async () => {
    await using it = await openTestAuthority()
    const pairs = await Promise.all(Array.from({ length: 20 }, () => it.login()))
    const answers = await Promise.all(pairs.map((pair) => refresh(it, pair)))
    expect(answers.every(({ status }) => status === 200)).toBe(true)
  })
})

test('100,000 sessions that are over slow down neither the list of an account nor its sign-in', async () => {
  await using it = await openTestAuthority({ sessionsPerAccountMax: 3 })
  await it.login()
  await it.login()
  const { id } = (await it.authority.accounts.find('alice'))!
  const list = (): Promise<unknown> => it.authority.sessions.list({ accountId: id, live: true })
  const [listMs, loginMs] = [await fastest(list), await fastest(() => it.login())]
  // Half of them ended one by one, and half of them with all sessions of the account.
  execute(
    it.dataDir,
    `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
     INSERT INTO sessions (id, account_id, client_id, seed, generation, created_at, rotated_at, expires_at,
                           ends_at, ended_at, signed_in_position, survived_position, refresh_kid,
                           address, user_agent)
     SELECT 'old-' || i, account_id, client_id, seed, 0, created_at - i, created_at - i, expires_at,
            ends_at, iif(i % 2, created_at, NULL), -1, -1, refresh_kid, address, user_agent
     FROM n, (SELECT * FROM sessions LIMIT 1)`,
  )
  expect(await fastest(list)).toBeLessThan(20 + 10 * listMs)
  expect(await fastest(() => it.login())).toBeLessThan(20 + 10 * loginMs)
})

/** The time of the fastest of five runs, in milliseconds. */
async function fastest(run: () => Promise<unknown>): Promise<number> {
  let best = Infinity
  for (let n = 0; n < 5; n += 1) {
    const started = performance.now()
    await run()
    best = Math.min(best, performance.now() - started)
  }
  return best
}

describe('upkeep', () => {
  // Fakes only the timer of the rounds, so that everything else still runs.
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  /** Runs one round of upkeep. The first round of an hour purges. */
  async function keepUp(it: TestAuthority): Promise<void> {
    vi.advanceTimersByTime(ROUND_MS)
    await turns(it, 50)
  }

  /** Waits for more steps of upkeep than a test needs: each takes one call to the store, as each turn here does. */
  async function turns(it: TestAuthority, wanted: number): Promise<void> {
    for (let turn = 0; turn < wanted; turn += 1) {
      await it.authority.audit.list({ limit: 1 })
      await new Promise((done) => setImmediate(done))
    }
  }

  async function openFor(config: AuthorityConfig): Promise<TestAuthority> {
    return openTestAuthority({ refreshLifetime: '2d', sessionLifetime: '2d', ...config })
  }

  test('old entries and audit lines are deleted; guards, restarts and new revocations still work', async () => {
    await using it = await openFor({ revocationRetention: '3d', auditRetention: '5d' })
    for (let n = 0; n < 3; n += 1) await logOut(it, await it.login())
    it.clock.advanceMs(4 * DAY_MS)
    const late = await it.login()
    await logOut(it, await it.login())
    await keepUp(it)
    expect(query(it.dataDir, 'SELECT position FROM revocations')).toEqual([{ position: 4 }])
    expect(count(it, 'sessions')).toBe(2)
    const audited = count(it, 'audit')
    expect(audited).toBeGreaterThan(8)

    expect((await refresh(it, late)).status).toBe(200)
    await it.restart()
    const pair = await it.login()
    expect((await it.post('/api/token/verify/', { token: pair.access })).status).toBe(200)
    await logOut(it, pair)
    expect((await it.post('/api/token/verify/', { token: pair.access })).status).toBe(400)
    expect(query(it.dataDir, 'SELECT position FROM revocations')).toHaveLength(2)

    it.clock.advanceMs(2 * DAY_MS)
    await keepUp(it)
    expect(query(it.dataDir, 'SELECT DISTINCT at FROM audit')).toHaveLength(1)
    expect(count(it, 'audit')).toBeLessThan(audited)
  })

  test('off keeps everything, and the default keeps 90 and 400 days', async () => {
    for (const [config, kept] of [
      [{ revocationRetention: 'off', auditRetention: 'off' }, [1, true]],
      [{}, [1, false]],
    ] as const) {
      await using it = await openFor(config)
      await logOut(it, await it.login())
      it.clock.advanceMs(401 * DAY_MS)
      const before = count(it, 'audit')
      await keepUp(it)
      // The newest entry always stays, because the chain continues from it.
      expect([count(it, 'revocations'), count(it, 'audit') === before]).toEqual(kept)
    }
  })

  test('a clock that is two years ahead deletes a day of the audit and of the log in a round', async () => {
    await using it = await openFor({})
    const began = it.clock.nowMs()
    for (let day = 0; day < 10; day += 1) {
      await logOut(it, await it.login())
      it.clock.advanceMs(DAY_MS)
    }
    it.clock.advanceMs(730 * DAY_MS)
    await keepUp(it)
    for (const table of ['audit', 'revocations']) {
      const { oldest } = queryOne(it.dataDir, `SELECT min(at) AS oldest FROM ${table}`)
      expect(oldest).toBe(began + DAY_MS)
    }
  })

  test('records of single sign-on are deleted when they have expired', async () => {
    await using it = await openFor({})
    execute(
      it.dataDir,
      `INSERT INTO sso_records (kind, id_hash, payload, expires_at)
       SELECT 'Session', randomblob(32), '{}', value FROM json_each(?)`,
      JSON.stringify([0, 1, 2].map((days) => it.clock.nowMs() + days * DAY_MS)),
    )
    await keepUp(it)
    expect(count(it, 'sso_records')).toBe(2)
  })

  test('a large backlog is deleted in steps, between requests', async () => {
    await using it = await openFor({ auditRetention: '1d' })
    execute(
      it.dataDir,
      `WITH RECURSIVE lines (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM lines WHERE n < 2200)
       INSERT INTO audit (at, actor, event, outcome) SELECT ?, 'anonymous', 'login', 'refused' FROM lines`,
      it.clock.nowMs(),
    )
    it.clock.advanceMs(2 * DAY_MS)
    vi.advanceTimersByTime(ROUND_MS)
    const pair = await it.login()
    expect((await refresh(it, pair)).status).toBe(200)
    await turns(it, 100)
    expect(count(it, 'audit')).toBe(1)
  })
})
