import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { NOW } from '../support/session-rows.ts'
import { engines } from './engines.ts'
import { BY, DAY_MS, signedIn, tally } from './samples.ts'
import { chain, plainChain, rotation } from './sso-samples.ts'

const GRACE_MS = rotation().graceMs

describe.each(engines)('refresh tokens of applications on %s', (_, open) => {
  test('create writes a chain; read returns it with its session, also when it has expired', async () => {
    await using it = await open()
    const { refreshes } = it.store.sso
    await signedIn(it.store)
    await refreshes.create(chain())
    const read = await refreshes.read('chain-1')
    expect(plainChain(read!.chain)).toEqual(chain())
    expect(read?.session).toMatchObject({ session: { id: 'session-1' }, position: 0 })
    await it.store.sessions.end('session-1', { event: 'logout' }, BY)
    it.clock.advanceMs(40 * DAY_MS)
    const later = await refreshes.read('chain-1')
    expect(later?.session).toMatchObject({ session: { endedAt: NOW }, position: 1 })
    expect(await refreshes.read('unknown')).toBeUndefined()
    await refreshes.create(chain('alone', { sessionId: 'nobody' }))
    expect(await refreshes.read('alone')).toMatchObject({ session: undefined })
    await expect(refreshes.create(chain())).rejects.toThrow()
  })

  test('rotate moves the current generation on, and tells what every other one is', async () => {
    await using it = await open()
    const { refreshes } = it.store.sso
    await refreshes.create(chain())
    const kindOf = async (generation: number, more = {}): Promise<string> =>
      (await refreshes.rotate('chain-1', generation, rotation(more))).kind
    expect(await kindOf(1)).toBe('ahead')
    it.clock.advanceMs(1_000)
    const rotated = await refreshes.rotate('chain-1', 0, rotation())
    if (rotated.kind !== 'rotated') throw new Error(rotated.kind)
    const after = {
      generation: 1,
      rotatedAt: NOW + 1_000,
      expiresAt: NOW + 1_000 + 14 * DAY_MS,
      grace: { generation: 0, beganAt: NOW + 1_000, priorGeneration: 0, priorRotatedAt: NOW },
    }
    expect(plainChain(rotated.chain)).toEqual(chain('chain-1', after))
    expect(plainChain((await refreshes.read('chain-1'))!.chain)).toEqual(chain('chain-1', after))
    it.clock.advanceMs(GRACE_MS - 1)
    expect(await refreshes.rotate('chain-1', 0, rotation())).toMatchObject({
      kind: 'young',
      chain: after,
    })
    expect(await kindOf(2)).toBe('ahead')
    expect(await kindOf(-1)).toBe('old')
    it.clock.advanceMs(1)
    expect(await kindOf(0)).toBe('old')
    // A client may repeat a request whose answer a restart swallowed.
    expect(await kindOf(0, { startedAt: it.clock.nowMs() })).toBe('young')
    expect(await kindOf(1)).toBe('rotated')
    it.clock.advanceMs(GRACE_MS)
    expect(await kindOf(1)).toBe('old')
    expect(await kindOf(1, { startedAt: it.clock.nowMs() })).toBe('young')
    expect(await kindOf(1, { startedAt: it.clock.nowMs() - GRACE_MS })).toBe('old')
    expect((await refreshes.rotate('unknown', 0, rotation())).kind).toBe('unknown')
  })

  test('a chain expires unused, and at its absolute end, which no rotation moves', async () => {
    await using it = await open()
    const { refreshes } = it.store.sso
    const kindOf = async (id: string, generation: number): Promise<string> =>
      (await refreshes.rotate(id, generation, rotation({ idleMs: 1_000 }))).kind
    await refreshes.create(chain('a', { expiresAt: NOW + 1_000, endsAt: NOW + 1_500 }))
    await refreshes.create(chain('b', { expiresAt: NOW + 1_000, endsAt: NOW + 1_500 }))
    it.clock.advanceMs(999)
    expect(await kindOf('a', 0)).toBe('rotated')
    expect((await refreshes.read('a'))?.chain).toMatchObject({
      expiresAt: NOW + 1_500,
      endsAt: NOW + 1_500,
    })
    it.clock.advanceMs(1)
    // Also for a generation that would be reported as reused.
    for (const generation of [0, 1, -1]) expect(await kindOf('b', generation)).toBe('expired')
    it.clock.advanceMs(499)
    expect(await kindOf('a', 1)).toBe('rotated')
    it.clock.advanceMs(1)
    for (const generation of [0, 1, 2]) expect(await kindOf('a', generation)).toBe('expired')
    expect((await refreshes.read('a'))?.chain.generation).toBe(2)
  })

  test('of 50 rotations at once from three connections, one rotates, and the others are young', async () => {
    await using it = await open()
    const { refreshes } = it.store.sso
    await refreshes.create(chain())
    for (let generation = 0; generation < 5; generation += 1) {
      const values = ['chain-1', generation, rotation()] as const
      const ways = [
        () => refreshes.rotate(...values),
        () => it.beside.sso.refreshes.rotate(...values),
        async () => (await it.elsewhere('sso.refreshes.rotate', ...values)) as { kind: string },
      ]
      const results = await Promise.all(Array.from({ length: 50 }, (__, i) => ways[i % 3]!()))
      expect(tally(results.map(({ kind }) => kind))).toEqual({ rotated: 1, young: 49 })
      expect((await refreshes.read('chain-1'))?.chain.generation).toBe(generation + 1)
    }
  })

  test('rotations of many chains at once all succeed', async () => {
    await using it = await open()
    const { refreshes } = it.store.sso
    const ids = Array.from({ length: 60 }, (__, i) => `chain-${i}`)
    await Promise.all(ids.map((id) => refreshes.create(chain(id))))
    const results = await Promise.all(ids.map((id) => refreshes.rotate(id, 0, rotation())))
    expect(tally(results.map(({ kind }) => kind))).toEqual({ rotated: 60 })
  })

  test('a predecessor is young for one grace, and never for two, however long a chain goes on', async () => {
    await using it = await open()
    const { refreshes } = it.store.sso
    const oneStep = fc.record({
      waitMs: fc.constantFrom(0, 1, 2_000, GRACE_MS - 1, GRACE_MS, 25_000),
      back: fc.nat({ max: 4 }),
    })
    let run = 0
    await fc.assert(
      fc.asyncProperty(fc.array(oneStep, { maxLength: 12 }), async (steps) => {
        const id = `chain ${(run += 1)}`
        const createdAt = it.clock.nowMs()
        await refreshes.create(
          chain(id, {
            createdAt,
            rotatedAt: createdAt,
            expiresAt: createdAt + DAY_MS,
            endsAt: createdAt + DAY_MS,
          }),
        )
        const rotatedAt: number[] = []
        for (const step of steps) {
          it.clock.advanceMs(step.waitMs)
          const back = Math.min(step.back, rotatedAt.length)
          const presented = rotatedAt.length - back
          const { kind } = await refreshes.rotate(id, presented, rotation())
          if (back === 0) {
            expect(kind).toBe('rotated')
            rotatedAt.push(it.clock.nowMs())
            continue
          }
          const ageMs = it.clock.nowMs() - (rotatedAt[presented] ?? -Infinity)
          if (ageMs < GRACE_MS) expect(kind).toBe('young')
          else if (ageMs >= 2 * GRACE_MS || back === 1) expect(kind).toBe('old')
          else expect(['young', 'old']).toContain(kind)
        }
      }),
      { numRuns: 40 },
    )
  })
})
