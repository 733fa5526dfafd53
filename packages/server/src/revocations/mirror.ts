import {
  isSameChain,
  type LogHead,
  type RevocationEntry,
  type RevocationKind,
} from '@countersign/guard/revocations'

import type { RevocationStore } from '../store/store.ts'
import { createCoalescer } from './coalesce.ts'
import { pause, type LogTail, type Timers } from './tail.ts'

/** The head that the mirror writes once a second. */
export interface MirrorHead {
  readonly issuer: string
  /** The mirror has all marks up to this position. */
  readonly position: number
  /** Readers refuse tokens with an `rvp` below this position. */
  readonly floor: number
}

/** The watermark of one subject in the mirror. */
export interface MirrorMark {
  readonly kind: RevocationKind
  readonly subject: string
  readonly position: number
  /**
   * Whether the mark never expires. The mark of a revoked key stays, because it revokes everything that the
   * key signed or will sign.
   */
  readonly stays: boolean
}

/** The target store of the mirror. Each method rejects if the store cannot be reached. */
export interface MirrorTarget {
  /**
   * Returns whether the store still has everything that this process wrote, and the time of the store's
   * clock.
   */
  probe(keepMs: number): Promise<{ readonly holds: boolean; readonly timeMs: number }>
  /** Raises marks. Marks that are already higher stay. */
  raise(marks: readonly MirrorMark[], keepMs: number): Promise<void>
  /** Writes the head, which expires at `untilMs` on the store's clock. Rejects if the store was emptied. */
  setHead(head: MirrorHead, untilMs: number): Promise<void>
  close(): Promise<void>
}

/** The dependencies of a `LogMirror`. */
export interface LogMirrorOptions extends Timers {
  readonly issuer: string
  readonly target: MirrorTarget
  readonly tail: Pick<LogTail, 'read' | 'head' | 'log'>
  readonly store: Pick<RevocationStore, 'tail' | 'chainAt'>
  readonly keys: { readonly killed: readonly string[] }
  /** The longest life of a token, in milliseconds. */
  readonly retainMs: number
  /** Called without a position before the log is read for a head, and with the position after the head was written. */
  readonly onHead: (position?: number) => void
  readonly onEvent: (event: MirrorEvent) => void
}

/** The events for an operator. An event is reported once, when its state begins. */
export type MirrorEvent =
  | { readonly event: 'mirror_ready' }
  | { readonly event: 'mirror_failed'; readonly error: unknown }

/** How long a head is valid for readers, in milliseconds. */
export const MIRROR_HEAD_MS = 3_000
const ROUND_MS = 1_000
const PAUSE_MS = 50
const PAGE_ENTRIES = 500

/** Entries of these kinds revoke no tokens. */
const OF_NO_TOKEN: ReadonlySet<RevocationKind> = new Set(['keyset', 'role', 'jump'])

/**
 * Copies the watermarks of the log into a store for services in other languages. Every second it writes the
 * position that the copy has reached. The log stays authoritative. An emptied mirror is refilled before it
 * gets a head. Readers refuse all tokens while the mirror has no head.
 */
export class LogMirror {
  readonly #parts: LogMirrorOptions
  readonly #round: () => Promise<void>
  /** The head up to which the log was copied. Undefined: the mirror must be filled again. */
  #copied: LogHead | undefined
  #era = 0
  #state: 'starting' | 'ready' | 'failed' = 'starting'
  #isClosed = false
  #isBusy = false
  #isStale = false
  #cancel = (): void => {}

  constructor(parts: LogMirrorOptions) {
    this.#parts = parts
    this.#round = createCoalescer(() => this.#copyOnce())
    void this.#keepUp()
  }

  /** Call it if entries may have been written. It is cheap, and may be called at any time. */
  changed(): void {
    this.#isStale = true
    if (!this.#isBusy) void this.#keepUp()
  }

  /** Marks the content of the mirror as lost, so that it is filled again. */
  forget(): void {
    this.#era += 1
    this.#copied = undefined
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#cancel()
    await this.#parts.target.close()
  }

  async #keepUp(): Promise<void> {
    this.#isBusy = true
    this.#cancel()
    do {
      this.#isStale = false
      try {
        await this.#round()
        this.#tell('ready', { event: 'mirror_ready' })
      } catch (error) {
        this.forget()
        this.#tell('failed', { event: 'mirror_failed', error })
      }
      await pause(this.#parts, PAUSE_MS)
    } while (this.#isStale && !this.#isClosed)
    this.#isBusy = false
    if (!this.#isClosed) this.#cancel = this.#parts.after(ROUND_MS - PAUSE_MS, () => this.changed())
  }

  #tell(state: 'ready' | 'failed', event: MirrorEvent): void {
    if (this.#isClosed || this.#state === state) return
    this.#state = state
    this.#parts.onEvent(event)
  }

  async #copyOnce(): Promise<void> {
    const { target, tail, issuer, retainMs, onHead } = this.#parts
    // The key that proves the existence of the marks always expires before them, even if the clock of the
    // store jumps.
    const { holds, timeMs } = await target.probe(retainMs)
    if (!holds) this.forget()
    const era = this.#era
    // The log is read after the time. So the validity of the head counts from that time, not from its
    // arrival.
    // A caller that waits for an entry which this read misses must know that a head without it may come.
    onHead()
    await tail.read()
    const { position } = tail.head
    const { floor } = tail.log
    const copied = await this.#copyUpTo(position, floor)
    if (era !== this.#era) throw new Error('the connection was lost while the log was copied')
    this.#copied = copied
    await target.setHead({ issuer, position, floor }, timeMs + MIRROR_HEAD_MS)
    onHead(position)
  }

  async #copyUpTo(position: number, floor: number): Promise<LogHead> {
    const { store } = this.#parts
    let from = this.#copied ?? (await this.#beginAt(floor))
    while (from.position < position) {
      const { chain, entries } = await store.tail(from.position, PAGE_ENTRIES)
      const last = entries.at(-1)
      if (last === undefined || !isSameChain(chain, from.chain)) {
        throw new Error('the log changed while it was copied')
      }
      await this.#raise(entries)
      from = last
    }
    return from
  }

  async #beginAt(floor: number): Promise<LogHead> {
    const { keys, store, target } = this.#parts
    const chain = await store.chainAt(floor)
    if (chain === undefined) throw new Error('the log does not reach back to its floor')
    const killed = keys.killed.map((subject) => markOf({ kind: 'key', subject, position: floor }))
    if (killed.length > 0) await target.raise(killed, this.#keepMs)
    return { position: floor, chain }
  }

  #raise(entries: readonly RevocationEntry[]): Promise<void> {
    const marks = entries.filter(({ kind }) => !OF_NO_TOKEN.has(kind)).map(markOf)
    return marks.length === 0 ? Promise.resolve() : this.#parts.target.raise(marks, this.#keepMs)
  }

  get #keepMs(): number {
    return 2 * this.#parts.retainMs
  }
}

function markOf({
  kind,
  subject,
  position,
}: Pick<RevocationEntry, 'kind' | 'subject' | 'position'>): MirrorMark {
  return { kind, subject, position, stays: kind === 'key' }
}
