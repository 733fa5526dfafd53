import { isOwnAccountId } from '../accounts/source.ts'
import type {
  RefreshAttempt,
  RefreshOutcome,
  RefreshRules,
  SessionState,
} from '../store/refresh.ts'
import type { Tenant } from '../store/rows.ts'
import { withCurrentAccount } from './current-account.ts'
import { FACTOR_FOR_TENANT, lacksFactor } from './enforce-factors.ts'
import { grant } from './grant.ts'
import {
  refuse,
  type Caller,
  type Granted,
  type Refusal,
  type SessionServices,
} from './services.ts'
import { isGenuineJti } from '../store/refresh-jti.ts'
import { whyOver } from '../store/standing.ts'

/** Exchanges a refresh token: verifies it, takes one atomic step in the store, and mints the next pair. */
export type Refresher = (
  token: string,
  caller: Caller,
  wanted?: RefreshWanted,
) => Promise<Granted | Refusal>

/** The options of a refresh. */
export interface RefreshWanted {
  /** The name of the tenant that the session moves to. Null leaves the tenant, undefined changes nothing. */
  readonly tenantName?: string | null | undefined
  /** Whether the access token goes into a cookie. It then contains the hash of the session's CSRF token. */
  readonly forCookies?: boolean
}

/** Creates the refresher. Refreshes that arrive together share one transaction. */
export function createRefresher(services: SessionServices): Refresher {
  const rules = createRules(services)
  return async (token, caller, wanted = {}) => {
    const verified = services.verifyRefresh(token)
    if (!verified.ok) return refuse(verified.code)
    // A thief of a bound token does not have its key. The session continues.
    const jkt = verified.claims.cnf?.jkt
    if (jkt !== undefined && jkt !== caller.jkt) return refuse('dpop_proof_invalid')
    // After the token was verified. Otherwise anybody could find out which tenants exist.
    const tenant = await findWantedTenant(services, wanted)
    if (tenant === 'unknown') return refuse('tenant_forbidden')
    const { sub, sid, gen, jti } = verified.claims
    if (tenant?.name !== undefined && (await needsFactorFor(services, sid, tenant))) {
      return FACTOR_FOR_TENANT
    }
    const { address, userAgent } = caller
    // The account belongs to an application that no longer keeps the accounts, so its current state is
    // unknown.
    if (services.source === undefined && !isOwnAccountId(sub)) return refuse('account_disabled')
    const asked = services.source && (await askSource(services, sid, { generation: gen, jti }))
    if (asked?.ok === false) return asked
    const attempt = { sessionId: sid, generation: gen, jti, address, userAgent, tenant }
    const outcome = await services.store.sessions.refresh(attempt, rules())
    // A token that was not bound at the login stays so: the caller has sent it without a proof before.
    return answer(services, sid, { ...caller, jkt }, wanted, current(outcome, asked?.state))
  }
}

/** Finds the tenant that a refresh names. An unknown tenant is refused like a tenant without membership. */
async function findWantedTenant(
  { store }: SessionServices,
  { tenantName }: RefreshWanted,
): Promise<Tenant | null | undefined | 'unknown'> {
  if (tenantName === undefined || tenantName === null) return tenantName
  return (await store.tenants.find(tenantName)) ?? 'unknown'
}

/**
 * Whether a session must step up before it moves to a tenant. Asked before the move: afterwards, the session would end
 * at its next refresh.
 */
async function needsFactorFor(
  services: SessionServices,
  sessionId: string,
  { id, name }: Tenant,
): Promise<boolean> {
  const { everyone, roles, tenants } = services.factors
  if (!everyone && roles.length === 0 && tenants.length === 0) return false
  const state = await services.store.sessions.state(sessionId)
  if (state === undefined || state.session.secondFactor !== 'none') return false
  const memberships = await services.store.tenants.membershipsOf(state.account.id)
  const membership = memberships.find(({ tenantId }) => tenantId === id)
  // Whoever is no member is refused by the store, and learns nothing about the tenant.
  if (membership === undefined) return false
  const subject = {
    roles: state.account.roles,
    tenantName: name,
    tenantRoles: membership.roles,
  }
  return lacksFactor(services, state.session, subject)
}

/**
 * Asks the application about the session's account, before the atomic step. The position is read first, then
 * the application is asked, then the store decides. The store refuses a session that was revoked meanwhile.
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
 * Puts the application's answer into the outcome. The token then gets the position that was read before the
 * application was asked. With the store's later position, a change in between would look older than the
 * token, although the token does not contain it.
 */
function current(outcome: RefreshOutcome, asked: SessionState | undefined): RefreshOutcome {
  if (asked === undefined || !('account' in outcome)) return outcome
  const { account, position } = asked
  return { ...outcome, account, position: Math.min(position, outcome.position) }
}

/**
 * Returns the function that gives the rules of the store. It gives the same object until the refresh key changes: many
 * refreshes then travel to the store with one copy of the rules.
 */
function createRules({ rotation, ring }: SessionServices): () => RefreshRules {
  let rules: RefreshRules | undefined
  return () => {
    const { refreshKid } = ring
    if (rules?.refreshKid === refreshKid) return rules
    const { idleMs, graceMs, rotates, startedAt, healing } = rotation
    rules = { idleMs, graceMs, rotates, startedAt, healing, refreshKid }
    return rules
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
      // Ended in a separate transaction, so that the batch stays short and does not lock the log's counter.
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
      if (await lacksFactor(services, outcome.session, outcome.account)) {
        await services.store.sessions.end(
          sessionId,
          { event: 'session_ended', detail: 'second_factor' },
          { at: services.clock.nowMs(), actor: 'system', address: caller.address },
        )
        return refuse('session_ended')
      }
      return grant(
        services,
        { ...outcome, jkt: caller.jkt },
        { withRefresh: services.rotation.rotates, forCookies: wanted.forCookies },
      )
  }
}
