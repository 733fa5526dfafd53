import { isSameChain, JUMP_POSITIONS, type LogHead } from '@countersign/guard/revocations'

import type { EpochMs } from '../base/clock.ts'
import type { Revocation } from './rows.ts'

/**
 * Entries that a log once had, taken from batches that we signed ourselves. They follow `start` and each other, and
 * their chain values were computed from `start`.
 */
export interface LossEvidence {
  readonly start: LogHead
  readonly entries: readonly Revocation[]
  /** The newest entry's head, or `start`. */
  readonly tip: LogHead
  /** When the newest batch was signed, in milliseconds since 1970 by our own clock. */
  readonly signedAt: number
}

/** The facts about a store's own log that {@link decideRepair} needs. All come from one snapshot. */
export interface LogKnowledge {
  readonly head: LogHead
  /** Where the kept part of the log begins: older entries were pruned. */
  readonly oldest: LogHead
  /** The chain value at a position; undefined where the log has no such position, or has pruned it. */
  chainAt(position: number): Uint8Array | undefined
  /** Whether this head belongs to a branch that was lost and has been repaired already. */
  isSettled(head: LogHead): boolean
  /** When everybody last had to sign in again, in milliseconds since 1970; 0 for never. */
  readonly startedOverAt: number
}

/** The action that evidence asks for. */
export type RepairDecision =
  /** Nothing is lost, or it was repaired before, or it is too old to matter. */
  | { readonly kind: 'nothing' }
  /**
   * The lost entries are known and are written again. `jumpsFrom` is the position where the branches part: the head
   * jumps, and our own entries from there on are written again too. It is undefined where that was done before.
   */
  | {
      readonly kind: 'rejoin'
      readonly jumpsFrom: number | undefined
      readonly jumps: number
      readonly lost: readonly Revocation[]
    }
  /** The lost entries are not known in full: the head jumps, and everybody signs in again. */
  | { readonly kind: 'start_over'; readonly jumps: number }
  /** The head would have to move by more than {@link JUMPS_MAX} jumps: an operator must look. */
  | { readonly kind: 'too_far' }

/**
 * Decides what evidence of a lost log means. Pure. A jump lands above everything that was lost, so no position ever means
 * two things to anybody who stays connected.
 *
 * Evidence that ends below the oldest kept entry changes nothing. Where it is true that entries were lost there, then our
 * log has grown past them since, and an entry that was written after the loss is old enough to be pruned. By the rule of
 * `RevocationStore.prune`, every token and session from before the loss has expired by now. Without this line, a guard
 * that was away for a long time would make everybody sign in again.
 */
export function decideRepair(evidence: LossEvidence, known: LogKnowledge): RepairDecision {
  if (evidence.tip.position < known.oldest.position) return NOTHING
  const { start, entries, tip, signedAt } = keptPart(evidence, known.oldest)
  if (isKnown(tip, known) || known.isSettled(tip)) return NOTHING
  // From before everybody signed in again: no token and no session of that time is left to be revoked.
  if (signedAt <= known.startedOverAt) return NOTHING
  const jumps = jumpsAbove(tip.position, known.head.position)
  if (jumps > JUMPS_MAX) return { kind: 'too_far' }
  const isNew = (head: LogHead): boolean => !isKnown(head, known) && !known.isSettled(head)
  if (isNew(start)) return { kind: 'start_over', jumps }
  const first = entries.findIndex(isNew)
  const join = entries[first - 1] ?? start
  return {
    kind: 'rejoin',
    jumpsFrom: known.isSettled(join) ? undefined : join.position,
    jumps,
    lost: entries.slice(first),
  }
}

/** Leaves out what lies below the oldest kept entry: our log has nothing to compare it with. */
function keptPart(evidence: LossEvidence, oldest: LogHead): LossEvidence {
  const { start, entries } = evidence
  if (start.position >= oldest.position) return evidence
  const index = entries.findLastIndex(({ position }) => position <= oldest.position)
  const begin = entries[index]
  return begin === undefined
    ? evidence
    : { ...evidence, start: begin, entries: entries.slice(index + 1) }
}

/** How many jumps bring a head above a position: one, unless the lost branch had jumped itself. */
export function jumpsAbove(position: number, head: number): number {
  return Math.max(1, Math.floor((position - head) / JUMP_POSITIONS) + 1)
}

/** The most jumps that a repair makes by itself. Evidence that asks for more is implausible: an operator must look. */
export const JUMPS_MAX = 3

const NOTHING: RepairDecision = { kind: 'nothing' }

function isKnown({ position, chain }: LogHead, known: LogKnowledge): boolean {
  return isSameChain(known.chainAt(position), chain)
}

/** The result of a repair: counts only. */
export interface RepairOutcome {
  /** `head_moved`: the log has moved since its head was read, and nothing was done. */
  readonly kind: RepairDecision['kind'] | 'head_moved'
  /** The head afterwards. */
  readonly position: number
  /** How many lost entries were written again. */
  readonly recovered: number
}

/** On whose behalf a log is repaired. */
export interface RepairBy {
  /** The subject of an entry that ends everything. */
  readonly issuer: string
  readonly at: EpochMs
  /** See `AuditEntry.actor`. */
  readonly actor: string
}
