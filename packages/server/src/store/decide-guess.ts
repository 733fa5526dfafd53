import type { EpochMs } from '../base/clock.ts'
import type { GuessDecision, GuessKind } from './factors.ts'

/** The wrong guesses that cost no time. */
const FREE = 5
/** An authenticator app is locked after this many: a stranger then hits one code of a million with 1 in 16,000. */
const LOCKED = 20
const FIRST_WAIT_MS = 30_000
const WAIT_MS_MAX = 3_600_000

/**
 * Decides whether another guess may be made after `failures` wrong ones, the last at `lastAt` (NIST SP 800-63B-4
 * §3.2.2). Pure. Every wait is twice the one before, up to an hour. Only six digits are locked: a recovery code cannot
 * be guessed, and a lock would let anybody with the password keep the owner out.
 */
export function decideGuess(
  kind: GuessKind,
  failures: number,
  lastAt: EpochMs,
  now: EpochMs,
): GuessDecision {
  if (failures < FREE) return { kind: 'allowed' }
  if (kind === 'totp' && failures >= LOCKED) return { kind: 'locked' }
  const waitMs = Math.min(FIRST_WAIT_MS * 2 ** (failures - FREE), WAIT_MS_MAX)
  // A clock that was set back must not extend the wait.
  const leftMs = waitMs - Math.max(0, now - lastAt)
  return leftMs <= 0
    ? { kind: 'allowed' }
    : { kind: 'wait', retryAfterSec: Math.ceil(leftMs / 1000) }
}
