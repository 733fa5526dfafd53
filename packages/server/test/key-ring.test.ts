import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { planKill, planRing, type RingMaker, type RingSchedule } from '../src/keys/plan-ring.ts'
import type { RingChange, StoredKey } from '../src/store/rows.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const SCHEDULE: RingSchedule = {
  alg: 'ES256',
  rotationMs: 30 * DAY,
  leadMs: DAY,
  livesMs: { access: 6 * MINUTE, refresh: 30 * DAY },
}

/** A ring that applies its plans as the store does. */
class PlannedRing {
  keys: readonly StoredKey[] = []
  schedule = SCHEDULE
  #made = 0

  keepUp(now: number, force: readonly ('access' | 'refresh')[] = []): void {
    this.#apply(planRing(this.keys, this.schedule, now, this.#maker(now), force))
  }

  kill(kid: string, now: number): void {
    const key = this.keys.find((each) => each.kid === kid)
    if (key !== undefined) {
      this.#apply(planKill(this.keys, key, this.schedule, now, this.#maker(now)))
    }
  }

  import(alg: string, now: number): void {
    const [pending] = this.of('access', 'pending')
    const key = { ...this.#maker(now).access('ES256'), alg, imported: true }
    this.#apply({ put: [key], remove: pending === undefined ? [] : [pending.kid] })
  }

  of(use: StoredKey['use'], state: StoredKey['state']): readonly StoredKey[] {
    return this.keys.filter((key) => key.use === use && key.state === state)
  }

  active(use: StoredKey['use']): StoredKey {
    const [key] = this.of(use, 'active')
    if (key === undefined) throw new Error(`no active ${use} key`)
    return key
  }

  /** Whether tokens that a key signed are still accepted. */
  verifies(kid: string): boolean {
    return this.keys.some((key) => key.kid === kid && key.state !== 'revoked')
  }

  #apply(change: RingChange | undefined): void {
    if (change === undefined) return
    const put = new Map(change.put.map((key) => [key.kid, key]))
    const kept = this.keys.filter(({ kid }) => !change.remove.includes(kid) && !put.has(kid))
    this.keys = [...kept, ...put.values()]
  }

  #maker(at: number): RingMaker {
    const make = (use: StoredKey['use'], alg: string, state: StoredKey['state']): StoredKey => ({
      kid: `key_${this.#made++}`,
      alg,
      use,
      state,
      sealed: Uint8Array.of(1),
      createdAt: at,
      changedAt: at,
      verifiesUntil: undefined,
      imported: false,
      certificates: [],
    })
    return {
      access: (alg) => make('access', alg, 'pending'),
      refresh: () => make('refresh', 'HS256', 'active'),
    }
  }
}

test('an empty ring gets a key that signs, the next one, and one for refresh tokens', () => {
  const ring = new PlannedRing()
  ring.keepUp(0)
  expect(ring.keys.map(({ use, state }) => `${use} ${state}`).toSorted()).toEqual([
    'access active',
    'access pending',
    'refresh active',
  ])
  ring.keepUp(0)
  expect(ring.keys).toHaveLength(3)
})

test('a key signs for 30 days, then verifies until its last token has expired', () => {
  const ring = new PlannedRing()
  ring.keepUp(0)
  const first = ring.active('access').kid
  const [next] = ring.of('access', 'pending')
  ring.keepUp(30 * DAY - 1)
  expect(ring.active('access').kid).toBe(first)
  ring.keepUp(30 * DAY)
  expect(ring.active('access').kid).toBe(next?.kid)
  ring.keepUp(30 * DAY + 6 * MINUTE)
  expect(ring.verifies(first)).toBe(true)
  ring.keepUp(30 * DAY + 6 * MINUTE + 2 * HOUR)
  expect(ring.verifies(first)).toBe(false)
})

test('a ring without automatic rotation changes only when it is forced', () => {
  const ring = new PlannedRing()
  ring.schedule = { ...SCHEDULE, rotationMs: undefined }
  ring.keepUp(0)
  const first = ring.active('access').kid
  ring.keepUp(3650 * DAY)
  expect(ring.active('access').kid).toBe(first)
  ring.keepUp(3650 * DAY, ['access'])
  expect(ring.active('access').kid).not.toBe(first)
})

test('another algorithm takes over when it has been published for the lead time', () => {
  const ring = new PlannedRing()
  ring.keepUp(0)
  ring.schedule = { ...SCHEDULE, alg: 'Ed25519' }
  ring.keepUp(HOUR)
  expect(ring.of('access', 'pending').map(({ alg }) => alg)).toEqual(['Ed25519'])
  expect(ring.active('access').alg).toBe('ES256')
  ring.keepUp(HOUR + DAY)
  expect(ring.active('access').alg).toBe('Ed25519')
})

