import type { Begun } from '../../upstream/begin.ts'
import { readTransaction } from '../../upstream/finish.ts'
import type { UpstreamServices } from '../../upstream/services.ts'
import { TRANSACTION_MS, isState, type UpstreamTransaction } from '../../upstream/transaction.ts'
import type { Cookies } from '../browser/cookies.ts'

/** The log-ins that one browser may have begun at once. More cookies could make its requests too large. */
const BEGUN_MAX = 8

/**
 * The Set-Cookie lines that bind a log-in to its browser. Each has a cookie of its own, so that several tabs can log in
 * at once. The oldest ones go if there are too many.
 */
export function begunCookies(
  cookies: Cookies,
  request: Request,
  { state, sealed }: Begun,
): readonly string[] {
  const others = cookies.begun(request).filter(isState)
  const old = others.slice(0, Math.max(0, others.length + 1 - BEGUN_MAX))
  return [
    ...old.map((each) => cookies.clear(`upstream.${each}`)),
    cookies.set(`upstream.${state}`, sealed, TRANSACTION_MS / 1000),
  ]
}

/** Reads the log-in of a state that this browser has begun, and the Set-Cookie lines that end it. */
export function readBegun(
  { cookies, upstream }: { readonly cookies: Cookies; readonly upstream: UpstreamServices },
  request: Request,
  state: string,
): { readonly transaction: UpstreamTransaction | undefined; readonly ended: readonly string[] } {
  // Only a state has the characters of a name of a cookie.
  if (!isState(state)) return { transaction: undefined, ended: [] }
  const cookie = cookies.read(request, `upstream.${state}`)
  const sealed = cookie.ok ? cookie.value : undefined
  const ended = sealed === undefined ? [] : [cookies.clear(`upstream.${state}`)]
  return { transaction: readTransaction(upstream, state, sealed), ended }
}
