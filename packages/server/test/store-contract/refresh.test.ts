import { describe, expect, test } from 'vitest'

import { limits } from '../../src/base/limits.ts'
import type { RefreshOutcome } from '../../src/store/refresh.ts'
import { engines } from './engines.ts'
import {
  addSession,
  attempt,
  BY,
  DAY_MS,
  eventsOf,
  logOf,
  rules,
  signedIn,
  tally,
  tenant,
} from './samples.ts'
import { NOW } from '../support/session-rows.ts'

function named(outcome: RefreshOutcome): string {
  return 'code' in outcome ? `${outcome.kind} ${outcome.code}` : outcome.kind
}

describe.each(engines)('refresh on %s', (_, open) => {
  test('rotates the row and returns it with the account, the position and the time of the store', async () => {
    await using it = await open()
    await signedIn(it.store)
    it.clock.advanceMs(5_000)
    const from = { address: '198.51.100.1', userAgent: 'other' }
    const outcome = await it.store.sessions.refresh(
      attempt(0, 'session-1', from),
      rules({ refreshKid: 'new-key' }),
    )
    const now = it.clock.nowMs()
    expect(outcome).toMatchObject({
      kind: 'rotated',
      now,
      position: 0,
      account: { id: 'acct_1' },
      session: { generation: 1, rotatedAt: now, expiresAt: now + 14 * DAY_MS },
    })
    const state = await it.store.sessions.state('session-1')
    const { session } = 'session' in outcome ? outcome : {}
    expect(state?.session).toMatchObject({ ...session, ...from })
    expect(await logOf(it.store)).toEqual([])
    expect(await eventsOf(it.store)).toEqual(['account_created', 'login'])
  })

  test('never extends the absolute end', async () => {
    await using it = await open()
    await signedIn(it.store)
    await addSession(it.store, 'short', { endsAt: BY.at + 1_000, expiresAt: BY.at + 1_000 })
    expect(await it.store.sessions.refresh(attempt(0, 'short'), rules())).toMatchObject({
      session: { expiresAt: BY.at + 1_000 },
    })
  })

  test('expiry is measured by the store clock, to the millisecond', async () => {
    await using it = await open()
    await signedIn(it.store)
    it.clock.advanceMs(14 * DAY_MS - 1)
    expect(named(await it.store.sessions.refresh(attempt(0), rules()))).toBe('rotated')
    it.clock.advanceMs(14 * DAY_MS)
    expect(named(await it.store.sessions.refresh(attempt(1), rules()))).toBe(
      'refused session_expired',
    )
  })

  test('the grace is measured by the store clock, to the millisecond', async () => {
    await using it = await open()
    await signedIn(it.store)
    const present = async (generation: number): Promise<string> =>
      named(await it.store.sessions.refresh(attempt(generation), rules()))
    expect(await present(0)).toBe('rotated')
    it.clock.advanceMs(9_999)
    expect(await present(0)).toBe('repeated')
    it.clock.advanceMs(1)
    expect(await present(0)).toBe('ending refresh_reused')
  })

  test('the row keeps the last two windows of rotations, on the fast path and on the slow one', async () => {
    await using it = await open()
    await signedIn(it.store)
    const graceOf = async (): Promise<unknown> =>
      (await it.store.sessions.state('session-1'))?.session.grace
    const at = (ms: number): number => NOW + ms
    let nowMs = 0
    const rotateAt = async (ms: number, generation: number, tenantId?: null): Promise<void> => {
      it.clock.advanceMs(ms - nowMs)
      nowMs = ms
      const more = tenantId === undefined ? {} : { tenant: tenantId }
      const outcome = await it.store.sessions.refresh(
        attempt(generation, 'session-1', more),
        rules(),
      )
      expect(named(outcome)).toBe('rotated')
    }
    // A request that names a tenant takes the slow path.
    await rotateAt(5, 0)
    const first = { generation: 0, beganAt: at(5), priorGeneration: 0, priorRotatedAt: NOW }
    expect(await graceOf()).toEqual(first)
    await rotateAt(10_004, 1, null)
    expect(await graceOf()).toEqual(first)
    await rotateAt(10_005, 2, null)
    expect(await graceOf()).toEqual({
      generation: 2,
      beganAt: at(10_005),
      priorGeneration: 0,
      priorRotatedAt: at(10_004),
    })
    await rotateAt(20_005, 3)
    expect(await graceOf()).toEqual({
      generation: 3,
      beganAt: at(20_005),
      priorGeneration: 2,
      priorRotatedAt: at(10_005),
    })
  })

  test('a predecessor from another device is refused, audited once, and ends nothing', async () => {
    await using it = await open()
    await signedIn(it.store)
    await it.store.sessions.refresh(attempt(0), rules())
    const elsewhere = { address: '198.51.100.1', userAgent: 'other' }
    const before = await it.store.sessions.state('session-1')
    for (let n = 0; n < 3; n += 1) {
      const outcome = await it.store.sessions.refresh(attempt(0, 'session-1', elsewhere), rules())
      expect(named(outcome)).toBe('refused refresh_elsewhere')
    }
    expect(await it.store.sessions.state('session-1')).toEqual(before)
    expect(await logOf(it.store)).toEqual([])
    expect(await eventsOf(it.store)).toEqual(['account_created', 'login', 'refresh_elsewhere'])
    const [line] = await it.store.audit.list({ limit: 1 })
    expect(line).toMatchObject({
      outcome: 'refused',
      sessionId: 'session-1',
      address: '198.51.100.1',
    })
  })

  test('a copied token ends nothing by itself, and writes nothing', async () => {
    await using it = await open()
    await signedIn(it.store)
    for (const generation of [0, 1, 2]) {
      await it.store.sessions.refresh(attempt(generation), rules())
      it.clock.advanceMs(10_000)
    }
    const before = await it.store.sessions.state('session-1')
    const present = async (generation: number): Promise<string> =>
      named(await it.store.sessions.refresh(attempt(generation), rules()))
    expect(await present(0)).toBe('ending refresh_reused')
    expect(await present(9)).toBe('ending refresh_ahead')
    expect(await it.store.sessions.state('session-1')).toEqual(before)
    expect(await logOf(it.store)).toEqual([])
  })

  test('a token that is one ahead heals the session, and the audit says so', async () => {
    await using it = await open()
    await signedIn(it.store)
    const outcome = await it.store.sessions.refresh(attempt(1), rules())
    expect(outcome).toMatchObject({ kind: 'healed', session: { generation: 2 } })
    expect((await eventsOf(it.store)).at(-1)).toBe('refresh_healed')
  })

  test('attempts of one batch are decided in order', async () => {
    await using it = await open()
    await signedIn(it.store)
    await addSession(it.store, 'session-2')
    const attempts = [
      attempt(0),
      attempt(0, 'session-2'),
      attempt(0),
      attempt(1),
      attempt(0),
      attempt(5),
      attempt(0, 'unknown'),
    ]
    const outcomes = await Promise.all(
      attempts.map((each) => it.store.sessions.refresh(each, rules())),
    )
    expect(outcomes.map(named)).toEqual([
      'rotated',
      'rotated',
      'repeated',
      'rotated',
      'repeated',
      'ending refresh_ahead',
      'refused session_unknown',
    ])
  })

  test('a logout between two attempts ends the session in one of the possible orders', async () => {
    await using it = await open()
    await signedIn(it.store)
    const [first, ended, second] = await Promise.all([
      it.store.sessions.refresh(attempt(0), rules()),
      it.store.sessions.end('session-1', { event: 'logout' }, BY),
      it.store.sessions.refresh(attempt(1), rules()),
    ])
    const over = 'refused session_ended'
    expect(ended).toBe('changed')
    expect([
      ['rotated', 'rotated'],
      ['rotated', over],
      [over, over],
    ]).toContainEqual([named(first), named(second)])
    expect(named(await it.store.sessions.refresh(attempt(1), rules()))).toBe(over)
    expect(await logOf(it.store)).toEqual(['session session-1 hard'])
  })

  test('a forged token undoes only its own attempt, on the fast path and on the slow path', async () => {
    await using it = await open()
    await signedIn(it.store)
    await addSession(it.store, 'session-2')
    const outcomes = await Promise.all([
      it.store.sessions.refresh(attempt(0, 'session-1', { jti: 'forged' }), rules()),
      it.store.sessions.refresh(attempt(0, 'session-2'), rules()),
      it.store.sessions.refresh(attempt(7, 'session-1', { jti: 'forged' }), rules()),
      it.store.sessions.refresh(attempt(0), rules()),
    ])
    expect(outcomes.map(named)).toEqual([
      'refused token_invalid',
      'rotated',
      'refused token_invalid',
      'rotated',
    ])
    const state = await it.store.sessions.state('session-1')
    expect(state?.session.generation).toBe(1)
  })

  test('only the attempt that fails rejects', async () => {
    await using it = await open()
    await signedIn(it.store)
    const results = await Promise.allSettled([
      // The database refuses this lifetime.
      it.store.sessions.refresh(attempt(0), rules({ idleMs: NaN })),
      it.store.sessions.refresh(attempt(0), rules()),
    ])
    expect(results).toMatchObject([
      { status: 'rejected' },
      { value: { kind: 'rotated', session: { generation: 1 } } },
    ])
  })

  test('attempts at once by two connections rotate each generation once', async () => {
    await using it = await open()
    await signedIn(it.store)
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_unused, n) =>
        (n % 2 === 0 ? it.store : it.beside).sessions.refresh(attempt(0), rules()),
      ),
    )
    expect(tally(outcomes.map(named))).toEqual({ rotated: 1, repeated: 19 })
  })

  test('more attempts than may wait are refused, and the others are served', async () => {
    await using it = await open()
    await signedIn(it.store)
    const outcomes = await Promise.all(
      Array.from({ length: limits.refreshQueueMax + 3 }, () =>
        it.store.sessions.refresh(attempt(0, 'unknown'), rules()),
      ),
    )
    expect(tally(outcomes.map(named))).toEqual({
      'refused session_unknown': limits.refreshQueueMax,
      'refused refresh_queue_full': 3,
    })
  })

  test('a named tenant moves the session if the account is a member of it', async () => {
    await using it = await open()
    const { tenants, sessions } = it.store
    await signedIn(it.store)
    await tenants.create(tenant(), BY)
    await tenants.setMember('acct_1', 'ten_1', ['editor'], BY)
    await tenants.create(tenant('ten_2'), BY)
    const to = (generation: number, id: string | null): Promise<RefreshOutcome> =>
      sessions.refresh(
        attempt(generation, 'session-1', { tenant: id === null ? null : { id } }),
        rules(),
      )
    expect(named(await to(0, 'ten_2'))).toBe('refused tenant_forbidden')
    expect(await to(0, 'ten_1')).toMatchObject({
      kind: 'rotated',
      session: { tenantId: 'ten_1', generation: 1 },
      account: { tenantId: 'ten_1', tenantName: 'ten-1', tenantRoles: ['editor'], roles: [] },
    })
    // The fast path, which reads no state before, gives the same.
    expect(await sessions.refresh(attempt(1), rules())).toMatchObject({
      session: { tenantId: 'ten_1', generation: 2 },
      account: { tenantId: 'ten_1', tenantName: 'ten-1', tenantRoles: ['editor'], roles: [] },
    })
    expect(await to(2, null)).toMatchObject({
      session: { tenantId: undefined },
      account: { tenantId: undefined, tenantName: undefined, tenantRoles: [], roles: [] },
    })
  })

  test('without rotation the token stays, and a named tenant is written', async () => {
    await using it = await open()
    await signedIn(it.store)
    await it.store.tenants.create(tenant(), BY)
    await it.store.tenants.setMember('acct_1', 'ten_1', [], BY)
    const outcome = await it.store.sessions.refresh(
      attempt(0, 'session-1', { tenant: { id: 'ten_1' } }),
      rules({ rotates: false }),
    )
    expect(outcome).toMatchObject({ kind: 'kept', session: { generation: 0, tenantId: 'ten_1' } })
    expect((await it.store.sessions.state('session-1'))?.session).toMatchObject({
      generation: 0,
      tenantId: 'ten_1',
    })
  })
})
