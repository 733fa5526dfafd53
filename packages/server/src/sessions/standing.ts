import type { SessionState } from '../store/refresh.ts'

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
}: SessionState): 'session_ended' | 'account_disabled' | undefined {
  if (session.endedAt !== undefined) return 'session_ended'
  if (accountDisabled) return 'account_disabled'
  if (tenantDisabled) return 'session_ended'
  const takenBackAt = Math.max(accountHardPosition, tenantHardPosition)
  return takenBackAt > session.signedInPosition ? 'session_ended' : undefined
}
