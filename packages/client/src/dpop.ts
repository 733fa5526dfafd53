import { findPage } from './environment.ts'
import { createKey, type DpopKey, findDatabases, loadKey } from './dpop/key.ts'
import { makeProof } from './dpop/proof.ts'
import { fromBase64url } from './factors/base64url.ts'
import { isStream } from './fetch.ts'
import type { BoundFetch } from './types.ts'

export type { DpopKey } from './dpop/key.ts'

/** The options of `createDpop`. */
export interface DpopOptions {
  /**
   * Where the key is. `stored`: in the IndexedDB of the origin, so that the session continues after a restart. Scripts
   * can use the key there, but cannot read it. `memory`: gone when the page or the application ends. Or a key of your
   * own, for example in the keychain of a phone. Default: `stored` if the runtime has IndexedDB, otherwise `memory`.
   */
  readonly key?: 'stored' | 'memory' | DpopKey
  /** Milliseconds since 1970. Default `Date.now`. For tests. */
  readonly clock?: () => number
}

/**
 * Makes the option `dpop` of `createClient`. It binds the tokens of a login to a key that never leaves this device (RFC
 * 9449), and adds a proof to each request with such a token. If an answer demands a nonce, it repeats the request once
 * with that nonce. Throws a TypeError if the key should be stored and the runtime has no IndexedDB.
 */
export function createDpop({ key, clock = Date.now }: DpopOptions = {}): BoundFetch {
  const load = loaderOf(key)
  /** The newest nonce of each origin: the authority and each service have their own (RFC 9449 §8.2). */
  const nonces = new Map<string, string>()

  return async (input, init) => {
    // Not by `instanceof`: some servers replace the global class.
    const request = typeof input === 'object' && 'clone' in input ? input : undefined
    const url = new URL(request?.url ?? input, findPage()?.location.href)
    const method = (init?.method ?? request?.method ?? 'GET').toUpperCase()
    const headers = new Headers(init?.headers ?? request?.headers)
    const presented = /^(?:Bearer|DPoP) (.+)/.exec(headers.get('authorization') ?? '')?.[1]
    const token = presented && isBound(presented) ? presented : undefined
    // Other requests get no proof, because it would tell their receivers which requests come from this device.
    const isForToken = !presented && method === 'POST' && TOKEN_PATH.test(url.pathname)
    if (!token && !isForToken) return fetch(input, init)
    if (token) headers.set('authorization', `DPoP ${token}`)

    const send = async (isLast: boolean): Promise<Response> => {
      const proven = { method, url, token, nonce: nonces.get(url.origin) }
      headers.set('dpop', await makeProof(await load(), proven, clock()))
      // A request can be sent once. Its copy is sent first, so that it can be sent again.
      const answer = await fetch(isLast || !request ? input : request.clone(), { ...init, headers })
      const nonce = answer.headers.get('dpop-nonce')
      if (nonce) nonces.set(url.origin, nonce)
      return answer
    }
    const before = nonces.get(url.origin)
    // Nobody can read a stream twice, so its request is not repeated.
    const isLast = isStream(init?.body)
    const answer = await send(isLast)
    if (isLast || nonces.get(url.origin) === before || !(await asksForNonce(answer))) return answer
    await answer.body?.cancel()
    return send(true)
  }
}

/** The endpoints of the authority that return tokens to the mode `memory`. */
const TOKEN_PATH = /\/api\/token\/(?!blacklist)/

/** Whether an access token is bound to a key. The authority may be one that binds none. */
function isBound(token: string): boolean {
  try {
    const payload = new TextDecoder().decode(fromBase64url(token.split('.')[1] ?? ''))
    return (JSON.parse(payload) as { readonly cnf?: object }).cnf !== undefined
  } catch {
    return false
  }
}

function loaderOf(key: DpopOptions['key']): () => Promise<DpopKey> {
  if (typeof key === 'object') return async () => key
  const databases = key === 'memory' ? undefined : findDatabases()
  if (key === 'stored' && !databases) throw new TypeError('createDpop: there is no IndexedDB here.')
  let loading: Promise<DpopKey> | undefined
  return () => {
    loading ??= (databases ? loadKey(databases) : createKey()).catch((error: unknown) => {
      loading = undefined // the next request tries again
      throw error
    })
    return loading
  }
}

/**
 * Whether an answer demands a nonce. A resource says so in its challenge (RFC 9449 §9), which another origin may not
 * expose to pages, and a token endpoint in the body (§8).
 */
async function asksForNonce(answer: Response): Promise<boolean> {
  if (answer.status !== 400 && answer.status !== 401) return false
  const challenge = answer.headers.get('www-authenticate')
  return /\buse_dpop_nonce\b|"dpop_nonce_required"/.test(
    `${challenge} ${await answer.clone().text()}`,
  )
}
