import { isSameChain, JUMP_POSITIONS, type LogHead } from '@countersign/guard/revocations'

import type { EpochMs } from '../base/clock.ts'
import type { Revocation } from './rows.ts'

/**
 * Entries that a log once had, as our own signed batches say: they follow each other and `start`, and
 * their chain values were computed from it.
 */
export interface LossEvidence {
  readonly start: LogHead
  readonly entries: readonly Revocation[]
  /** The newest entry's head, or `start`. */
  readonly tip: LogHead
  /** When the newest batch was signed, in milliseconds since 1970 by our own clock. */
  readonly signedAt: number
}

/** What a store knows of its own log, for {@link decideRepair}. All from one snapshot. */
export interface LogKnowledge {
  readonly head: LogHead
  /** The chain value at a position; undefined for one that the log does not have. */
  chainAt(position: number): Uint8Array | undefined
  /** Whether this head belongs to a branch that was lost and has been repaired already. */
  isSettled(head: LogHead): boolean
  /** When everybody was last made to sign in again, in milliseconds since 1970; 0 for never. */
  readonly startedOverAt: number
}

/** What the store must do about evidence. */
export type RepairDecision =
  /** Nothing is lost, or it was mended before. */
  | { readonly kind: 'nothing' }
  /**
   * The lost entries are known and are written again. `jumpsFrom` is where the branches part: the head
   * jumps and our own entries from there on are written again too; undefined where that was done before.
   */
  | {
      readonly kind: 'rejoin'
      readonly jumpsFrom: number | undefined
      readonly jumps: number
      readonly lost: readonly Revocation[]
    }
  /** What was lost is not known in full: the head jumps, and everybody signs in again. */
  | { readonly kind: 'start_over'; readonly jumps: number }
  /** The head would have to move by more than a jump: an operator must look. */
  | { readonly kind: 'too_far' }

/**
 * Decides what evidence of a lost log means. Pure. A jump lands above everything that was lost, so no
 * position ever means two things to anybody who stays connected.
 */
export function decideRepair(evidence: LossEvidence, known: LogKnowledge): RepairDecision {
  const { start, entries, tip, signedAt } = evidence
  if (isKnown(tip, known) || known.isSettled(tip)) return NOTHING
  // From before everybody signed in again: nothing of it can be taken back any more.
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

/**
 * How many jumps bring a head above a position: one, unless what was lost had jumped itself.
 */
export function jumpsAbove(position: number, head: number): number {
  return Math.max(1, Math.floor((position - head) / JUMP_POSITIONS) + 1)
}

/** More than that and the evidence is of another world: an operator must look. */
export const JUMPS_MAX = 3

const NOTHING: RepairDecision = { kind: 'nothing' }

function isKnown({ position, chain }: LogHead, known: LogKnowledge): boolean {
  return isSameChain(known.chainAt(position), chain)
}

/** What came of a repair: counts only. */
export interface RepairOutcome {
  readonly kind: RepairDecision['kind']
  /** The head afterwards. */
  readonly position: number
  /** How many lost entries were written again. */
  readonly recovered: number
}

/** On whose behalf a log is mended. */
export interface RepairBy {
  /** The subject of an entry that ends everything. */
  readonly issuer: string
  readonly at: EpochMs
  /** See `AuditEntry.actor`. */
  readonly actor: string
}
