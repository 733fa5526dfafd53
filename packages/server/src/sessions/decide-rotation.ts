import type { EpochMs } from '../base/clock.ts'
import type { RefreshAttempt, RotationDecision, SessionState } from '../store/refresh.ts'
import { whyOver } from './standing.ts'

/** What the rule needs beside the session. Times in milliseconds. */
export interface RotationConditions {
  readonly now: EpochMs
  readonly graceMs: number
  /** When this authority last started: an answer that a restart swallowed can still be asked for again. */
  readonly startedAt: EpochMs
  /** Whether a store that lost its last write may continue from a token that it signed. */
  readonly healing: 'accept' | 'refuse'
}

/**
 * Decides what a presented refresh token earns. Pure: reads no clock, touches no store. The caller
 * has proved that the token is ours and was made from this row.
 *
 * Two tabs refreshing together are far more common than a thief, so the immediate predecessor earns
 * the same successor again while it is young. Any older one was copied: the session ends
 * (RFC 9700 §4.14.2). One generation ahead means that the store lost its last write; our own
 * signature proves that we issued it.
 */
export function decideRotation(
  state: SessionState,
  presented: Pick<RefreshAttempt, 'generation' | 'address' | 'userAgent'>,
  conditions: RotationConditions,
): RotationDecision {
  const { session } = state
  const over = whyOver(state)
  if (over !== undefined) return { kind: 'refuse', code: over }
  if (conditions.now >= session.expiresAt) return { kind: 'refuse', code: 'session_expired' }

  const ahead = presented.generation - session.generation
  if (ahead === 0) return { kind: 'rotate' }
  if (ahead === -1 && isYoung(session.rotatedAt, conditions) && isSameDevice(session, presented)) {
    return { kind: 'repeat' }
  }
  if (ahead === 1 && conditions.healing === 'accept') return { kind: 'heal' }
  return { kind: 'end', code: ahead < 0 ? 'refresh_reused' : 'refresh_ahead' }
}

/**
 * Under the grace from the rotation or from the start, whichever came later. Each is measured by
 * itself: with the clock set back, a start that seems to lie ahead would otherwise hide every rotation
 * after it, and two tabs would end their session until the clock has caught up. What seems to lie
 * further ahead than the grace is not young.
 */
function isYoung(rotatedAt: EpochMs, { now, graceMs, startedAt }: RotationConditions): boolean {
  return Math.abs(now - rotatedAt) < graceMs || Math.abs(now - startedAt) < graceMs
}

/**
 * A phone changes its address and a browser updates itself; both at once within seconds is another
 * device. What is not known on either side says nothing.
 */
function isSameDevice(
  session: { readonly address: string; readonly userAgent: string },
  presented: { readonly address: string; readonly userAgent: string },
): boolean {
  const sameAddress = session.address === presented.address
  const sameAgent = session.userAgent === presented.userAgent
  if (sameAddress && sameAgent) return true
  return (sameAddress && session.address !== '') || (sameAgent && session.userAgent !== '')
}
