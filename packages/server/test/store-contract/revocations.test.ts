import { chainValue, JUMP_POSITIONS } from '@countersign/guard/revocations'
import { describe, expect, test } from 'vitest'

import { whyOver } from '../../src/store/standing.ts'
import type { LossEvidence, RepairBy } from '../../src/store/repair.ts'
import type { Store } from '../../src/store/store.ts'
import { engines } from './engines.ts'
import {
  BY,
  client,
  DAY_MS,
  eventsOf,
  key,
  logOf,
  secret,
  session,
  signedIn,
  tally,
} from './samples.ts'

const REPAIR: RepairBy = { issuer: 'https://auth.example', at: BY.at, actor: 'system' }

/** Writes entries at days 0, 1, 2, ... */
async function writeDays(store: Store, days: number): Promise<void> {
  for (let day = 0; day < days; day += 1) {
    await store.revocations.revokeToken(`t${day}`, 'acct_1', { ...BY, at: BY.at + day * DAY_MS })
  }
}

async function isOver(store: Store): Promise<boolean> {
  const state = await store.sessions.state('session-1')
  return state === undefined || whyOver(state) !== undefined
}

describe.each(engines)('the revocation log on %s', (_, open) => {
  test('begins at position 0 with a random chain value', async () => {
    await using it = await open()
    await using other = await open()
    const head = await it.store.revocations.head()
    expect(head.position).toBe(0)
    expect(head.chain).toHaveLength(32)
    expect(Buffer.from((await other.store.revocations.head()).chain)).not.toEqual(
      Buffer.from(head.chain),
    )
    expect(await it.store.revocations.tail(0, 10)).toMatchObject({ entries: [] })
    expect(await it.store.revocations.floorBefore(BY.at)).toEqual(head)
  })

  test('positions have no gap and the chain is complete with several writers at once', async () => {
    await using it = await open()
    await Promise.all(
      Array.from({ length: 30 }, (_unused, n) => {
        const values = [`jti-${n}`, 'acct_1', BY] as const
        if (n % 3 === 0) return it.elsewhere('revocations.revokeToken', ...values)
        return (n % 3 === 1 ? it.store : it.beside).revocations.revokeToken(...values)
      }),
    )
    expect(await logOf(it.store)).toHaveLength(30)
    const { entries } = await it.store.revocations.tail(0, -1)
    expect(entries.map(({ position }) => position)).toEqual(
      Array.from({ length: 30 }, (_unused, n) => n + 1),
    )
  })

  test('tail returns entries after a position up to a limit, and the chain value there', async () => {
    await using it = await open()
    const { revocations } = it.store
    await writeDays(it.store, 5)
    const { chain, entries } = await revocations.tail(2, 2)
    expect(entries.map(({ position }) => position)).toEqual([3, 4])
    expect(chain).toEqual(await revocations.chainAt(2))
    expect(await revocations.tail(9, 2)).toEqual({ chain: undefined, entries: [] })
    for (const position of [-1, 6]) {
      expect(await revocations.chainAt(position)).toBeUndefined()
    }
  })

  test('a token is revoked by one entry, even with several calls at once', async () => {
    await using it = await open()
    const results = await Promise.all([
      it.elsewhere('revocations.revokeToken', 'jti', 'acct_1', BY),
      it.store.revocations.revokeToken('jti', 'acct_1', BY),
      it.beside.revocations.revokeToken('jti', 'acct_1', BY),
    ])
    expect(tally(results)).toEqual({ changed: 1, unchanged: 2 })
    expect(await logOf(it.store)).toEqual(['token jti soft'])
    expect(await eventsOf(it.store)).toEqual(['token_revoked'])
  })

  test('floorBefore is the newest entry before a time', async () => {
    await using it = await open()
    await writeDays(it.store, 3)
    const floor = async (day: number): Promise<number> =>
      (await it.store.revocations.floorBefore(BY.at + day * DAY_MS)).position
    expect([await floor(0), await floor(1), await floor(1.5), await floor(99)]).toEqual([
      0, 1, 2, 3,
    ])
  })

  test('startOver jumps, ends every session, kills access keys, and is audited', async () => {
    await using it = await open()
    const { revocations, keys, clients } = it.store
    await signedIn(it.store)
    await clients.create(client(), secret('sec_1'), BY)
    await keys.change([], { put: [key('a', { use: 'access' }), key('r')], remove: [] }, BY)
    const outcome = await revocations.startOver(5, await revocations.head(), REPAIR)
    expect(outcome).toEqual({ kind: 'start_over', position: JUMP_POSITIONS + 2, recovered: 0 })
    expect(await logOf(it.store)).toEqual([
      'jump log soft',
      `issuer ${REPAIR.issuer} hard`,
      'key a soft',
    ])
    expect(await isOver(it.store)).toBe(true)
    expect((await keys.list()).map(({ kid, state }) => `${kid} ${state}`)).toEqual([
      'a revoked',
      'r active',
    ])
    expect((await clients.view('svc_1')).client?.hardPosition).toBe(JUMP_POSITIONS + 1)
    expect((await eventsOf(it.store)).slice(-2)).toEqual(['log_started_over', 'key_killed'])
    expect(await revocations.startedOverFor()).toBe(REPAIR.issuer)
  })

  test('startOver does nothing if the head has moved: of several calls at once, one starts over', async () => {
    await using it = await open()
    const { revocations } = it.store
    const head = await revocations.head()
    const outcomes = await Promise.all([
      it.elsewhere('revocations.startOver', 5, head, REPAIR),
      revocations.startOver(5, head, REPAIR),
      it.beside.revocations.startOver(5, head, REPAIR),
    ])
    const kinds = (outcomes as { kind: string }[]).map(({ kind }) => kind)
    expect(tally(kinds)).toEqual({ start_over: 1, head_moved: 2 })
    expect(await logOf(it.store)).toHaveLength(2)
    const now = await revocations.head()
    const otherChain = { position: now.position, chain: new Uint8Array(32) }
    expect(await revocations.startOver(5, otherChain, REPAIR)).toMatchObject({ kind: 'head_moved' })
  })

  test('startOver far above the head needs an operator, who names killed keys too', async () => {
    await using it = await open()
    const { revocations, keys } = it.store
    await keys.change([], { put: [key('r')], remove: [] }, BY)
    const head = await revocations.head()
    const far = 5 * JUMP_POSITIONS
    expect(await revocations.startOver(far, head, REPAIR)).toMatchObject({ kind: 'too_far' })
    expect(await logOf(it.store)).toEqual([])
    const killed = { killed: ['r', 'unknown here'] }
    const outcome = await revocations.startOver(far, head, REPAIR, killed)
    expect(outcome.kind).toBe('start_over')
    expect(outcome.position).toBeGreaterThan(far)
    expect((await keys.list())[0]?.state).toBe('revoked')
    expect((await logOf(it.store)).slice(-2)).toEqual(['key r soft', 'key unknown here soft'])
  })

  test('startOverAs repeats a start-over for another issuer once', async () => {
    await using it = await open()
    const { revocations } = it.store
    expect((await revocations.startOverAs(REPAIR)).kind).toBe('nothing')
    await revocations.startOver(0, await revocations.head(), { ...REPAIR, issuer: 'http://shell' })
    const outcomes = await Promise.all([
      it.elsewhere('revocations.startOverAs', REPAIR),
      revocations.startOverAs(REPAIR),
      it.beside.revocations.startOverAs(REPAIR),
    ])
    const kinds = (outcomes as { kind: string }[]).map(({ kind }) => kind)
    expect(tally(kinds)).toEqual({ start_over: 1, nothing: 2 })
    expect(await revocations.startedOverFor()).toBe(REPAIR.issuer)
  })

  test('repair writes lost entries again with their effects, once', async () => {
    await using it = await open()
    const { revocations } = it.store
    await signedIn(it.store)
    const evidence = evidenceAfter(await revocations.head())
    expect(await revocations.repair(evidence, REPAIR)).toMatchObject({
      kind: 'rejoin',
      recovered: 1,
    })
    expect(await logOf(it.store)).toEqual(['jump log soft', 'session session-1 hard'])
    expect(await isOver(it.store)).toBe(true)
    expect((await revocations.repair(evidence, REPAIR)).kind).toBe('nothing')
    expect((await eventsOf(it.store)).at(-1)).toBe('log_repaired')
  })

  test('of several nodes that notice one loss, each with another newest entry, one starts over', async () => {
    await using it = await open()
    const { revocations } = it.store
    await writeDays(it.store, 2)
    // No node has the lost entries themselves. The later a node notices the loss, the later it signs.
    const notices = [5, 4, 7, 3].map((position, index): LossEvidence => {
      const tip = { position, chain: new Uint8Array(32).fill(position) }
      return { start: tip, entries: [], tip, signedAt: BY.at + index * 1_000 }
    })
    const kinds: string[] = []
    for (const evidence of notices) {
      kinds.push((await revocations.repair(evidence, REPAIR)).kind)
    }
    expect(kinds).toEqual(['start_over', 'nothing', 'nothing', 'nothing'])
    const issuers = (await logOf(it.store)).filter((line) => line.startsWith('issuer'))
    expect(issuers).toHaveLength(1)
    // A loss after that is another loss.
    const { position } = await revocations.head()
    const next = { position: position + 1, chain: new Uint8Array(32).fill(9) }
    const later = { start: next, entries: [], tip: next, signedAt: BY.at + 9_000 }
    expect((await revocations.repair(later, REPAIR)).kind).toBe('start_over')
  })

  test('prune deletes a prefix up to its limit, and never the newest entry', async () => {
    await using it = await open()
    const { revocations } = it.store
    await writeDays(it.store, 6)
    const chainAt3 = await revocations.chainAt(3)
    it.clock.advanceMs(3 * DAY_MS)
    expect(await revocations.prune(3 * DAY_MS, 10)).toBe(0)
    it.clock.advanceMs(1)
    expect(await revocations.prune(3 * DAY_MS, 10)).toBe(1)
    it.clock.advanceMs(100 * DAY_MS)
    expect(await revocations.prune(3 * DAY_MS, 2)).toBe(2)
    expect(await logOf(it.store, 3)).toHaveLength(3)
    expect(await revocations.chainAt(3)).toEqual(chainAt3)
    for (const position of [0, 1, 2]) expect(await revocations.chainAt(position)).toBeUndefined()
    expect((await revocations.tail(0, 10)).chain).toBeUndefined()
    expect((await revocations.floorBefore(0)).position).toBe(3)
    expect(await revocations.prune(3 * DAY_MS, 10)).toBe(2)
    expect(await revocations.prune(3 * DAY_MS, 10)).toBe(0)
    expect(await logOf(it.store, 5)).toEqual(['token t5 soft'])
    await it.reopen()
    await it.store.revocations.revokeToken('new', 'acct_1', BY)
    expect(await logOf(it.store, 5)).toEqual(['token t5 soft', 'token new soft'])
  })

  test('a session from a position below the kept part of the log is refused', async () => {
    await using it = await open()
    await signedIn(it.store)
    const position = async (): Promise<number> => (await it.store.revocations.head()).position
    await writeDays(it.store, 3)
    it.clock.advanceMs(100 * DAY_MS)
    await it.store.revocations.prune(3 * DAY_MS, 2)
    const create = (id: string, signedInPosition: number): Promise<string> =>
      it.store.sessions.create(session(id, { signedInPosition }), BY)
    expect(await create('old', 1)).toBe('refused')
    expect(await create('oldest-kept', 2)).toBe('created')
    expect(await create('new', await position())).toBe('created')
  })

  test('prune stops at a young entry, although older entries follow it', async () => {
    await using it = await open()
    const { revocations } = it.store
    for (const [n, day] of [0, 9, 0, 9].entries()) {
      await revocations.revokeToken(`t${n}`, 'acct_1', { ...BY, at: BY.at + day * DAY_MS })
    }
    it.clock.advanceMs(9 * DAY_MS)
    expect(await revocations.prune(3 * DAY_MS, 10)).toBe(1)
  })

  test('evidence from below the kept part changes nothing; evidence across it is compared', async () => {
    await using it = await open()
    const { revocations } = it.store
    await writeDays(it.store, 6)
    const { entries } = await revocations.tail(0, -1)
    const start = { position: 0, chain: (await revocations.chainAt(0))! }
    it.clock.advanceMs(103 * DAY_MS)
    expect(await revocations.prune(100 * DAY_MS, 10)).toBe(3)
    const upTo = (count: number): LossEvidence => {
      const { position, chain } = entries[count - 1]!
      const part = entries.slice(0, count)
      return { start, entries: part, tip: { position, chain }, signedAt: it.clock.nowMs() }
    }
    for (const count of [1, 2, 3, 6]) {
      expect((await revocations.repair(upTo(count), REPAIR)).kind).toBe('nothing')
    }
    const unknown = { position: 2, chain: new Uint8Array(32) }
    const other = { start: unknown, entries: [], tip: unknown, signedAt: it.clock.nowMs() }
    expect((await revocations.repair(other, REPAIR)).kind).toBe('nothing')
    const above = { ...other, start: { ...unknown, position: 5 }, tip: { ...unknown, position: 5 } }
    expect((await revocations.repair(above, REPAIR)).kind).toBe('start_over')
  })
})

/** The evidence of a lost branch that ended session 1 after `start`, as a guard hands it back. */
function evidenceAfter(start: LossEvidence['start']): LossEvidence {
  const entry = {
    position: start.position + 1,
    kind: 'session',
    subject: 'session-1',
    strength: 'hard',
    at: BY.at,
  } as const
  const chain = chainValue(start.chain, entry)
  return {
    start,
    entries: [{ ...entry, chain }],
    tip: { position: entry.position, chain },
    signedAt: BY.at,
  }
}
