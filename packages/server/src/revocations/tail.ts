import {
  isSameChain,
  RetainedBatches,
  type RevocationLog,
  type BatchOpener,
  type LogHead,
  type RevocationKind,
  type WireBatch,
} from '@countersign/guard/revocations'

import type { LossEvidence, RepairBy, RepairOutcome } from '../store/repair.ts'
import type { RevocationStore } from '../store/store.ts'
import { createCoalescer } from './coalesce.ts'
import { readEvidence, tipOfEvidence, type Proof } from './evidence.ts'
import { BATCH_ENTRIES_MAX, emptyLog } from './log-copy.ts'
import type { BatchSealer, SealedEntry } from './seal-batch.ts'

/**
 * The shortest and the longest time between two batches, in milliseconds. In between it follows the work of
 * the last batch: signing and sending take at most a third of the time. So a lone entry leaves at once, and
 * under load, entries are gathered.
 */
const BATCH_GAP_MS = { least: 5, most: 250, workFactor: 3 } as const
const RETRY_MS = 250

/** Timers. Tests replace them. */
export interface Timers {
  /** Milliseconds on a monotonic clock. */
  readonly elapsed: () => number
  /** Calls `call` once after `ms` milliseconds. Returns the function that cancels it. */
  readonly after: (ms: number, call: () => void) => () => void
}

/** Resolves after some milliseconds. */
export function pause({ after }: Pick<Timers, 'after'>, ms: number): Promise<void> {
  return new Promise((resolve) => {
    after(ms, resolve)
  })
}

/** The dependencies of a `LogTail`. */
export interface LogTailOptions extends Timers {
  readonly issuer: string
  readonly store: Pick<
    RevocationStore,
    'head' | 'chainAt' | 'tail' | 'floorBefore' | 'repair' | 'startOver'
  >
  readonly sealer: BatchSealer
  /** Returns the opener, with the current keys, for batches that guards hand back. */
  readonly opener: () => BatchOpener
  /** The longest life of a token, in milliseconds. Entries are kept in memory for that long. */
  readonly retainMs: number
  /** Milliseconds since 1970. */
  readonly nowMs: () => number
  readonly onEvent: (event: TailEvent) => void
}

/** The events for an operator. */
export type TailEvent =
  | { readonly event: 'revocations_unreadable'; readonly error: unknown }
  | ({ readonly event: 'log_repaired' } & RepairOutcome)

/** The listener of a tail. */
export interface TailListener {
  /** Called with the kinds of new entries before they are sent. It must read changed keys and roles again. */
  beforeBatch(kinds: ReadonlySet<RevocationKind>): Promise<void>
  /** Called with a signed batch of new entries, from `after` to `last`. The next batch waits until it resolves. */
  batch(batch: WireBatch, after: LogHead, last: LogHead): Promise<void>
  /** Called after the copy was read again, because the history of the store has changed. */
  reloaded(): void
}

/**
 * Follows the log in the store. It keeps the authority's own copy, signs new entries, and repairs the log if
 * the store has lost entries. It does one thing at a time.
 */
export class LogTail {
  /** Reads new entries and sends them. Each call is served by a read that begins after the call. */
  readonly read: () => Promise<void>
  /**
   * Reads new entries into the copy, so that the authority itself obeys them. They are sent with the next
   * batch. Each call is served by a read that begins after the call.
   */
  readonly absorb: () => Promise<void>
  readonly #parts: LogTailOptions
  readonly #listener: TailListener
  readonly #own: RetainedBatches
  #log: RevocationLog
  #work: Promise<unknown> = Promise.resolve()
  #evidence: Promise<unknown> = Promise.resolve()
  #isStale = false
  #isPumping = false
  #isClosed = false
  #readAt = -Infinity
  #gapMs: number = BATCH_GAP_MS.least
  /** Entries of the copy that were not sent yet, and the head before them. */
  #unsent: { readonly after: LogHead; readonly entries: SealedEntry[] } | undefined

