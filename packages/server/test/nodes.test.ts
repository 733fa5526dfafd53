import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { ClusterNode, type NodeEvent, type NodeFeed } from '../src/nodes/node.ts'
import { decidePeer, NODE_LEASES_MS, Peers } from '../src/nodes/peers.ts'
import { LEASE_MS } from '../src/revocations/confirmations.ts'
import { EVERY_POSITION, type NodeReport, type NodeRow } from '../src/store/nodes.ts'
import { openStore } from '../src/store/open.ts'
import { TestClock } from './support/authority.ts'
import { execute } from './support/database.ts'

function row(beats: number, more: Partial<NodeRow> = {}): NodeRow {
  return {
    id: 'other',
    name: 'host/1',
    version: '1.0.0',
    startedAt: 0,
    heartbeatAt: 0,
    beats,
    confirmed: 5,
    guards: 1,
    awaits: 0,
    isSettled: true,
    hasLeft: false,
    ...more,
  }
}

const SINCE = 100_000

test.each([
  ['its guards have confirmed the position', 5, SINCE, SINCE, 'confirmed'],
  ['they have not, and it is alive', 6, SINCE, SINCE, 'open'],
  ['they have not, just before the last lease ends', 6, SINCE + 9e4, SINCE + LEASE_MS, 'open'],
  ['they have not, after the last lease', 6, SINCE + 9e4, SINCE + LEASE_MS + 1_000, 'expired'],
  ['its last heartbeat is not old enough', 6, SINCE - NODE_LEASES_MS + 1, SINCE, 'open'],
  ['its last heartbeat is old enough', 6, SINCE - NODE_LEASES_MS, SINCE, 'expired'],
])('a wait for another node: %s', (_, position, seenAtMs, now, state) => {
  const peer = { row: row(1), seenAtMs, hasBeaten: true }
  expect(decidePeer(peer, position, SINCE, now)).toBe(state)
})

test('the age of a node counts from the first look at its newest heartbeat', () => {
  const peers = new Peers()
  peers.see([row(7)], 1_000)
  peers.see([row(7)], 2_000)
  expect(peers.all).toMatchObject([{ seenAtMs: 1_000, hasBeaten: false }])
  peers.see([row(8)], 3_000)
  expect(peers.all).toMatchObject([{ seenAtMs: 3_000, hasBeaten: true }])
  // The answer of another connection was read earlier.
  peers.see([row(7, { confirmed: 0 })], 4_000)
  expect(peers.all).toMatchObject([{ row: { confirmed: 5 }, seenAtMs: 3_000 }])
})

test('a row that disappears counts until the leases of its node have ended', () => {
  const peers = new Peers()
  peers.see([row(1)], 0)
  peers.see([], NODE_LEASES_MS - 1)
  expect(peers.all).toHaveLength(1)
  peers.see([], NODE_LEASES_MS)
  expect(peers.all).toHaveLength(0)
})

test('only a live node proves that the leases of earlier processes are known', () => {
  const peers = new Peers()
  // The row may be from a restored copy.
  peers.see([row(1)], 0)
  expect(peers.hasSettled).toBe(false)
  peers.see([row(2, { isSettled: false })], 1_000)
  expect(peers.hasSettled).toBe(false)
  peers.see([row(3)], 2_000)
  expect(peers.hasSettled).toBe(true)
  expect(peers.see([row(4, { hasLeft: true })], 3_000)).toMatchObject([{ kind: 'left' }])
  expect(peers.hasSettled).toBe(false)
})

test('a node that falls silent is reported once, and again after it came back', () => {
  const peers = new Peers()
  peers.see([row(1, { awaits: 9 })], 0)
  peers.see([row(2, { awaits: 9 })], 1_000)
  expect(peers.awaited(10_999)).toBe(9)
  expect(peers.see([row(2)], 10_999)).toEqual([])
  expect(peers.see([row(2)], 11_000)).toMatchObject([{ kind: 'silent' }])
  expect(peers.awaited(11_000)).toBe(0)
  expect(peers.see([row(2)], 20_000)).toEqual([])
  peers.see([row(3)], 21_000)
  expect(peers.see([row(3)], 31_000)).toMatchObject([{ kind: 'silent' }])
})

