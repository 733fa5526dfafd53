import type { SessionState } from '../store/refresh.ts'
import type { Session } from '../store/rows.ts'
import type { ClientView } from '../store/store.ts'

/**
 * Why nothing of this session is taken any more, however young the token; undefined while it lives.
 * Pure: the first line of the rotation table, and the rule for every other use of a session. Expiry is
 * not asked here: each token has its own, and a row that lost its last write may lag behind them.
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

/** Whether the session ended with all of its account. Pure. */
export function isRevokedWithAccount(
  { signedInPosition, survivedPosition }: Pick<Session, 'signedInPosition' | 'survivedPosition'>,
  accountHardPosition: number,
): boolean {
  return accountHardPosition > Math.max(signedInPosition, survivedPosition)
}

/**
 * Whether an access token was taken back with all of its account, though its session lives on: that session
 * was given another one, and only its own device has that. `rvp` is the position that the token was minted at. Pure.
 */
export function isOutlived({ accountHardPosition }: SessionState, rvp: number): boolean {
  return accountHardPosition > rvp
}

/**
 * Why a service account's token is not taken any more, however young; undefined while it is. Pure.
 * `rvp` is the position that the token was minted at: there is no session to compare.
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
