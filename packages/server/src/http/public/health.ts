import type { Fetch } from '../node-handler.ts'
import { RETRY_AFTER_SEC } from '../problem.ts'

/** `GET /healthz`: answers while the process runs. Reads neither the store nor the keys. */
export function answerHealth(): Response {
  return status(200, 'ok')
}

/** `GET /readyz`: whether the store can be read and written. */
export function createReadinessAnswer(isReady: () => Promise<boolean>): () => Promise<Response> {
  return async () =>
    (await isReady())
      ? status(200, 'ok')
      : status(503, 'store_unavailable', { 'retry-after': String(RETRY_AFTER_SEC) })
}

/** Answers `/readyz` with 503 and everything else as before, for a server that stops. */
export function whileStopping(fetch: Fetch): Fetch {
  return async (request, context) =>
    new URL(request.url).pathname === '/readyz'
      ? status(503, 'stopping', { 'retry-after': String(RETRY_AFTER_SEC) })
      : fetch(request, context)
}

function status(code: number, text: string, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify({ status: text }), {
    status: code,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers },
  })
}
