import type { Effective } from '../sessions/wait-effective.ts'
import { problem } from './problem.ts'

/** What takes something back. */
const TAKES_BACK =
  /^\/(?:auth\/(?:logout|password|sessions\/[\w-]+)|api\/token\/blacklist\/?|oauth2\/revoke)$/

/**
 * With `?wait=effective`, answers only when what the request took back is in force at every guard: each has
 * confirmed it, or its lease has run out. Says how long that took, and how many guards there were. Any other `wait`
 * is refused before anything is done: a slip of the pen would answer too soon.
 */
export async function whenEffective(
  waitUntilEffective: () => Promise<Effective>,
  request: Request,
  answer: () => Response | Promise<Response>,
): Promise<Response> {
  if (!request.url.includes('?')) return answer()
  const { pathname, searchParams } = new URL(request.url)
  const waits = searchParams.getAll('wait')
  if (waits.length === 0 || !TAKES_BACK.test(pathname)) return answer()
  if (waits.some((wait) => wait !== 'effective')) return problem('wait_invalid')
  const response = await answer()
  if (!response.ok) return response
  // What the request wrote is at this position or before it.
  const { position, ms, guards, confirmed, expired } = await waitUntilEffective()
  const headers = new Headers(response.headers)
  headers.set('content-type', 'application/json')
  // Most have nothing to say but that it was done.
  const text = await response.text()
  const answered = text === '' ? {} : (JSON.parse(text) as object)
  const body = { ...answered, effective: { position, ms, guards, confirmed, expired } }
  return new Response(JSON.stringify(body), { status: 200, headers })
}
