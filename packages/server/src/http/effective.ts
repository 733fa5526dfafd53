import type { Effective } from '../sessions/wait-effective.ts'
import { problem } from './problem.ts'

const unchanged = new WeakSet<Response>()

/**
 * Marks the answer of a request that has revoked nothing. It does not wait: anybody can send such a request, and the
 * answer would tell how many guards there are.
 */
export function withoutRevocation(answer: Response): Response {
  unchanged.add(answer)
  return answer
}

/**
 * With `?wait=effective`, the answer waits until the revocation is in force at every guard: each guard has
 * confirmed it, or its lease has expired. The answer contains the duration and the number of guards. Any
 * other value of `wait` is refused before anything is done. Otherwise a misspelled request would be answered
 * too early. The router calls this for routes that revoke something.
 *
 * A request that is refused or revokes nothing is answered at once, as without the parameter. If the server
 * stops first, the answer is 503, because a disconnected guard may still accept the token.
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
  if (!response.ok || unchanged.has(response)) return response
  // The entries of the request are at or before this position.
  const { position, ms, guards, confirmed, expired, isInForce } = await waitUntilEffective()
  if (!isInForce) return interrupted(response)
  const headers = new Headers(response.headers)
  headers.set('content-type', 'application/json')
  // Most of these answers had no body.
  const text = await response.text()
  const answered = text === '' ? {} : (JSON.parse(text) as object)
  const body = { ...answered, effective: { position, ms, guards, confirmed, expired } }
  return new Response(JSON.stringify(body), { status: 200, headers })
}

/** The cookies of the answer stay: the session that they belonged to has ended, or its access token is new. */
function interrupted(response: Response): Response {
  const answer = problem('wait_interrupted')
  for (const cookie of response.headers.getSetCookie()) answer.headers.append('set-cookie', cookie)
  return answer
}
