import type { EpochMs } from '../base/clock.ts'
import type { Random } from '../base/random.ts'

/** When failed attempts are repeated. */
export interface RetryTimes {
  /** The pause after the first attempt. It doubles with each attempt. */
  readonly firstMs: number
  readonly longestMs: number
}

/** The times of a server: about thirty attempts in a day. */
export const RETRY_TIMES: RetryTimes = { firstMs: 15_000, longestMs: 3_600_000 }

/**
 * Returns when to try a mail again after its attempt number `attempt` has failed. Undefined if that would be too
 * late. `fraction` is random, from 0 to 1: mails that failed together are spread over half of the pause.
 */
export function decideRetry(
  { attempt, notAfter }: { readonly attempt: number; readonly notAfter: EpochMs },
  { firstMs, longestMs }: RetryTimes,
  now: EpochMs,
  fraction: number,
): EpochMs | undefined {
  const pauseMs = Math.min(longestMs, firstMs * 2 ** Math.min(attempt - 1, 30))
  const retryAt = now + Math.round(pauseMs * (0.5 + fraction / 2))
  return retryAt < notAfter ? retryAt : undefined
}

/** Returns a random number from 0 to 1, without 1. */
export function randomFraction(random: Random): number {
  return random.bytes(4).readUInt32BE() / 2 ** 32
}
