import fc from 'fast-check'
import { expect, test } from 'vitest'

import { decideGeneration, isChainOver } from '../src/store/decide-generation.ts'
import { decideRotation } from '../src/store/decide-rotation.ts'
import type { SsoGeneration } from '../src/store/sso.ts'
import { HERE, liveState, NOW } from './support/session-rows.ts'

const GRACE_MS = 10_000

test('refresh tokens of applications have the windows of the refresh tokens of sessions', () => {
  const ago = fc.constantFrom(0, 1, GRACE_MS - 1, GRACE_MS, GRACE_MS + 1, 2 * GRACE_MS, 1_000_000)
  const generation = fc.integer({ min: -1, max: 8 })
  const inputs = fc.record({
    presented: generation,
    generation,
    rotatedAgo: ago,
    startedAgo: ago,
    windowAt: generation,
    beganAgo: ago,
    priorWindowAt: generation,
    priorAgo: ago,
  })
  const seen = new Set<SsoGeneration>()
  fc.assert(
    fc.property(inputs, (it) => {
      const state = liveState()
      const rotated = {
        generation: it.generation,
        rotatedAt: NOW - it.rotatedAgo,
        grace: {
          generation: it.windowAt,
          beganAt: NOW - it.beganAgo,
          priorGeneration: it.priorWindowAt,
          priorRotatedAt: NOW - it.priorAgo,
        },
      }
      const conditions = { now: NOW, graceMs: GRACE_MS, startedAt: NOW - it.startedAgo }
      const session = { ...state.session, ...rotated }
      const attempt = { generation: it.presented, ...HERE }
      const decision = decideRotation({ ...state, session }, attempt, {
        ...conditions,
        healing: 'accept',
      })
      const expected: SsoGeneration =
        decision.kind === 'rotate'
          ? 'current'
          : decision.kind === 'repeat'
            ? 'young'
            : 'code' in decision && decision.code === 'refresh_reused'
              ? 'old'
              : 'ahead'
      const decided = decideGeneration(rotated, it.presented, conditions)
      expect(decided).toBe(expected)
      seen.add(decided)
    }),
    { numRuns: 2_000, seed: 1 },
  )
  expect([...seen].toSorted()).toEqual(['ahead', 'current', 'old', 'young'])
})

test('a chain is over at the earlier of both ends', () => {
  const table = [
    [NOW + 1, NOW + 1, false],
    [NOW, NOW + 1, true],
    [NOW + 1, NOW, true],
  ] as const
  for (const [expiresAt, endsAt, isOver] of table) {
    expect(isChainOver({ expiresAt, endsAt }, NOW)).toBe(isOver)
  }
})
