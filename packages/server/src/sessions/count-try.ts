import { StoreFault } from '../base/faults.ts'
import type { ThrottleBucket } from '../store/throttle.ts'
import type { Refusal, SessionServices } from './services.ts'

/**
 * Counts an attempt in every bucket before the attempt is made. If a bucket is full, it counts nothing and
 * returns `throttled` with the seconds to wait. Without buckets it does nothing.
 */
export async function countTry(
  { store }: Pick<SessionServices, 'store'>,
  buckets: readonly ThrottleBucket[],
): Promise<Refusal | undefined> {
  if (buckets.length === 0) return undefined
  const taken = await store.throttles.take(buckets)
  if (taken.ok) return undefined
  const retryAfterSec = Math.max(1, Math.ceil(taken.retryAfterMs / 1000))
  return { ok: false, code: 'throttled', retryAfterSec }
}

/**
 * Removes the counted attempts of a correct password, after the change that it allowed was written. If the
 * store fails now, the attempts stay counted, and the answer is not affected.
 */
export async function giveBackTries(
  { store }: Pick<SessionServices, 'store'>,
  buckets: readonly ThrottleBucket[],
): Promise<void> {
  if (buckets.length === 0) return
  try {
    await store.throttles.giveBack(buckets)
  } catch (error) {
    if (!(error instanceof StoreFault)) throw error
  }
}
