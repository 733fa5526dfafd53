import { isOwnAccountId } from '../accounts/source.ts'
import type {
  RefreshAttempt,
  RefreshOutcome,
  RefreshRules,
  SessionState,
} from '../store/refresh.ts'
import { withCurrentAccount } from './current-account.ts'
import { decideRotation } from './decide-rotation.ts'
import { grant } from './grant.ts'
import {
  refuse,
  type Caller,
  type Granted,
  type Refusal,
  type SessionServices,
} from './services.ts'
import { RefreshQueue } from './refresh-queue.ts'
import { isGenuineJti } from './refresh-token.ts'
import { whyOver } from './standing.ts'

/** Exchanges a refresh token: verify it, one atomic step in the store, mint. */
export type Refresher = (
  token: string,
  caller: Caller,
  wanted?: RefreshWanted,
) => Promise<Granted | Refusal>

/** What a refresh asks for beside the next pair. */
export interface RefreshWanted {
  /** The name of the tenant to be in from now on; null for none, undefined to stay. */
  readonly tenantName?: string | null | undefined
  /** The access token goes into a cookie, and names the session's CSRF token. */
  readonly forCookies?: boolean
}

export function createRefresher(services: SessionServices): Refresher {
  const queue = new RefreshQueue(services.store.sessions, () => rulesNow(services))
  return async (token, caller, wanted = {}) => {
    const tenant = await findWantedTenant(services, wanted)
    if (tenant === 'unknown') return refuse('tenant_forbidden')
    const verified = services.verifyRefresh(token)
    if (!verified.ok) return refuse(verified.code)
    const { sub, sid, gen, jti } = verified.claims
    const { address, userAgent } = caller
    // Of an application that does not keep the accounts any more: nobody knows what they are now.
    if (services.source === undefined && !isOwnAccountId(sub)) return refuse('account_disabled')
    const asked = services.source && (await askSource(services, sid, { generation: gen, jti }))
    if (asked?.ok === false) return asked
    const attempt = { sessionId: sid, generation: gen, jti, address, userAgent, tenant }
    const pending = queue.submit(attempt)
    if (pending === undefined) return refuse('refresh_queue_full')
    return answer(services, sid, caller, wanted, current(await pending, asked?.state))
  }
}

/** The tenant that a refresh names. A tenant that does not exist is refused like one without membership. */
async function findWantedTenant(
  { store }: SessionServices,
  { tenantName }: RefreshWanted,
): Promise<RefreshAttempt['tenant'] | 'unknown'> {
  if (tenantName === undefined || tenantName === null) return tenantName
  return (await store.tenants.find(tenantName)) ?? 'unknown'
}

/**
 * What the application says of the session's account, before the atomic step: the position is read, then
 * the application is asked, then the store decides, which refuses what was taken back meanwhile.
 */
async function askSource(
  services: SessionServices,
  sessionId: string,
  presented: Pick<RefreshAttempt, 'generation' | 'jti'>,
): Promise<{ readonly ok: true; readonly state: SessionState } | Refusal> {
  const read = await services.store.sessions.state(sessionId)
  if (read === undefined) return refuse('session_unknown')
  if (!isGenuineJti(read.session, presented)) return refuse('token_invalid')
  const state = await withCurrentAccount(services, read)
  const over = whyOver(state)
  return over === undefined ? { ok: true, state } : refuse(over)
}

/**
 * The outcome with the account as the application said it is. The token then gets the position that was
 * read before that, the smaller one: with the store's own, a change that came between would look older than
 * the token that does not know of it.
 */
function current(outcome: RefreshOutcome, asked: SessionState | undefined): RefreshOutcome {
  if (asked === undefined || !('account' in outcome)) return outcome
  const { account, position } = asked
  return { ...outcome, account, position: Math.min(position, outcome.position) }
}

function rulesNow({ clock, rotation, ring }: SessionServices): RefreshRules {
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
  services: SessionServices,
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
      await services.store.sessions.end(
        sessionId,
        { event: outcome.code },
        { at: services.clock.nowMs(), actor: 'anonymous', address: caller.address },
      )
      return refuse(outcome.code)
    case 'rotated':
    case 'healed':
    case 'repeated':
    case 'kept':
      return grant(
        services,
        { ...outcome, now: services.clock.nowMs() },
        { withRefresh: services.rotation.rotates, forCookies: wanted.forCookies },
      )
  }
}
