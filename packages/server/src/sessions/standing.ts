import type { EpochMs } from '../base/clock.ts'
import type { SessionState } from '../store/refresh.ts'

/**
 * Why nothing of this session is taken any more; undefined while it lives. Pure: the first line of the
 * rotation table, and the rule for every other use of a session.
 */
export function whyOver(
  { session, accountDisabled, accountHardPosition }: SessionState,
  now: EpochMs,
): 'session_ended' | 'session_expired' | 'account_disabled' | undefined {
  if (session.endedAt !== undefined) return 'session_ended'
  if (now >= session.expiresAt) return 'session_expired'
  if (accountDisabled) return 'account_disabled'
  return accountHardPosition > session.signedInPosition ? 'session_ended' : undefined
}
