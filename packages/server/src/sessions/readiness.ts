import type { Clock } from '../base/clock.ts'
import { StoreFault } from '../base/faults.ts'
import type { Store } from '../store/store.ts'

const KEPT_MS = 1_000

/**
 * Creates the readiness check: whether the store can be read and written now. The check writes to the
 * disk, so its result is kept for a second. Otherwise anyone who can reach it could keep the disk busy.
 */
export function createReadiness({
  store,
  clock,
}: {
  readonly store: Pick<Store, 'check'>
  readonly clock: Clock
}): () => Promise<boolean> {
  let checkedAt = Number.NEGATIVE_INFINITY
  let checking: Promise<boolean> | undefined
  return async () => {
    const now = clock.nowMs()
    if (checking === undefined || Math.abs(now - checkedAt) >= KEPT_MS) {
      checkedAt = now
      checking = isWritable(store)
    }
    return checking
  }
}

async function isWritable(store: Pick<Store, 'check'>): Promise<boolean> {
  try {
    await store.check()
    return true
  } catch (error) {
    if (error instanceof StoreFault) return false
    throw error
  }
}