test('an algorithm that is replaced before its key has signed never signs', () => {
  const ring = new PlannedRing()
  ring.keepUp(0)
  ring.schedule = { ...SCHEDULE, alg: 'Ed25519' }
  ring.keepUp(HOUR)
  ring.schedule = SCHEDULE
  ring.keepUp(2 * HOUR)
  expect(ring.of('access', 'pending').map(({ alg }) => alg)).toEqual(['ES256'])
  ring.keepUp(2 * DAY)
  expect(ring.active('access').changedAt).toBe(0)
})

test('imported keys keep their algorithm, and sign for as long as others', () => {
  const ring = new PlannedRing()
  ring.keepUp(0)
  ring.import('ES384', HOUR)
  ring.keepUp(2 * HOUR, ['access'])
  expect(ring.active('access').alg).toBe('ES384')
  // The next key was published long ago, but still waits for the schedule.
  ring.keepUp(10 * DAY)
  expect(ring.active('access').alg).toBe('ES384')
  ring.import('ES384', 10 * DAY)
  ring.keepUp(12 * DAY)
  expect(ring.of('access', 'pending').map(({ imported }) => imported)).toEqual([true])
  ring.keepUp(2 * HOUR + 30 * DAY)
  expect(ring.active('access')).toMatchObject({ alg: 'ES384', createdAt: 10 * DAY })
})

describe('a revoked key', () => {
  test('of access tokens is unusable at once, and the pending one signs', () => {
    const ring = new PlannedRing()
    ring.keepUp(0)
    const first = ring.active('access').kid
    const [next] = ring.of('access', 'pending')
    ring.kill(first, 1)
    expect(ring.active('access').kid).toBe(next?.kid)
    expect(ring.of('access', 'pending')).toHaveLength(1)
    expect(ring.verifies(first)).toBe(false)
    expect(ring.of('access', 'revoked')[0]?.sealed).toEqual(new Uint8Array())
  })

  test('that has not signed yet is replaced by another', () => {
    const ring = new PlannedRing()
    ring.keepUp(0)
    const [pending] = ring.of('access', 'pending')
    ring.kill(String(pending?.kid), 1)
    expect(ring.of('access', 'pending')).toHaveLength(1)
    expect(ring.verifies(String(pending?.kid))).toBe(false)
  })

  test('always stays in the ring as revoked', () => {
    const ring = new PlannedRing()
    ring.keepUp(0)
    const first = ring.active('access').kid
    ring.kill(first, 1)
    for (let day = 1; day < 400; day += 20) ring.keepUp(day * DAY)
    expect(ring.of('access', 'revoked').map(({ kid }) => kid)).toEqual([first])
  })
})

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ wait: fc.integer({ min: 0, max: 3 * DAY }) }) },
  { weight: 1, arbitrary: fc.record({ jump: fc.constantFrom(-HOUR, HOUR) }) },
  { weight: 1, arbitrary: fc.record({ kill: fc.nat(5) }) },
  {
    weight: 1,
    arbitrary: fc.record({ force: fc.constantFrom('access' as const, 'refresh' as const) }),
  },
)

test('after any sequence of events one key signs, one is next, and every token is valid until it expires', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const ring = new PlannedRing()
      let [real, clockOffset] = [0, 0]
      const signed: { kid: string; use: 'access' | 'refresh'; until: number }[] = []
      const killed = new Set<string>()
      let isForced = false
      ring.keepUp(0)
      const published = new Map(ring.keys.map(({ kid }) => [kid, -Infinity]))
      for (const each of steps) {
        const now = (): number => real + clockOffset
        if ('wait' in each) real += each.wait
        else if ('jump' in each) clockOffset = clockOffset === 0 ? each.jump : 0
        else if ('kill' in each) {
          const alive = ring.keys.filter(({ state }) => state !== 'revoked')
          const victim = alive[each.kill % alive.length]
          if (victim !== undefined) {
            ring.kill(victim.kid, now())
            killed.add(victim.kid)
            isForced = true
          }
        } else {
          ring.keepUp(now(), [each.force])
          isForced = true
        }
        const before = ring.active('access').kid
        ring.keepUp(now())
        expect(ring.of('access', 'active')).toHaveLength(1)
        expect(ring.of('access', 'pending')).toHaveLength(1)
        expect(ring.of('refresh', 'active')).toHaveLength(1)
        for (const { kid } of ring.keys) if (!published.has(kid)) published.set(kid, real)
        // No service sees a signature of a key that it cannot know, except after a forced rotation or a
        // revocation.
        const { kid } = ring.active('access')
        if (kid !== before && !isForced) {
          expect(real - (published.get(kid) ?? 0)).toBeGreaterThanOrEqual(SCHEDULE.leadMs - HOUR)
        }
        isForced = false
        for (const use of ['access', 'refresh'] as const) {
          signed.push({ kid: ring.active(use).kid, use, until: real + SCHEDULE.livesMs[use] })
        }
        for (const token of signed) {
          if (token.until <= real) continue
          expect(ring.verifies(token.kid)).toBe(!killed.has(token.kid))
        }
      }
    }),
    { numRuns: 300 },
  )
})
