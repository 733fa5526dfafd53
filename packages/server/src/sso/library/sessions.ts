import type { Provider } from 'oidc-provider'

import { toEpochSec } from '../../base/clock.ts'
import type { SessionServices } from '../../sessions/services.ts'
import { readLiveSession } from './accounts.ts'
import { factsOf } from './facts.ts'

/**
 * Makes the session of the browser's cookies decide who signs in at an application.
 *
 * The library keeps a session of its own behind a cookie that pages of other sites send. It only points to ours, for the
 * moment in which our cookies are hidden: when another site opens the server, browsers leave out the strict cookie.
 * Whenever our cookies show another session, the pointer is made again, with a new id (session fixation).
 */
export function overrideSessions({ Session }: Provider, services: SessionServices): void {
  const get = Session.get.bind(Session)
  Session.get = async (context) => {
    const session = await get(context)
    const { sessionId } = factsOf(context)
    if (sessionId === undefined || session.accountId === sessionId) return session
    const state = await readLiveSession(services, sessionId)
    if (state === undefined) return session
    const { authenticatedAt, amr, acr } = state.session
    const fresh = Session.instantiate({
      accountId: sessionId,
      loginTs: toEpochSec(authenticatedAt),
      amr,
      acr,
    })
    context.oidc.entity('Session', fresh)
    return fresh
  }
}

/** Makes the check for replays one atomic step. The library would look first and write afterwards. */
export function overrideReplays({ ReplayDetection }: Provider, { store }: SessionServices): void {
  ReplayDetection.unique = async (iss, jti, expSec) => {
    const leftMs = Math.max(1_000, expSec * 1000 - Date.now())
    return store.consume('sso_proof', JSON.stringify([iss, jti]), store.clock.nowMs() + leftMs)
  }
}
