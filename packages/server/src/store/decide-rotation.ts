import type { EpochMs } from '../base/clock.ts'
import type { RefreshAttempt, RefreshRules, RotationDecision, SessionState } from './refresh.ts'
import type { Session } from './rows.ts'
import { whyOver } from './standing.ts'

/** The conditions by which an older generation is dated. Times are in milliseconds. */
export interface GraceConditions extends Pick<RefreshRules, 'graceMs' | 'startedAt'> {
  readonly now: EpochMs
}

/** The conditions of the rotation rule besides the session. Times are in milliseconds. */
export interface RotationConditions extends GraceConditions, Pick<RefreshRules, 'healing'> {}

/** The part of a row by which its older generations are dated. */
export type Rotated = Pick<Session, 'generation' | 'rotatedAt' | 'grace'>

/**
 * Decides what happens to a presented refresh token. Pure: reads no clock and no store. The caller has
 * verified that the authority made the token from this row.
 *
 * Tabs that refresh together are far more common than a thief, and their requests form chains: 0, 1, 2, then
 * a late 0. So every predecessor gets the newest successor again while it is young. An older one was copied:
 * the session ends (RFC 9700 §4.14.2). A young one from another device gets nothing, but it ends nothing
 * either: a server that renders a page often refreshes beside the page itself.
 *
 * A token one generation ahead means that the store lost its last write; the signature proves that the
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
  if (ahead < 0 && isYoung(session, presented.generation, conditions)) {
    return isSameDevice(session, presented)
      ? { kind: 'repeat' }
      : { kind: 'refuse', code: 'refresh_elsewhere' }
  }
  if (ahead === 1 && conditions.healing === 'accept') return { kind: 'heal' }
  return { kind: 'end', code: ahead < 0 ? 'refresh_reused' : 'refresh_ahead' }
}

/**
 * Whether less than the grace has passed since this predecessor was rotated. In the first moments after a
 * start, whether that was so at the last rotation: a client may repeat a request whose answer the restart
 * swallowed. Each time is measured by itself. After the clock was set back, a start in the future would
 * otherwise hide every later rotation, and two tabs would end their session until the clock catches up. A
 * time further ahead than the grace is not young.
 */
export function isYoung(
  rotated: Rotated,
  generation: number,
  { now, graceMs, startedAt }: GraceConditions,
): boolean {
  const rotatedAt = whenRotated(rotated, generation)
  if (rotatedAt === undefined) return false
  const isWithin = (one: EpochMs, other: EpochMs): boolean => Math.abs(one - other) < graceMs
  return (
    isWithin(now, rotatedAt) || (isWithin(now, startedAt) && isWithin(rotated.rotatedAt, rotatedAt))
  )
}

/**
 * When a predecessor was rotated; undefined if it was longer ago than the row knows. Exact for the newest
 * predecessor and for the first one of a window. Otherwise the last rotation of the window, which is
 * less than a grace later. So a predecessor is never refused too early, and none is accepted for more than
 * twice the grace, however long a chain goes on.
 */
function whenRotated(
  { generation: current, rotatedAt, grace }: Rotated,
  generation: number,
): EpochMs | undefined {
  if (generation === current - 1) return rotatedAt
  if (generation === grace.generation) return grace.beganAt
  if (generation > grace.generation) return rotatedAt
  // The first one of the window before is left out: the newest window began a grace after it.
  return generation > grace.priorGeneration ? grace.priorRotatedAt : undefined
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
