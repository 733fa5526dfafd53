import type { Effective } from '../sessions/wait-effective.ts'
import { problem } from './problem.ts'

/**
 * With `?wait=effective`, answers only when the request's revocation is in force at every guard: each
 * guard has confirmed it, or its lease has expired. The answer then says how long that took and how many
 * guards there were. Any other value of `wait` is refused before anything is done: after a typing error
 * the answer would come too early. The router calls it for the rows that revoke something.
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
  // The entries of the request are at this position or before it.
  const { position, ms, guards, confirmed, expired } = await waitUntilEffective()
  const headers = new Headers(response.headers)
  headers.set('content-type', 'application/json')
  // Most of these answers have no body.
  const text = await response.text()
  const answered = text === '' ? {} : (JSON.parse(text) as object)
  const body = { ...answered, effective: { position, ms, guards, confirmed, expired } }
  return new Response(JSON.stringify(body), { status: 200, headers })
}
