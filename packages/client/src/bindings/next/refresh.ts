import { jsonPost } from '../../exchange.ts'
import { parseSetCookie, type SetCookie } from './cookie-header.ts'
import type { Settings } from './settings.ts'

// A page without the session is better than a page that does not come.
const ANSWER_MS_MAX = 5000

/** A browser's refresh token, and what the authority must know about the browser. */
export interface RefreshRequest {
  readonly refreshToken: string
  /** The headers of the browser's own request. */
  readonly browser: Pick<Headers, 'get'>
}

/** The headers that tell the authority whose request it is. With others, its repeat rule would see another device. */
export const DEVICE_HEADERS = ['user-agent', 'x-forwarded-for', 'forwarded'] as const

/**
 * Refreshes the session of a browser. Returns what the authority does to the cookies: new ones, none of them any more
 * if the session is over, and nothing while the authority cannot be reached. Never rejects.
 */
export async function refreshSession(
  settings: Settings,
  request: RefreshRequest,
): Promise<readonly SetCookie[]> {
  const { url, origin, names } = settings
  const signal = AbortSignal.timeout(ANSWER_MS_MAX)
  const headers = {
    ...deviceOf(request),
    // The other cookies of the browser are not the authority's business.
    cookie: `${names.refresh}=${request.refreshToken}`,
    origin,
  }
  const ask = (path: string, init: RequestInit): Promise<Response> =>
    fetch(`${url}/auth/${path}`, { ...init, cache: 'no-store', redirect: 'manual', signal })
  try {
    const csrf = await ask('csrf', { headers })
    // A failed answer has no such member, and is not asked further.
    const { csrf_token: token } = (await csrf.json()) as { csrf_token?: unknown }
    if (typeof token !== 'string') return []
    const answer = await ask('refresh', jsonPost({}, { ...headers, 'x-csrf-token': token }))
    await answer.body?.cancel()
    const isDecided = answer.ok || answer.status === 401
    return isDecided ? ownCookies(answer, settings) : []
  } catch {
    return []
  }
}

function deviceOf({ browser }: RefreshRequest): Record<string, string> {
  return Object.fromEntries(
    DEVICE_HEADERS.flatMap((name) => {
      const value = browser.get(name)
      return value === null ? [] : [[name, value]]
    }),
  )
}

/** A load balancer between here and the authority may set cookies of its own, which are not for the browser. */
function ownCookies({ headers }: Response, { names }: Settings): readonly SetCookie[] {
  const own = new Set(Object.values(names))
  return headers
    .getSetCookie()
    .map(parseSetCookie)
    .filter(({ name }) => own.has(name))
}