test.each(['the monotonic clock', 'the wall clock'])(
  'a node echoes for 3 s and leads for 8 s after a heartbeat began, by %s',
  async (which) => {
    const dataDir = mkdtempSync(join(tmpdir(), 'countersign-nodes-'))
    const store = await openStore({ dataDir }, { exclusive: true, clock: new TestClock() })
    try {
      let passedMs = 0
      const events: NodeEvent[] = []
      const node = await ClusterNode.join({
        store: store.nodes,
        identity: { id: 'own', name: 'host/2', version: '1.0.0' },
        elapsed: () => (which === 'the monotonic clock' ? passedMs : 0),
        wallMs: () => (which === 'the wall clock' ? passedMs : 0),
        // No further heartbeat.
        after: () => () => {},
        onEvent: (event) => events.push(event),
      })
      const both = (atMs: number): readonly boolean[] => {
        passedMs = atMs
        return [node.mayEcho(), node.leads()]
      }
      expect(both(0)).toEqual([true, true])
      expect(both(2_999)).toEqual([true, true])
      expect(both(3_000)).toEqual([false, true])
      expect(both(7_999)).toEqual([false, true])
      expect(both(8_000)).toEqual([false, false])
      await node.leave()
      expect(both(0)).toEqual([true, false])
      expect(await store.nodes.others('')).toMatchObject([{ id: 'own', hasLeft: true }])
      expect(await store.nodes.leader()).toBeUndefined()
      expect(events).toEqual([])
    } finally {
      await store.close()
      rmSync(dataDir, { recursive: true, force: true })
    }
  },
)

/** A feed that may not know all leases, and has no guards. */
class IdleFeed implements NodeFeed {
  isSettled = false
  readonly leases = { confirmed: 3, guards: 0 }
  readonly log = { position: 3 } as NodeFeed['log']
  setSettled(isSettled: boolean): void {
    this.isSettled = isSettled
  }
  askFor(): void {}
  async answerWaiting(): Promise<void> {}
  async effective(): Promise<never> {
    throw new Error('nobody waits')
  }
}

test('a node whose row was lost knows all leases again only when they have expired', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'countersign-nodes-'))
  const clock = new TestClock()
  const store = await openStore({ dataDir }, { exclusive: true, clock })
  try {
    let passedMs = 0
    let tick = (): void => {}
    const feed = new IdleFeed()
    const node = await ClusterNode.join({
      store: store.nodes,
      identity: { id: 'own', name: 'host/2', version: '1.0.0' },
      elapsed: () => passedMs,
      wallMs: () => passedMs,
      after: (_, call) => {
        tick = call
        return () => {}
      },
      onEvent: () => {},
    })
    node.serve(feed)
    const other: Omit<NodeReport, 'beats'> = {
      id: 'other',
      name: 'host/1',
      version: '1.0.0',
      confirmed: 3,
      guards: 0,
      awaits: 0,
      isSettled: true,
    }
    /** Both nodes beat at this time. */
    const beatAt = async (atMs: number): Promise<boolean> => {
      clock.advanceMs(atMs - passedMs)
      passedMs = atMs
      await store.nodes.beat({ ...other, beats: atMs }, 10_000)
      const before = (await store.nodes.others('other'))[0]?.beats ?? 0
      tick()
      await expect
        .poll(async () => (await store.nodes.others('other'))[0]?.beats)
        .toBeGreaterThan(before)
      // The answer of the store is read in the same turn.
      await new Promise((resolve) => setImmediate(resolve))
      return feed.isSettled
    }
    expect(await beatAt(1_000)).toBe(false)
    expect(await beatAt(2_000)).toBe(true)
    execute(dataDir, `DELETE FROM nodes WHERE id = 'own'`)
    expect(await beatAt(3_000)).toBe(false)
    expect(await beatAt(2_999 + NODE_LEASES_MS)).toBe(false)
    expect(await beatAt(4_000 + NODE_LEASES_MS)).toBe(true)

    node.stop()
    await beatAt(5_000 + NODE_LEASES_MS)
    // Nobody waits for a node that drains and has no guards, although it no longer follows the log.
    expect((await store.nodes.others('other'))[0]?.confirmed).toBe(EVERY_POSITION)
  } finally {
    await store.close()
    rmSync(dataDir, { recursive: true, force: true })
  }
})
