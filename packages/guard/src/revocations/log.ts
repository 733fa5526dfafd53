import {
  chainValue,
  follows,
  isSameChain,
  type LogHead,
  type RevocationEntry,
  type RevocationKind,
} from './entry.ts'
import { createSubjectHasher, KIND_CODES, PEEKED, WatermarkTable } from './watermarks.ts'

/** The parts of a log that the revocation rule reads. */
export interface RevocationView {
  /** The newest position of this copy. */
  readonly position: number
  /** The newest position that was dropped from memory. A token with a lower `rvp` is out of date. */
  readonly floor: number
  /** Returns the newest mark of a subject, `position * 2 + hard`, or 0. */
  find(kind: RevocationKind, subject: string): number
}

/** Why entries could not be applied: they do not follow the copy, or they follow another history. */
export type ApplyFault = 'gap' | 'chain_differs'

/**
 * One copy of the revocation log in memory. It holds the watermarks for as long as an older token can live,
 * and the chain values that prove which history it is. The authority and each guard hold one copy, and both
 * use it to refuse tokens. Times are milliseconds on a monotonic clock.
 */
export class RevocationLog implements RevocationView {
  #position: number
  #chain: Uint8Array
  #floor: number
  #retainMs: number
  readonly #hash = createSubjectHasher()
  /** The oldest first. New entries go into the last one. */
  #periods: WatermarkPeriod[] = []
  /** How many entries of each kind are in the periods. Most kinds have none and need no look-up. */
  readonly #kinds = new Uint32Array(16)
  readonly #recent = new RecentChain()
  /** The results of `WatermarkTable.peek` for each period. */
  #peeked = new Uint32Array(4 * PEEKED)

  #version = nextVersion()

  /** Begins after `start`, as if all entries up to there had been dropped. */
  constructor(start: LogHead, options: { readonly retainMs: number }) {
    this.#position = start.position
    this.#chain = start.chain
    this.#floor = start.position
    this.#retainMs = options.retainMs
    this.#recent.note(start.position, start.chain)
  }

  get position(): number {
    return this.#position
  }

  get chain(): Uint8Array {
    return this.#chain
  }

  get floor(): number {
    return this.#floor
  }

  /**
   * A number that changes with each change of the log, and differs from that of every other copy in this
   * process. A decision about a token stays valid while the number stays the same.
   */
  get version(): number {
    return this.#version
  }

  /** Sets the minimum time for which entries are kept, in milliseconds. */
  retain(retainMs: number): void {
    this.#retainMs = retainMs
  }

  /** Revoked subjects in memory, and the bytes of their tables. */
  get size(): { readonly entries: number; readonly bytes: number } {
    let entries = 0
    let bytes = 0
    for (const { table } of this.#periods) {
      entries += table.count
      bytes += table.bytes
    }
    return { entries, bytes }
  }

  /**
   * Returns the chain value at one of the newest positions; undefined for a position that is older or was
   * jumped over.
   */
  chainAt(position: number): Uint8Array | undefined {
    return this.#recent.at(position)
  }

