import type { Effective } from '../sessions/wait-effective.ts'
import { problem } from './problem.ts'

/**
 * With `?wait=effective`, the answer waits until the revocation is in force at every guard: each guard has
 * confirmed it, or its lease has expired. The answer contains the duration and the number of guards. Any
 * other value of `wait` is refused before anything is done. Otherwise a misspelled request would be answered
 * too early. The router calls this for routes that revoke something.
 */
export async function whenEffective(
  waitUntilEffective: () => Promise<Effective>,
  request: Request,
  answer: () => Response | Promise<Response>,
): Promise<Response> {
  if (!request.url.includes('?')) return answer()
  const waits = new URL(request.url).searchParams.getAll('wait')
  if (waits.length === 0) return answer()
  if (waits.some((wait) => wait !== 'effective')) return problem('wait_invalid')
  const response = await answer()
  if (!response.ok) return response
  // The entries of the request are at or before this position.
  const { position, ms, guards, confirmed, expired } = await waitUntilEffective()
  const headers = new Headers(response.headers)
  headers.set('content-type', 'application/json')
  // Most of these answers had no body.
  const text = await response.text()
  const answered = text === '' ? {} : (JSON.parse(text) as object)
  const body = { ...answered, effective: { position, ms, guards, confirmed, expired } }
  return new Response(JSON.stringify(body), { status: 200, headers })
}