  private constructor(parts: LogTailOptions, listener: TailListener, log: RevocationLog) {
    this.#parts = parts
    this.#listener = listener
    this.#log = log
    this.#own = new RetainedBatches(parts.elapsed)
    this.read = createCoalescer(() => this.#inOrder(() => this.#readAndSend()))
    this.absorb = createCoalescer(() => this.#inOrder(() => this.#readOnce()))
  }

  /** Opens a tail and reads the entries that may be newer than a valid token. */
  static async open(parts: LogTailOptions, listener: TailListener): Promise<LogTail> {
    const tail = new LogTail(
      parts,
      listener,
      await emptyLog(parts.store, parts.retainMs, parts.nowMs()),
    )
    await tail.read()
    return tail
  }

  /** The authority's own copy of the log. The authority refuses tokens by this copy. */
  get log(): RevocationLog {
    return this.#log
  }

  get head(): LogHead {
    return { position: this.#log.position, chain: this.#log.chain }
  }

  /** Call it if entries may have been written. It is cheap, and may be called at any time. */
  changed(): void {
    this.#isStale = true
    if (!this.#isPumping) void this.#pump()
  }

  /**
   * Reads the head from the primary database, in a read that begins after the call. This is the head that an
   * echo may carry. The store has lost entries if the head is below the previous head of this copy, or is not
   * on its chain.
   */
  async freshHead(): Promise<LogHead> {
    const before = this.head
    const head = await this.#parts.store.head()
    if (head.position > this.#log.position) {
      this.changed()
      return head
    }
    const own = this.#log.chainAt(head.position)
    const isOff = own !== undefined && !isSameChain(own, head.chain)
    if (isOff || head.position < before.position) await this.read()
    return this.head
  }

  /** Handles batches that a guard hands back. Returns the kind of the repair. */
  takeEvidence(batches: readonly WireBatch[]): Promise<RepairOutcome['kind']> {
    // One at a time, so that many guards that hand back batches together take turns with other work.
    const result = this.#evidence.then(() => this.#readEvidence(batches))
    this.#evidence = result.catch(() => {})
    return result
  }

  async #readEvidence(batches: readonly WireBatch[]): Promise<RepairOutcome['kind']> {
    const proof = { ...this.#proof(), log: this.#log }
    const tip = tipOfEvidence(batches, proof)
    if (tip === undefined) return 'nothing'
    // No entry is lost. This is checked first, because a guard could hand back thousands of batches without
    // reason, and opening them is expensive.
    const own = await this.#parts.store.chainAt(tip.position)
    if (isSameChain(own, tip.chain)) return 'nothing'
    const evidence = await readEvidence(batches, proof)
    if (evidence === undefined) return 'nothing'
    return this.#inOrder(() => this.#repair(evidence))
  }

  /** Ends all sessions, because entries up to `position` were lost and no guard handed them back. */
  startOver(position: number): Promise<void> {
    return this.#inOrder(async () => {
      const { store, onEvent } = this.#parts
      for (;;) {
        const head = await store.head()
        // Another node has started the log over, or the lost entries were written again.
        if (head.position >= position) break
        const outcome = await store.startOver(position, head, this.#by())
        // An ordinary revocation has moved the head, so it is read again.
        if (outcome.kind === 'head_moved') continue
        onEvent({ event: 'log_repaired', ...outcome })
        break
      }
      await this.#readAndSend()
    })
  }

  close(): void {
    this.#isClosed = true
  }

  async #pump(): Promise<void> {
    this.#isPumping = true
    const { elapsed } = this.#parts
    while (this.#isStale && !this.#isClosed) {
      const early = this.#readAt + this.#gapMs - elapsed()
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
    const { store, elapsed } = this.#parts
    const held = this.head
    const { chain, entries } = await store.tail(held.position, BATCH_ENTRIES_MAX)
    if (!isSameChain(chain, held.chain)) return this.#mendOwn()
    const last = entries.at(-1)
    this.#log.tick(elapsed())
    if (last === undefined) return
    await this.#listener.beforeBatch(new Set(entries.map(({ kind }) => kind)))
    const fault = this.#log.apply(entries, last.chain, elapsed())
    if (fault !== undefined)
      throw new Error(`the entries of the revocation log do not follow each other: ${fault}`)
    this.#unsent ??= { after: held, entries: [] }
    this.#unsent.entries.push(...entries)
    if (this.#unsent.entries.length >= BATCH_ENTRIES_MAX) await this.#send()
    if (entries.length === BATCH_ENTRIES_MAX) return this.#readOnce()
  }

  #proof(): Proof {
    const { opener, sealer } = this.#parts
    return { open: opener(), sealer, pause: () => pause(this.#parts, 0) }
  }

  async #readAndSend(): Promise<void> {
    await this.#readOnce()
    await this.#send()
  }

  /** Signs and sends what was read since the last batch. */
  async #send(): Promise<void> {
    const unsent = this.#unsent
    if (unsent === undefined) return
    this.#unsent = undefined
    const { sealer, elapsed } = this.#parts
    const startedAt = elapsed()
    const batch = sealer.seal(unsent.after, unsent.entries)
    this.#own.add(batch)
    await this.#listener.batch(batch, unsent.after, unsent.entries.at(-1) ?? unsent.after)
    this.#setGap(elapsed() - startedAt)
  }

  #setGap(workMs: number): void {
    const { least, most, workFactor } = BATCH_GAP_MS
    this.#gapMs = Math.min(most, Math.max(least, workFactor * workMs))
  }

  /** The store has lost entries of this copy. They are written to the store again. */
  async #mendOwn(): Promise<void> {
    const { store, retainMs, nowMs } = this.#parts
    await this.#send()
    const held = this.head
    const own = await readEvidence(this.#own.list(), this.#proof())
    const isWhole = own !== undefined && isSameChain(own.tip.chain, held.chain)
    const evidence: LossEvidence = isWhole
      ? own
      : { start: held, entries: [], tip: held, signedAt: nowMs() }
    await this.#repair(evidence)
    this.#log = await emptyLog(store, retainMs, nowMs())
    this.#own.clear()
    this.#listener.reloaded()
    await this.#readAndSend()
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
