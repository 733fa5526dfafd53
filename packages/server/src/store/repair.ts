import { isSameChain, JUMP_POSITIONS, type LogHead } from '@countersign/guard/revocations/entry'

import type { EpochMs } from '../base/clock.ts'
import type { Revocation } from './rows.ts'

/**
 * Entries that a log once had, from batches that the authority signed. They follow `start` without gaps, and
 * their chain values were computed from `start`.
 */
export interface LossEvidence {
  readonly start: LogHead
  readonly entries: readonly Revocation[]
  /** The head after the newest entry. Equals `start` if there are no entries. */
  readonly tip: LogHead
  /** When the newest batch was signed, in milliseconds since 1970 by the authority's clock. */
  readonly signedAt: number
}

/** The facts about a store's own log that {@link decideRepair} needs. All come from one snapshot. */
export interface LogKnowledge {
  readonly head: LogHead
  /** The head at which the kept part of the log begins. Older entries were pruned. */
  readonly oldest: LogHead
  /**
   * Returns the chain value at a position. Returns undefined if the log does not have the position or has
   * pruned it.
   */
  chainAt(position: number): Uint8Array | undefined
  /** Whether this head belongs to a branch that was lost and has been repaired already. */
  isSettled(head: LogHead): boolean
  /** When everybody last had to log in again, in milliseconds since 1970. 0 means never. */
  readonly startedOverAt: number
  /** The position at which that happened, if its entry is kept. 0 means never. */
  readonly startedOverPosition: number
}

/** The action for some evidence. */
export type RepairDecision =
  /** No entry is lost, or the loss was repaired before, or it is too old to matter. */
  | { readonly kind: 'nothing' }
  /**
   * The lost entries are known and are written again. `jumpsFrom` is the position at which the branches part:
   * the head jumps, and our own entries after it are also written again. It is undefined if that was done
   * before.
   */
  | {
      readonly kind: 'rejoin'
      readonly jumpsFrom: number | undefined
      readonly jumps: number
      readonly lost: readonly Revocation[]
    }
  /** Not all lost entries are known: the head jumps, and everybody must log in again. */
  | { readonly kind: 'start_over'; readonly jumps: number }
  /** The head would have to move by more than {@link JUMPS_MAX} jumps, so an operator must decide. */
  | { readonly kind: 'too_far' }

/**
 * Decides how to repair a log by evidence of lost entries. Pure. A jump ends above all lost positions, so no
 * position has two meanings for a connected guard.
 *
 * Evidence that ends below the oldest kept entry changes nothing. If entries were lost there, our log has
 * since grown past them, and an entry from after the loss was old enough to be pruned. By the rule of
 * `RevocationStore.prune`, every token and session from before the loss has expired. Without this rule, a
 * guard that was disconnected for a long time would make everybody log in again.
 */
export function decideRepair(evidence: LossEvidence, known: LogKnowledge): RepairDecision {
  if (evidence.tip.position < known.oldest.position) return NOTHING
  const { start, entries, tip, signedAt } = keptPart(evidence, known.oldest)
  if (isKnown(tip, known) || known.isSettled(tip)) return NOTHING
  // The evidence is from before everybody had to log in again. No token or session of that time is still
  // valid.
  if (signedAt <= known.startedOverAt) return NOTHING
  // The same by positions: every token and session of the lost branch is below the entry that ended everything. Of
  // several nodes that notice one loss, each with another newest entry, only the first makes everybody log in again.
  if (tip.position < known.startedOverPosition) return NOTHING
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

/** Leaves out entries below the oldest kept entry, because our log has no entries to compare them with. */
function keptPart(evidence: LossEvidence, oldest: LogHead): LossEvidence {
  const { start, entries } = evidence
  if (start.position >= oldest.position) return evidence
  const index = entries.findLastIndex(({ position }) => position <= oldest.position)
  const begin = entries[index]
  return begin === undefined
    ? evidence
    : { ...evidence, start: begin, entries: entries.slice(index + 1) }
}

/** Returns how many jumps bring a head above a position: one, unless the lost branch had itself jumped. */
export function jumpsAbove(position: number, head: number): number {
  return Math.max(1, Math.floor((position - head) / JUMP_POSITIONS) + 1)
}

/**
 * The most jumps that a repair makes automatically. Evidence that needs more is implausible, so an operator
 * must decide.
 */
export const JUMPS_MAX = 3

const NOTHING: RepairDecision = { kind: 'nothing' }

function isKnown({ position, chain }: LogHead, known: LogKnowledge): boolean {
  return isSameChain(known.chainAt(position), chain)
}

/** The result of a repair: counts only. */
export interface RepairOutcome {
  /** `head_moved`: the head has moved since it was read, and nothing was done. */
  readonly kind: RepairDecision['kind'] | 'head_moved'
  /** The head afterwards. */
  readonly position: number
  /** How many lost entries were written again. */
  readonly recovered: number
}

/** The author of a repair. */
export interface RepairBy {
  /** The subject of an entry that ends everything. */
  readonly issuer: string
  readonly at: EpochMs
  /** See `AuditEntry.actor`. */
  readonly actor: string
}
