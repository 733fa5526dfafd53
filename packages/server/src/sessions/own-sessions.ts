import { limits } from '../base/limits.ts'
import type { SessionState } from '../store/refresh.ts'
import type { AuditContext } from '../store/audit-context.ts'
import type { SessionSummary } from '../store/store.ts'
import { countTry } from './count-try.ts'
import { grantAfterwards } from './grant.ts'
import {
  refuse,
  type Caller,
  type Granted,
  type Refusal,
  type SessionServices,
} from './services.ts'

/** The session behind a request, and the access token that proved it. */
export interface CurrentSession {
  readonly state: SessionState
  /** Whether the access token came in a cookie. */
  readonly isCookie: boolean
  /** When that access token expires, in seconds since 1970. */
  readonly expSec: number
  /** The thumbprint of the key that the access token is bound to. */
  readonly jkt?: string | undefined
}

/**
 * The session continues after a revocation that covers its own access token. `renewed` has its new access
 * token. It is undefined if the session has ended meanwhile, or if no token can be signed now. In the second
 * case a refresh returns a new token later.
 */
export interface Renewed {
  readonly ok: true
  readonly renewed: Granted | undefined
}

/** A request to revoke that succeeded. */
export interface Revoking {
  readonly ok: true
  /** Whether it wrote an entry of the revocation log. */
  readonly hasRevoked: boolean
}

/** Lists the account's live sessions, newest first, at most `limits.sessionsListedMax`. */
export async function listOwnSessions(
  { store }: SessionServices,
  { account }: SessionState,
): Promise<readonly SessionSummary[]> {
  return store.sessions.list({
    accountId: account.id,
    limit: limits.sessionsListedMax,
    live: true,
  })
}

/** Logs out: ends the current session. Returns `unchanged` if it has already ended. */
export async function endCurrentSession(
  services: SessionServices,
  { account, session }: SessionState,
  caller: Caller,
): Promise<'changed' | 'unchanged'> {
  const context = auditContextOf(services, account.id, caller)
  const change = await services.store.sessions.end(session.id, { event: 'logout' }, context)
  return change === 'changed' ? change : 'unchanged'
}

/**
 * Ends one of the account's own sessions. Returns `not_found` for an unknown id and for a session of
 * another account, so that the answer does not reveal whether an id exists. `hasRevoked` is false if the
 * session had already ended.
 */
export async function endOwnSession(
  services: SessionServices,
  { account }: SessionState,
  sessionId: string,
  caller: Caller,
): Promise<Revoking | Refusal> {
  const { sessions } = services.store
  const other = await sessions.state(sessionId)
  if (other === undefined || other.account.id !== account.id) return refuse('not_found')
  const context = auditContextOf(services, account.id, caller)
  const change = await sessions.end(sessionId, { event: 'session_ended' }, context)
  return { ok: true, hasRevoked: change === 'changed' }
}

// Each call writes a log entry that every guard receives. So 10 calls are allowed at once, then one every 10
// s.
const END_RATE = { triesMax: 10, intervalMs: 10_000 } as const

/**
 * Ends all other sessions of the account, or all of them, with one log entry. After `others` the current
 * session gets a new access token, because the entry also revokes its old token.
 */
export async function endOwnSessions(
  services: SessionServices,
  current: CurrentSession,
  which: 'others' | 'all',
  caller: Caller,
): Promise<Renewed | Refusal> {
  const { account, session } = current.state
  // Counted by session, so a thief with another session of the account cannot use up the attempts of its
  // owner.
  const throttled = await countTry(services, [{ key: `end:${session.id}`, ...END_RATE }])
  if (throttled !== undefined) return throttled
  await services.store.accounts.endSessions(
    account.id,
    which === 'others' ? session.id : undefined,
    auditContextOf(services, account.id, caller),
  )
  return which === 'others' ? renew(services, current) : { ok: true, renewed: undefined }
}

/** Mints the access token that the current session needs after it revoked its old token. */
export async function renew(
  services: SessionServices,
  { state, isCookie, expSec, jkt }: CurrentSession,
): Promise<Renewed> {
  const { id } = state.session
  const renewed = await grantAfterwards(services, id, { expSec, forCookies: isCookie, jkt })
  return { ok: true, renewed }
}

/** Makes the audit context of a change whose actor is the account itself. */
export function auditContextOf(
  { clock }: SessionServices,
  accountId: string,
  { address }: Caller,
): AuditContext {
  return { at: clock.nowMs(), actor: accountId, address }
}
