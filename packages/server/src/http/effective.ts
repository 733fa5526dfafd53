import type { FeedHub } from '../revocations/hub.ts'
import type { RevocationStore } from '../store/store.ts'

/** What takes something back. */
const TAKES_BACK =
  /^\/(?:auth\/(?:logout|password|sessions\/[\w-]+)|api\/token\/blacklist\/?|oauth2\/revoke)$/

/** What waiting takes. */
export interface EffectParts {
  readonly hub: FeedHub
  readonly store: Pick<RevocationStore, 'head'>
}

/**
 * With `?wait=effective`, answers only when what the request took back is in force at every guard: each has
 * confirmed it, or its lease has run out. Says how long that took, and how many guards there were.
 */
export async function whenEffective(
  { hub, store }: EffectParts,
  request: Request,
  response: Response,
): Promise<Response> {
  if (!response.ok || !request.url.includes('?')) return response
  const { pathname, searchParams } = new URL(request.url)
  if (searchParams.get('wait') !== 'effective' || !TAKES_BACK.test(pathname)) return response
  // What the request wrote is at this position or before it.
  const { position } = await store.head()
  const { ms, guards, confirmed, expired } = await hub.effective(position)
  const headers = new Headers(response.headers)
  headers.set('content-type', 'application/json')
  // Most have nothing to say but that it was done.
  const text = await response.text()
  const answered = text === '' ? {} : (JSON.parse(text) as object)
  const body = { ...answered, effective: { position, ms, guards, confirmed, expired } }
  return new Response(JSON.stringify(body), { status: 200, headers })
}
