import { StoreFault } from '../base/faults.ts'
import type { Store } from '../store/store.ts'
import { RETRY_AFTER_SEC } from './problem.ts'

/** Alive: the process answers. Touches nothing else, so a slow disk restarts no server. */
export function answerHealth(): Response {
  return status(200, 'ok')
}

/** Ready: the store can be read and written. */
export async function answerReadiness(store: Store): Promise<Response> {
  try {
    await store.check()
    return status(200, 'ok')
  } catch (error) {
    if (!(error instanceof StoreFault)) throw error
    return status(503, 'store_unavailable', { 'retry-after': String(RETRY_AFTER_SEC) })
  }
}

function status(code: number, text: string, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify({ status: text }), {
    status: code,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers },
  })
}