  /**
   * Applies entries that follow this copy. If it cannot apply all of them, it applies none and returns the
   * reason. `chain` is the chain value that the last entry must have.
   */
  apply(
    entries: readonly RevocationEntry[],
    chain: Uint8Array,
    nowMs: number,
  ): ApplyFault | undefined {
    const chains: Uint8Array[] = []
    let [position, value] = [this.#position, this.#chain]
    for (const entry of entries) {
      if (!follows(entry, position)) return 'gap'
      value = chainValue(value, entry)
      chains.push(value)
      position = entry.position
    }
    if (!isSameChain(value, chain)) return 'chain_differs'
    for (const [index, entry] of entries.entries()) {
      this.#add(entry, nowMs)
      this.#recent.note(entry.position, chains[index] ?? value)
    }
    this.#chain = value
    this.#version = nextVersion()
    return undefined
  }

  /** Drops entries that are older than every live token. Call it from time to time; it is cheap. */
  tick(nowMs: number): void {
    const newest = this.#periods.at(-1)
    if (newest !== undefined && nowMs - newest.beganAtMs >= this.#retainMs / 2)
      this.#close(newest, nowMs)
    while (
      this.#periods[0] !== undefined &&
      nowMs - this.#periods[0].closedAtMs >= this.#retainMs
    ) {
      this.#drop(this.#periods[0])
    }
  }

  find(kind: RevocationKind, subject: string): number {
    const code = KIND_CODES[kind]
    if (this.#kinds[code] === 0) return 0
    const hash = this.#hash(code, subject)
    const periods = this.#periods
    const peeked = this.#peeked
    for (let at = 0; at < periods.length; at++) periods[at]?.table.peek(hash, peeked, at)
    // Searches the newest period first, because the newest mark counts.
    for (let at = periods.length - 1; at >= 0; at--) {
      if (peeked[PEEKED * at + 1] === 0) continue
      const mark = periods[at]?.table.find(hash, peeked[PEEKED * at] ?? 0) ?? 0
      if (mark !== 0) return mark
    }
    return 0
  }

  #add({ position, kind, subject, strength }: RevocationEntry, nowMs: number): void {
    const { table, counts } = this.#periodFor(position, nowMs)
    const code = KIND_CODES[kind]
    table.raise(this.#hash(code, subject), position, strength === 'hard')
    counts[code] = (counts[code] ?? 0) + 1
    this.#kinds[code] = (this.#kinds[code] ?? 0) + 1
    this.#position = position
  }

  #periodFor(position: number, nowMs: number): WatermarkPeriod {
    this.tick(nowMs)
    const newest = this.#periods.at(-1)
    if (newest?.closedAtMs === Infinity) {
      if (newest.table.holds(position)) return newest
      this.#close(newest, nowMs)
    }
    const period: WatermarkPeriod = {
      table: new WatermarkTable(position - 1),
      counts: new Uint32Array(16),
      beganAtMs: nowMs,
      closedAtMs: Infinity,
      lastPosition: 0,
    }
    this.#periods.push(period)
    if (PEEKED * this.#periods.length > this.#peeked.length) {
      this.#peeked = new Uint32Array(2 * PEEKED * this.#periods.length)
    }
    return period
  }

  #close(period: WatermarkPeriod, nowMs: number): void {
    if (period.closedAtMs !== Infinity) return
    period.closedAtMs = nowMs
    period.lastPosition = this.#position
    period.table.seal()
  }

  #drop(period: WatermarkPeriod): void {
    this.#periods.shift()
    this.#floor = period.lastPosition
    this.#version = nextVersion()
    for (let code = 0; code < period.counts.length; code++) {
      this.#kinds[code] = (this.#kinds[code] ?? 0) - (period.counts[code] ?? 0)
    }
  }
}

let versions = 0

function nextVersion(): number {
  versions += 1
  return versions
}

/**
 * The watermarks of one period, which is half of the time that entries are kept. A period is dropped as a
 * whole, so no single entry is ever deleted.
 */
interface WatermarkPeriod {
  readonly table: WatermarkTable
  readonly counts: Uint32Array
  readonly beganAtMs: number
  closedAtMs: number
  lastPosition: number
}

const RECENT_MAX = 4096

/**
 * The chain values of the newest positions. They distinguish a copy that lags from a copy of another history.
 */
class RecentChain {
  readonly #positions = new Float64Array(RECENT_MAX).fill(-1)
  readonly #chains: Uint8Array[] = []

  note(position: number, chain: Uint8Array): void {
    const slot = position % RECENT_MAX
    this.#positions[slot] = position
    this.#chains[slot] = chain
  }

  at(position: number): Uint8Array | undefined {
    const slot = position % RECENT_MAX
    return this.#positions[slot] === position ? this.#chains[slot] : undefined
  }
}
