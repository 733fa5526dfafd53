import type { RefreshOutcome, RefreshRules } from '../store/refresh.ts'
import { decideRotation } from './decide-rotation.ts'
import { grant } from './grant.ts'
import { refuse, type Caller, type Granted, type Refusal, type SessionParts } from './parts.ts'
import { RefreshQueue } from './refresh-queue.ts'
import { isGenuineJti } from './refresh-token.ts'

/** Exchanges a refresh token: verify it, one atomic step in the store, mint. */
export type Refresher = (
  token: string,
  caller: Caller,
  wanted?: RefreshWanted,
) => Promise<Granted | Refusal>

/** What a refresh asks for beside the next pair. */
export interface RefreshWanted {
  /** The tenant to be in from now on; null for none, undefined to stay. */
  readonly tenant?: { readonly id: string } | null | undefined
  /** The access token goes into a cookie, and names the session's CSRF token. */
  readonly forCookies?: boolean
}

export function createRefresher(parts: SessionParts): Refresher {
  const queue = new RefreshQueue(parts.store.sessions, () => rulesNow(parts))
  return async (token, caller, wanted = {}) => {
    const verified = parts.verifyRefresh(token)
    if (!verified.ok) return refuse(verified.code)
    const { sid, gen, jti } = verified.claims
    const { address, userAgent } = caller
    const { tenant } = wanted
    const attempt = { sessionId: sid, generation: gen, jti, address, userAgent, tenant }
    const pending = queue.submit(attempt)
    if (pending === undefined) return refuse('refresh_queue_full')
    return answer(parts, sid, caller, wanted, await pending)
  }
}

function rulesNow({ clock, rotation, ring }: SessionParts): RefreshRules {
  const now = clock.nowMs()
  const { graceMs, startedAt, healing } = rotation
  return {
    now,
    idleMs: rotation.idleMs,
    refreshKid: ring.refreshKid,
    rotates: rotation.rotates,
    decide: (state, attempt) =>
      decideRotation(state, attempt, { now, graceMs, startedAt, healing }),
    isGenuine: isGenuineJti,
  }
}

async function answer(
  parts: SessionParts,
  sessionId: string,
  caller: Caller,
  wanted: RefreshWanted,
  outcome: RefreshOutcome,
): Promise<Granted | Refusal> {
  switch (outcome.kind) {
    case 'refused':
      return refuse(outcome.code)
    case 'ending':
      // In a transaction of its own: the batch that found it stays short, and takes no counter.
      await parts.store.sessions.end(
        sessionId,
        { event: outcome.code },
        { at: parts.clock.nowMs(), actor: 'anonymous', address: caller.address },
      )
      return refuse(outcome.code)
    case 'rotated':
    case 'healed':
    case 'repeated':
    case 'kept':
      return grant(
        parts,
        { ...outcome, now: parts.clock.nowMs() },
        { withRefresh: parts.rotation.rotates, forCookies: wanted.forCookies },
      )
  }
}
