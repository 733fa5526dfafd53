import {
  RetainedBatches,
  RevocationLog,
  type BatchOpener,
  type LogHead,
  type RevocationKind,
  type WireBatch,
} from '@countersign/guard/revocations'

import type { LossEvidence, RepairBy, RepairOutcome } from '../store/repair.ts'
import type { RevocationStore } from '../store/store.ts'
import { createCoalescer } from './coalesce.ts'
import { readEvidence, tipOfEvidence } from './evidence.ts'
import type { BatchSealer } from './seal-batch.ts'

/** Batches go out at most this often, in milliseconds. */
export const BATCH_MS = 50
const RETRY_MS = 250
const BATCH_ENTRIES_MAX = 10_000

/** Timers, so that tests can have their own. */
export interface Timers {
  /** Milliseconds on a clock that is never set. */
  readonly elapsed: () => number
  /** Calls once after some milliseconds; gives what cancels it. */
  readonly after: (ms: number, call: () => void) => () => void
}

/** Resolves after some milliseconds. */
export function pause({ after }: Pick<Timers, 'after'>, ms: number): Promise<void> {
  return new Promise((resolve) => {
    after(ms, resolve)
  })
}

export interface LogTailOptions extends Timers {
  readonly issuer: string
  readonly store: Pick<
    RevocationStore,
    'head' | 'chainAt' | 'tail' | 'floorBefore' | 'repair' | 'startOver'
  >
  readonly sealer: BatchSealer
  /** Opens batches that are handed back, with the keys as they are now. */
  readonly opener: () => BatchOpener
  /** How long a token can live at most, in milliseconds: entries are kept so long. */
  readonly retainMs: number
  /** Milliseconds since 1970. */
  readonly nowMs: () => number
  readonly onEvent: (event: TailEvent) => void
}

/** What an operator should know. */
export type TailEvent =
  | { readonly event: 'revocations_unreadable'; readonly error: unknown }
  | ({ readonly event: 'log_repaired' } & RepairOutcome)

/** Who follows a tail. */
export interface TailListener {
  /** Called before entries that say that keys or roles have changed go out: read them again. */
  beforeBatch(kinds: ReadonlySet<RevocationKind>): Promise<void>
  /** New entries, signed, which follow `after`. */
  batch(batch: WireBatch, after: LogHead): void
  /** The copy was read anew, since the store has another history than it had: nothing follows. */
  reloaded(): void
}

/**
 * Follows the log in the store: keeps the authority's own copy, signs what is new, and mends the log when
 * it turns out to have lost entries. Whatever it does it does in one order.
 */
export class LogTail {
  /** Reads what is new; each call is served by a read that begins after it. */
  readonly read: () => Promise<void>
  readonly #parts: LogTailOptions
  readonly #listener: TailListener
  readonly #own: RetainedBatches
  #log: RevocationLog
  #work: Promise<unknown> = Promise.resolve()
  #isStale = false
  #isPumping = false
  #isClosed = false
  #readAt = -Infinity

