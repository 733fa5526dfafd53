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
  /** Every mark up to this position is in the mirror. */
  readonly position: number
  /** A token with an `rvp` below this position is out of date. */
  readonly floor: number
}

/** The mark of one subject in the mirror. */
export interface MirrorMark {
  readonly kind: RevocationKind
  readonly subject: string
  readonly position: number
  /** The mark of a revoked key never expires: it revokes everything that the key signed or will sign. */
  readonly stays: boolean
}

/** The store of the mirror. Each method rejects if the store cannot be reached. */
export interface MirrorTarget {
  /** Returns whether the store still holds everything that this process wrote, and the time there. */
  probe(keepMs: number): Promise<{ readonly holds: boolean; readonly timeMs: number }>
  /** Raises marks. A mark that is already higher stays. */
  raise(marks: readonly MirrorMark[], keepMs: number): Promise<void>
  /** Writes the head, which expires at a time on the store's clock. Rejects if the store was emptied. */
  setHead(head: MirrorHead, untilMs: number): Promise<void>
  close(): Promise<void>
}

/** What a `LogMirror` needs. */
export interface LogMirrorOptions extends Timers {
  readonly issuer: string
  readonly target: MirrorTarget
  readonly tail: Pick<LogTail, 'read' | 'head' | 'log'>
  readonly store: Pick<RevocationStore, 'tail' | 'chainAt'>
  readonly keys: { readonly killed: readonly string[] }
  /** The longest life of a token, in milliseconds. */
  readonly retainMs: number
  /** Called before each head is written, and after each one with its position. */
  readonly onHead: (position?: number) => void
  readonly onEvent: (event: MirrorEvent) => void
}

/** Events for an operator. Each is reported once, when the state begins. */
export type MirrorEvent =
  | { readonly event: 'mirror_ready' }
  | { readonly event: 'mirror_failed'; readonly error: unknown }

/** How long a head is valid for readers, in milliseconds. */
export const MIRROR_HEAD_MS = 3_000
const ROUND_MS = 1_000
const PAUSE_MS = 50
const PAGE_ENTRIES = 500

/** Entries of these kinds are about no token. */
const OF_NO_TOKEN: ReadonlySet<RevocationKind> = new Set(['keyset', 'role', 'jump'])

/**
 * Copies the newest marks of the log into a store that services in other languages can read, and writes every
 * second how far the copy goes. The log is the truth. A mirror that was emptied is refilled before it gets a
 * head. While it has no head, its readers refuse.
 */
export class LogMirror {
  readonly #parts: LogMirrorOptions
  readonly #round: () => Promise<void>
  /** The head up to which the mirror has the log. Undefined: it must be filled again. */
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

  /** Reports that something may have been written. It is cheap, and may be called at any time. */
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
    // The key that shows whether the marks still exist expires before them, whatever the clock of the store
    // does.
    const { holds, timeMs } = await target.probe(retainMs)
    if (!holds) this.forget()
    const era = this.#era
    // The read begins after the time was read. So a head is valid from then, not from its arrival.
    await tail.read()
    const { position } = tail.head
    const { floor } = tail.log
    const copied = await this.#copyUpTo(position, floor)
    if (era !== this.#era) throw new Error('the connection was lost while the log was copied')
    this.#copied = copied
    onHead()
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
