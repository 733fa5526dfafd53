import { describe, expect, test } from 'vitest'

import { engines } from './engines.ts'
import {
  account,
  addSession,
  BY,
  DAY_MS,
  eventsOf,
  logOf,
  session,
  signedIn,
  tally,
  tenant,
} from './samples.ts'

describe.each(engines)('sessions on %s', (_, open) => {
  test('create writes the session and its audit line; state reads it back', async () => {
    await using it = await open()
    await it.store.accounts.create(account('acct_1', { roles: ['reader'] }), 'acct_1', BY)
    await addSession(it.store, 'session-1')
    const state = await it.store.sessions.state('session-1')
    expect({ ...state?.session, seed: Uint8Array.from(state?.session.seed ?? []) }).toEqual(
      session(),
    )
    expect(state).toMatchObject({
      account: { id: 'acct_1', userId: 'acct_1', roles: ['reader'], tenantId: undefined },
      username: 'acct_1',
      accountDisabled: false,
      accountHardPosition: 0,
      tenantDisabled: false,
      tenantHardPosition: 0,
      refreshKeyKilled: false,
      position: 0,
    })
    expect(await it.store.sessions.state('unknown')).toBeUndefined()
    const [line] = await it.store.audit.list({ limit: 1 })
    const { actor, address } = BY
    expect(line).toMatchObject({
      event: 'login',
      actor,
      accountId: 'acct_1',
      sessionId: 'session-1',
      address,
    })
    expect(await logOf(it.store)).toEqual([])
  })

  test('create refuses an account that was revoked after the position was read, and writes nothing', async () => {
    await using it = await open()
    const { accounts, sessions, tenants } = it.store
    await accounts.create(account(), 'acct_1', BY)
    await tenants.create(tenant(), BY)
    const create = (more: Parameters<typeof session>[1]): Promise<unknown> =>
      sessions.create(session('new', more), BY)
    expect(await create({ accountId: 'nobody' })).toBe('refused')
    expect(await create({ tenantId: 'ten_1' })).toBe('refused')
    await tenants.setMember('acct_1', 'ten_1', [], BY)
    await tenants.disable('ten_1', BY)
    expect(await create({ tenantId: 'ten_1', signedInPosition: 1 })).toBe('refused')
    await tenants.enable('ten_1', BY)
    expect(await create({ tenantId: 'ten_1', signedInPosition: 0 })).toBe('refused')
    await accounts.endSessions('acct_1', undefined, BY)
    expect(await create({ signedInPosition: 1 })).toBe('refused')
    await accounts.disable('acct_1', BY)
    expect(await create({ signedInPosition: 3 })).toBe('refused')
    expect(await sessions.list({ limit: 10 })).toEqual([])
    expect(await eventsOf(it.store)).not.toContain('login')
    await accounts.enable('acct_1', BY)
    expect(await create({ signedInPosition: 3 })).toBe('created')
  })

  test('end ends once, with one hard entry and one audit line', async () => {
    await using it = await open()
    await signedIn(it.store)
    const ending = { event: 'logout' } as const
    const results = await Promise.all([
      it.elsewhere('sessions.end', 'session-1', ending, BY),
      it.store.sessions.end('session-1', ending, BY),
      it.beside.sessions.end('session-1', ending, BY),
      it.store.sessions.end('session-1', ending, BY),
    ])
    expect(tally(results)).toEqual({ changed: 1, unchanged: 3 })
    expect(await it.store.sessions.end('unknown', ending, BY)).toBe('unknown')
    expect((await it.store.sessions.state('session-1'))?.session.endedAt).toBe(BY.at)
    expect(await logOf(it.store)).toEqual(['session session-1 hard'])
    expect((await eventsOf(it.store)).slice(2)).toEqual(['logout'])
  })

  test('list returns the newest first, of one account or of all, live by the store clock', async () => {
    await using it = await open()
    const { sessions } = it.store
    await signedIn(it.store)
    await it.store.accounts.create(account('acct_2'), 'acct_2', BY)
    const day = (n: number): number => BY.at + n * DAY_MS
    await addSession(it.store, 'newer', { createdAt: day(1), expiresAt: day(2) })
    await addSession(it.store, 'others', { createdAt: day(2), accountId: 'acct_2' })
    await sessions.end('session-1', { event: 'logout' }, BY)
    const ids = async (filter: object): Promise<string[]> =>
      (await sessions.list({ limit: 10, ...filter })).map(({ id }) => id)
    expect(await ids({})).toEqual(['others', 'newer', 'session-1'])
    expect(await ids({ limit: 1 })).toEqual(['others'])
    expect(await ids({ accountId: 'acct_1' })).toEqual(['newer', 'session-1'])
    expect(await ids({ live: true })).toEqual(['others', 'newer'])
    it.clock.advanceMs(2 * DAY_MS - 1)
    expect(await ids({ live: true })).toEqual(['others', 'newer'])
    it.clock.advanceMs(1)
    expect(await ids({ live: true })).toEqual(['others'])
    const [summary] = await sessions.list({ accountId: 'acct_1', limit: 1 })
    expect(summary).toMatchObject({ username: 'acct_1', live: false })
    expect(summary).not.toHaveProperty('seed')
  })

  test('a limit ends the oldest live sessions with the sign-in, each with entry and audit line', async () => {
    await using it = await open()
    const { sessions } = it.store
    await signedIn(it.store)
    for (const n of [1, 2, 3, 4]) {
      await addSession(it.store, `s${n}`, { createdAt: BY.at + n })
    }
    await sessions.end('s3', { event: 'logout' }, BY)
    await it.store.accounts.create(account('acct_2'), 'acct_2', BY)
    await addSession(it.store, 'of-another', { accountId: 'acct_2' })
    const newest = session('newest', { createdAt: BY.at, signedInPosition: 1 })
    expect(await sessions.create(newest, BY, { liveMax: 2 })).toBe('created')
    const live = await sessions.list({ accountId: 'acct_1', limit: 10, live: true })
    expect(live.map(({ id }) => id)).toEqual(['s4', 'newest'])
    expect((await logOf(it.store)).slice(1)).toEqual([
      'session s1 hard',
      'session s2 hard',
      'session session-1 hard',
    ])
    const lines = await it.store.audit.list({ accountId: 'acct_1', limit: 4 })
    expect(lines.map(({ event, detail = '' }) => `${event} ${detail}`)).toEqual([
      ...Array<string>(3).fill('session_ended session_limit'),
      'login ',
    ])
    expect(await sessions.create(session('x', { signedInPosition: 4 }), BY, { liveMax: 1 })).toBe(
      'created',
    )
    expect(await sessions.list({ accountId: 'acct_1', limit: 10, live: true })).toHaveLength(1)
  })

  test('sign-ins at once never leave more sessions than the limit', async () => {
    await using it = await open()
    await it.store.accounts.create(account(), 'acct_1', BY)
    await Promise.all(
      Array.from({ length: 12 }, (_unused, n) => {
        const values = [session(`s${n}`), BY, { liveMax: 3 }] as const
        if (n % 3 === 0) return it.elsewhere('sessions.create', ...values)
        return (n % 3 === 1 ? it.store : it.beside).sessions.create(...values)
      }),
    )
    const live = await it.store.sessions.list({ accountId: 'acct_1', limit: 20, live: true })
    expect(live).toHaveLength(3)
    expect(await logOf(it.store)).toHaveLength(9)
  })

  test('purge removes sessions some time after their absolute end, up to its limit', async () => {
    await using it = await open()
    await signedIn(it.store)
    await addSession(it.store, 'session-2')
    await addSession(it.store, 'session-3', { endsAt: BY.at + 90 * DAY_MS })
    it.clock.advanceMs(31 * DAY_MS)
    expect(await it.store.sessions.purge(DAY_MS, 10)).toBe(0)
    it.clock.advanceMs(1)
    expect(await it.store.sessions.purge(DAY_MS, 1)).toBe(1)
    expect(await it.store.sessions.purge(DAY_MS, 10)).toBe(1)
    expect(await it.store.sessions.purge(DAY_MS, 10)).toBe(0)
  })
})
