import type { Bucket } from '../store/throttle.ts'
import type { Refusal, SessionServices } from './services.ts'

/**
 * Counts an attempt in every bucket before the attempt is made. Returns `throttled`, with the seconds to
 * wait, if any bucket is full; nothing is counted then. Without buckets it does nothing.
 */
export async function countTry(
  { store, clock }: Pick<SessionServices, 'store' | 'clock'>,
  buckets: readonly Bucket[],
): Promise<Refusal | undefined> {
  if (buckets.length === 0) return undefined
  const taken = await store.throttles.take(buckets, clock.nowMs())
  if (taken.ok) return undefined
  const retryAfterSec = Math.max(1, Math.ceil(taken.retryAfterMs / 1000))
  return { ok: false, code: 'throttled', retryAfterSec }
}