  private constructor(parts: LogTailOptions, listener: TailListener, log: RevocationLog) {
    this.#parts = parts
    this.#listener = listener
    this.#log = log
    this.#own = new RetainedBatches(parts.elapsed)
    this.read = createCoalescer(() => this.#inOrder(() => this.#readOnce()))
  }

  /** Reads the part of the log that living tokens can know. */
  static async open(parts: LogTailOptions, listener: TailListener): Promise<LogTail> {
    const tail = new LogTail(parts, listener, await emptyLog(parts))
    await tail.read()
    return tail
  }

  /** The authority's copy, by which it refuses tokens itself. */
  get log(): RevocationLog {
    return this.#log
  }

  get head(): LogHead {
    return { position: this.#log.position, chain: this.#log.chain }
  }

  /** Tells that something may have been written. Cheap, may be called at any time. */
  changed(): void {
    this.#isStale = true
    if (!this.#isPumping) void this.#pump()
  }

  /**
   * Reads the head from the primary database, begun after the call: what an echo may say. One that lies
   * below what this copy had before, or off its chain, shows that the store has lost entries.
   */
  async freshHead(): Promise<LogHead> {
    const before = this.head
    const head = await this.#parts.store.head()
    if (head.position > this.#log.position) {
      this.changed()
      return head
    }
    const own = this.#log.chainAt(head.position)
    const isOff = own !== undefined && Buffer.compare(own, head.chain) !== 0
    if (isOff || head.position < before.position) await this.read()
    return this.head
  }

  /** Takes batches that a guard hands back. Gives what came of them. */
  async takeEvidence(batches: readonly WireBatch[]): Promise<RepairOutcome['kind']> {
    const { opener, sealer, store } = this.#parts
    const proof = { open: opener(), sealer, log: this.#log }
    const tip = tipOfEvidence(batches, proof)
    if (tip === undefined) return 'nothing'
    // Nothing is lost. Said before thousands of batches are opened, for whoever hands them back for no reason.
    const own = await store.chainAt(tip.position)
    if (own !== undefined && Buffer.compare(own, tip.chain) === 0) return 'nothing'
    const evidence = readEvidence(batches, proof)
    if (evidence === undefined) return 'nothing'
    return this.#inOrder(() => this.#repair(evidence))
  }

  /** Everybody signs in again: entries up to `position` were lost, and nobody has handed them back. */
  startOver(position: number): Promise<void> {
    return this.#inOrder(async () => {
      const { store, onEvent } = this.#parts
      for (;;) {
        const head = await store.head()
        // Another node has started over meanwhile, or the lost entries have come back.
        if (head.position >= position) break
        const outcome = await store.startOver(position, head, this.#by())
        // An ordinary revocation moves the head as well: look again.
        if (outcome.kind === 'head_moved') continue
        onEvent({ event: 'log_repaired', ...outcome })
        break
      }
      await this.#readOnce()
    })
  }

  close(): void {
    this.#isClosed = true
  }

  async #pump(): Promise<void> {
    this.#isPumping = true
    const { elapsed } = this.#parts
    while (this.#isStale && !this.#isClosed) {
      const early = this.#readAt + BATCH_MS - elapsed()
      if (early > 0) await pause(this.#parts, early)
      this.#isStale = false
      this.#readAt = elapsed()
      try {
        await this.read()
      } catch (error) {
        if (this.#isClosed) return
        this.#parts.onEvent({ event: 'revocations_unreadable', error })
        this.#isStale = true
        await pause(this.#parts, RETRY_MS)
      }
    }
    this.#isPumping = false
  }

  async #readOnce(): Promise<void> {
    const { store, sealer, elapsed } = this.#parts
    const held = this.head
    const { chain, entries } = await store.tail(held.position, BATCH_ENTRIES_MAX)
    if (chain === undefined || Buffer.compare(chain, held.chain) !== 0) return this.#mendOwn()
    const last = entries.at(-1)
    this.#log.tick(elapsed())
    if (last === undefined) return
    await this.#listener.beforeBatch(new Set(entries.map(({ kind }) => kind)))
    const fault = this.#log.apply(entries, last.chain, elapsed())
    if (fault !== undefined) throw new Error(`the revocation log does not fit together: ${fault}`)
    const batch = sealer.seal(held, entries)
    this.#own.add(batch)
    this.#listener.batch(batch, held)
    if (entries.length === BATCH_ENTRIES_MAX) return this.#readOnce()
  }

  /** The store does not hold what this copy holds: it is given back what it has lost. */
  async #mendOwn(): Promise<void> {
    const { opener, sealer, nowMs } = this.#parts
    const held = this.head
    const own = readEvidence(this.#own.list(), { open: opener(), sealer })
    const isWhole = own !== undefined && Buffer.compare(own.tip.chain, held.chain) === 0
    const evidence: LossEvidence = isWhole
      ? own
      : { start: held, entries: [], tip: held, signedAt: nowMs() }
    await this.#repair(evidence)
    this.#log = await emptyLog(this.#parts)
    this.#own.clear()
    this.#listener.reloaded()
    await this.#readOnce()
  }

  async #repair(evidence: LossEvidence): Promise<RepairOutcome['kind']> {
    const outcome = await this.#parts.store.repair(evidence, this.#by())
    if (outcome.kind !== 'nothing') {
      this.#parts.onEvent({ event: 'log_repaired', ...outcome })
      this.changed()
    }
    return outcome.kind
  }

  #by(): RepairBy {
    return { issuer: this.#parts.issuer, at: this.#parts.nowMs(), actor: 'system' }
  }

  #inOrder<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#work.then(work)
    this.#work = result.catch(() => {})
    return result
  }
}

/** A copy that begins where the oldest living token can have been issued. */
async function emptyLog({ store, retainMs, nowMs }: LogTailOptions): Promise<RevocationLog> {
  return new RevocationLog(await store.floorBefore(nowMs() - retainMs), { retainMs })
}
