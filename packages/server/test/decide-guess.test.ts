import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { decideGuess } from '../src/store/decide-guess.ts'
import type { GuessKind } from '../src/store/factors.ts'

const NOW = Date.UTC(2026, 10, 23, 12)
const KINDS: readonly GuessKind[] = ['totp', 'recovery_code', 'mail']

const kind = fc.constantFrom(...KINDS)
const failures = fc.nat(2_000)
/** How long ago the last guess was. Negative: the clock was set back since. */
const age = fc.integer({ min: -10_000_000, max: 10_000_000 })

describe('the decision about a guess', () => {
  test.each([
    [4, 0, { kind: 'allowed' }],
    [5, 0, { kind: 'wait', retryAfterSec: 30 }],
    [5, 29_999, { kind: 'wait', retryAfterSec: 1 }],
    [5, 30_000, { kind: 'allowed' }],
    [6, 30_000, { kind: 'wait', retryAfterSec: 30 }],
    [6, 60_000, { kind: 'allowed' }],
    [11, 1_919_999, { kind: 'wait', retryAfterSec: 1 }],
    [12, 0, { kind: 'wait', retryAfterSec: 3_600 }],
    [19, 3_600_000, { kind: 'allowed' }],
  ])('after %i wrong ones, the last %i ms ago: %o', (count, ago, decision) => {
    for (const each of KINDS) expect(decideGuess(each, count, NOW - ago, NOW)).toEqual(decision)
  })

  test('only an authenticator app is locked, however long ago the last guess was', () => {
    fc.assert(
      fc.property(kind, failures, age, (each, count, ago) => {
        const decision = decideGuess(each, count, NOW - ago, NOW)
        expect(decision.kind === 'locked').toBe(each === 'totp' && count >= 20)
      }),
    )
  })

  test('a wait is at most an hour, also when the clock was set back, and then the guess is allowed', () => {
    fc.assert(
      fc.property(kind, failures, age, (each, count, ago) => {
        const lastAt = NOW - ago
        const decision = decideGuess(each, count, lastAt, NOW)
        if (decision.kind !== 'wait') return
        expect(decision.retryAfterSec).toBeGreaterThan(0)
        expect(decision.retryAfterSec).toBeLessThanOrEqual(3_600)
        const later = Math.max(NOW, lastAt) + decision.retryAfterSec * 1_000
        expect(decideGuess(each, count, lastAt, later)).toEqual({ kind: 'allowed' })
      }),
    )
  })

  test('more wrong guesses never make the next one easier', () => {
    const hardness = (decision: ReturnType<typeof decideGuess>): number => {
      if (decision.kind === 'wait') return decision.retryAfterSec
      return decision.kind === 'allowed' ? 0 : Infinity
    }
    fc.assert(
      fc.property(kind, failures, age, (each, count, ago) => {
        const [less, more] = [count, count + 1].map((n) => decideGuess(each, n, NOW - ago, NOW))
        expect(hardness(more!)).toBeGreaterThanOrEqual(hardness(less!))
      }),
    )
  })

  test('whoever asks as often as possible makes 20 guesses at an app, and 24 a day at a recovery code', () => {
    const guesses = (each: GuessKind, untilMs: number): number => {
      let [count, now, lastAt] = [0, 0, 0]
      while (now <= untilMs) {
        const decision = decideGuess(each, count, lastAt, now)
        if (decision.kind === 'locked') return count
        if (decision.kind === 'wait') now += decision.retryAfterSec * 1_000
        else [count, lastAt] = [count + 1, now]
      }
      return count
    }
    const DAY_MS = 86_400_000
    expect(guesses('totp', 400 * DAY_MS)).toBe(20)
    expect(guesses('recovery_code', 101 * DAY_MS) - guesses('recovery_code', 100 * DAY_MS)).toBe(24)
  })
})
