import { describe, expect, test } from 'vitest'

import type { Beat, NodeReport } from '../../src/store/nodes.ts'
import { engines } from './engines.ts'
import { tally } from './samples.ts'

const LEAD_MS = 10_000

function report(id: string, beats: number, more: Partial<NodeReport> = {}): NodeReport {
  const rest = { confirmed: 7, guards: 2, awaits: 0, isSettled: true }
  return { id, name: `host/${id}`, version: '1.2.3', beats, ...rest, ...more }
}

describe.each(engines)('nodes on %s', (_, open) => {
  test('a heartbeat writes the row of the node, and returns the rows of the others', async () => {
    await using it = await open()
    const { nodes } = it.store
    const startedAt = it.clock.nowMs()
    const alone = await nodes.beat(report('a', 1), LEAD_MS)
    expect(alone).toEqual({ startedAt, leads: true, others: [] })
    it.clock.advanceMs(1_000)
    const second = await it.beside.nodes.beat(report('b', 1, { isSettled: false }), LEAD_MS)
    const a = { ...report('a', 1), startedAt, heartbeatAt: startedAt, hasLeft: false }
    expect(second).toEqual({ startedAt: startedAt + 1_000, leads: false, others: [a] })
    it.clock.advanceMs(1_000)
    const changed = report('a', 5, { confirmed: 9, guards: 0, awaits: 9, isSettled: false })
    await nodes.beat(changed, LEAD_MS)
    const after = { ...changed, startedAt, heartbeatAt: startedAt + 2_000, hasLeft: false }
    expect(await it.beside.nodes.others('b')).toEqual([after])
  })

  test('one node has the lead, until it stops renewing it', async () => {
    await using it = await open()
    const { nodes } = it.store
    const leads = async (id: string, beats: number): Promise<boolean> =>
      (await nodes.beat(report(id, beats), LEAD_MS)).leads
    expect(await nodes.leader()).toBeUndefined()
    expect(await leads('a', 1)).toBe(true)
    it.clock.advanceMs(LEAD_MS - 1)
    expect(await leads('b', 1)).toBe(false)
    expect(await leads('a', 2)).toBe(true)
    it.clock.advanceMs(LEAD_MS - 1)
    expect(await leads('b', 2)).toBe(false)
    expect(await nodes.leader()).toBe('a')
    it.clock.advanceMs(1)
    expect(await nodes.leader()).toBeUndefined()
    expect(await leads('b', 3)).toBe(true)
    expect(await leads('a', 3)).toBe(false)
    expect(await nodes.leader()).toBe('b')
  })

  test('of several nodes that take the lead at once, one gets it', async () => {
    await using it = await open()
    for (let round = 1; round <= 5; round += 1) {
      const beats = await Promise.all([
        it.elsewhere('nodes.beat', report('a', round), LEAD_MS),
        it.store.nodes.beat(report('b', round), LEAD_MS),
        it.beside.nodes.beat(report('c', round), LEAD_MS),
        it.elsewhere('nodes.beat', report('d', round), LEAD_MS),
      ])
      expect(tally(beats.map((beat) => String((beat as Beat).leads)))).toEqual({
        true: 1,
        false: 3,
      })
      it.clock.advanceMs(LEAD_MS)
    }
  })

  test('a node that leaves is marked, and gives up the lead at once', async () => {
    await using it = await open()
    const { nodes } = it.store
    await nodes.beat(report('a', 1), LEAD_MS)
    await nodes.leave(report('a', 2, { guards: 0 }))
    const { leads, others } = await nodes.beat(report('b', 1), LEAD_MS)
    expect(leads).toBe(true)
    expect(others).toMatchObject([{ id: 'a', beats: 2, guards: 0, hasLeft: true }])
    // It does not take the lead of another node with it.
    await nodes.leave(report('a', 3))
    expect(await nodes.leader()).toBe('b')
  })

  test('purge deletes the rows of nodes that have been silent for long', async () => {
    await using it = await open()
    const { nodes } = it.store
    await nodes.beat(report('a', 1), LEAD_MS)
    it.clock.advanceMs(60_000)
    await nodes.beat(report('b', 1), LEAD_MS)
    expect(await nodes.purge(60_000)).toBe(0)
    it.clock.advanceMs(1)
    expect(await nodes.purge(60_000)).toBe(1)
    expect(await nodes.others('')).toMatchObject([{ id: 'b' }])
    // A row that was deleted, or lost, comes back with another beginning.
    const back = await nodes.beat(report('a', 9), LEAD_MS)
    expect(back.startedAt).toBe(it.clock.nowMs())
  })

  test('a heartbeat appends nothing to the log and wakes nobody', async () => {
    await using it = await open()
    const head = await it.store.revocations.head()
    await it.store.nodes.beat(report('a', 1), LEAD_MS)
    expect(await it.store.revocations.head()).toEqual(head)
  })
})
