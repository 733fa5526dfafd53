import type { Clock } from '../base/clock.ts'
import { StoreFault } from '../base/faults.ts'
import type { Store } from '../store/store.ts'
import { RETRY_AFTER_SEC } from './problem.ts'

const READINESS_KEPT_MS = 1_000

/** Alive: the process answers. Asks neither the store nor the keys. */
export function answerHealth(): Response {
  return status(200, 'ok')
}

/**
 * Ready: the store can be read and written. Asking writes to the disk, so the answer is kept for a
 * second: whoever can reach this path could otherwise keep the disk busy.
 */
export function createReadinessAnswer(store: Store, clock: Clock): () => Promise<Response> {
  let checkedAt = Number.NEGATIVE_INFINITY
  let checking: Promise<boolean> | undefined
  return async () => {
    const now = clock.nowMs()
    if (checking === undefined || Math.abs(now - checkedAt) >= READINESS_KEPT_MS) {
      checkedAt = now
      checking = isWritable(store)
    }
    return (await checking)
      ? status(200, 'ok')
      : status(503, 'store_unavailable', { 'retry-after': String(RETRY_AFTER_SEC) })
  }
}

async function isWritable(store: Store): Promise<boolean> {
  try {
    await store.check()
    return true
  } catch (error) {
    if (error instanceof StoreFault) return false
    throw error
  }
}

function status(code: number, text: string, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify({ status: text }), {
    status: code,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers },
  })
}
