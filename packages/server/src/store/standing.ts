import type { SessionState } from './refresh.ts'
import type { Session } from './rows.ts'
import type { ClientView } from './store.ts'

/**
 * Returns why all tokens of this session are refused, whatever their age. Returns undefined while the session
 * stands. Pure. This is the first line of the rotation table, and the rule for every other use of a session.
 * Expiry is not checked here, because each token has its own expiry, and a row that lost its last write may
 * lag behind it.
 */
export function whyOver({
  session,
  accountDisabled,
  accountHardPosition,
  tenantDisabled,
  tenantHardPosition,
  refreshKeyKilled,
}: SessionState): 'session_ended' | 'account_disabled' | undefined {
  if (session.endedAt !== undefined || refreshKeyKilled) return 'session_ended'
  if (accountDisabled) return 'account_disabled'
  if (tenantDisabled) return 'session_ended'
  return isRevokedWithAccount(session, accountHardPosition) ||
    tenantHardPosition > session.signedInPosition
    ? 'session_ended'
    : undefined
}

/** Whether the session ended when all sessions of its account were revoked. Pure. */
export function isRevokedWithAccount(
  { signedInPosition, survivedPosition }: Pick<Session, 'signedInPosition' | 'survivedPosition'>,
  accountHardPosition: number,
): boolean {
  return accountHardPosition > Math.max(signedInPosition, survivedPosition)
}

/**
 * Whether an access token was revoked with all tokens of its account although its session survived. Only the
 * device of the session got a new token. `rvp` is the position at which the token was minted. Pure.
 */
export function isOutlived({ accountHardPosition }: SessionState, rvp: number): boolean {
  return accountHardPosition > rvp
}

/**
 * Returns why a token of a service account is refused. Returns undefined if it is accepted. Pure. `rvp` is
 * the position at which the token was minted. It is compared because there is no session.
 */
export function whyClientOver(
  { client, tenantDisabled, tenantHardPosition }: ClientView,
  rvp: number,
): 'token_invalid' | 'account_disabled' | 'session_ended' | undefined {
  if (client === undefined) return 'token_invalid'
  if (client.disabledAt !== undefined) return 'account_disabled'
  if (tenantDisabled) return 'session_ended'
  return Math.max(client.hardPosition, tenantHardPosition) > rvp ? 'session_ended' : undefined
}
