import { describe, expect, test } from 'vitest'

import { engines } from './engines.ts'
import { BY, eventsOf, key, logOf, tally } from './samples.ts'

describe.each(engines)('keys on %s', (_, open) => {
  test('the first ring is written without an entry, and read back, the oldest first', async () => {
    await using it = await open()
    const { keys } = it.store
    const one = key('a', { createdAt: BY.at + 1, certificates: ['x'], imported: true })
    const ring = [one, key('b', { use: 'access', alg: 'ES256', verifiesUntil: BY.at })]
    expect(await keys.change([], { put: ring, remove: [] }, BY)).toBe('changed')
    const [first, second] = await keys.list()
    expect([
      { ...first, sealed: null },
      { ...second, sealed: null },
    ]).toEqual([
      { ...ring[1], sealed: null },
      { ...ring[0], sealed: null },
    ])
    expect([...(first?.sealed ?? [])]).toEqual([1, 2, 3])
    expect(await logOf(it.store)).toEqual([])
    expect(await eventsOf(it.store)).toEqual(['key_created', 'key_created'])
  })

  test('a change appends one entry for the key set, and one more for a killed key', async () => {
    await using it = await open()
    const { keys } = it.store
    await keys.change([], { put: [key('a'), key('b')], remove: [] }, BY)
    let ring = await keys.list()
    const retired = key('a', { state: 'retiring', changedAt: BY.at + 1 })
    expect(await keys.change(ring, { put: [retired], remove: [] }, BY)).toBe('changed')
    ring = await keys.list()
    const killed = key('b', { state: 'revoked', sealed: new Uint8Array(), changedAt: BY.at + 2 })
    expect(
      await keys.change(ring, { put: [killed, key('c')], remove: ['a'], killed: 'b' }, BY),
    ).toBe('changed')
    expect(await logOf(it.store)).toEqual(['keyset a soft', 'key b soft', 'keyset b soft'])
    expect((await keys.list()).map(({ kid, state }) => `${kid} ${state}`)).toEqual([
      'b revoked',
      'c active',
    ])
    expect((await eventsOf(it.store)).slice(2)).toEqual([
      'key_retired',
      'key_removed',
      'key_killed',
      'key_created',
    ])
  })

  test('of several changes at once from one ring, one succeeds; the others are outdated and write nothing', async () => {
    await using it = await open()
    const { keys } = it.store
    await keys.change([], { put: [key('a')], remove: [] }, BY)
    const ring = await keys.list()
    const add = (kid: string): { put: ReturnType<typeof key>[]; remove: [] } => ({
      put: [key(kid, { state: 'pending' })],
      remove: [],
    })
    const results = await Promise.all([
      it.elsewhere('keys.change', ring, add('b'), BY),
      keys.change(ring, add('c'), BY),
      it.beside.keys.change(ring, add('d'), BY),
    ])
    expect(tally(results)).toEqual({ changed: 1, outdated: 2 })
    expect(await keys.list()).toHaveLength(2)
    expect(await logOf(it.store)).toHaveLength(1)
  })

  test('reseal replaces the sealed bytes and nothing else', async () => {
    await using it = await open()
    const { keys } = it.store
    await keys.change([], { put: [key('a')], remove: [] }, BY)
    await keys.reseal('a', new Uint8Array([9]), BY)
    const [read] = await keys.list()
    expect({ ...read, sealed: [...(read?.sealed ?? [])] }).toEqual({ ...key('a'), sealed: [9] })
    expect(await logOf(it.store)).toEqual([])
  })

  test('the schedule is undefined at first, and then the one that was set last', async () => {
    await using it = await open()
    const { keys } = it.store
    expect(await keys.schedule()).toBeUndefined()
    const schedule = {
      alg: 'ES256',
      rotationMs: undefined,
      leadMs: 1,
      livesMs: { access: 2, refresh: 3 },
    }
    await keys.setSchedule(schedule)
    await it.beside.keys.setSchedule({ ...schedule, rotationMs: 4 })
    expect(await keys.schedule()).toEqual({ ...schedule, rotationMs: 4 })
  })
})
