import type { EpochMs } from '../base/clock.ts'
import type { RefreshAttempt, RotationDecision, SessionState } from '../store/refresh.ts'
import { whyOver } from './standing.ts'

/** The conditions of the rotation rule besides the session. Times are in milliseconds. */
export interface RotationConditions {
  readonly now: EpochMs
  readonly graceMs: number
  /** When this authority last started. A client may repeat a request whose answer was lost in a restart. */
  readonly startedAt: EpochMs
  /** Whether a session continues from a genuine newer token if the store lost its last write. */
  readonly healing: 'accept' | 'refuse'
}

/**
 * Decides what happens to a presented refresh token. Pure: reads no clock and no store. The caller has
 * verified that the authority made the token from this row.
 *
 * Two tabs that refresh together are far more common than a thief, so the immediate predecessor gets the same
 * successor again within the grace. Any older token was copied, so the session ends (RFC 9700 §4.14.2). A
 * token one generation ahead means that the store lost its last write; the signature proves that the
 * authority issued it.
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
 * Whether less than the grace has passed since the rotation or since the start. Each time is compared
 * separately. Otherwise, after the clock was set back, a start in the future would hide every later rotation,
 * and two tabs would end their session until the clock catches up. A time that is ahead by more than the
 * grace does not count.
 */
function isYoung(rotatedAt: EpochMs, { now, graceMs, startedAt }: RotationConditions): boolean {
  return Math.abs(now - rotatedAt) < graceMs || Math.abs(now - startedAt) < graceMs
}

/**
 * Whether both requests can be from the same device. A phone can change its address, and a browser can update
 * itself. If both change within seconds, it is another device. An unknown value proves nothing.
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
