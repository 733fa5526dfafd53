import type { FeedHub } from '../revocations/hub.ts'
import type { RevocationStore } from '../store/store.ts'

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
  if (new URL(request.url).searchParams.get('wait') !== 'effective') return response
  // What the request wrote is at this position or before it.
  const { position } = await store.head()
  const { ms, guards, confirmed, expired } = await hub.effective(position)
  const headers = new Headers(response.headers)
  headers.set('content-type', 'application/json')
  const body = { effective: { position, ms, guards, confirmed, expired } }
  return new Response(JSON.stringify(body), { status: 200, headers })
}
