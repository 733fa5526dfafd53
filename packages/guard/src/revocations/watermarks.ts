import { randomFillSync } from 'node:crypto'

import { REVOCATION_KINDS, type RevocationKind } from './entry.ts'

/**
 * The newest position at which each subject was revoked, in a table of 10 bytes a slot: 32 and 16 bits
 * of a keyed hash of kind and subject, and a position of 31 bits from a base, with one bit for `hard`.
 * 10 million entries fit into 150 MiB, where a `Set` of strings takes 711.
 *
 * Open addressing with linear probing, sorted by fingerprint: since the first slot of a fingerprint rises
 * with it, a look-up ends at the first one that is larger, most often in the line of the processor's cache
 * where it began, and a table grows in one pass from its beginning to its end.
 *
 * Two of n subjects look alike with a chance of n / 2^48; with ten million entries one look-up in 28
 * million finds what is not there, and refuses too much, never too little.
 */
export class WatermarkTable {
  /** Positions are stored from here: the first entry's is `base + 1`. */
  readonly base: number
  /**
   * Of each slot the fingerprint and `(position - base) << 1 | hard`, which is 0 in a free one: side by
   * side, so that a look-up that finds nothing waits for memory once.
   */
  #slots: Uint32Array
  #extras: Uint16Array
  /** Slots in which a fingerprint can begin. */
  #size = SLOTS_MIN
  /** Slots behind them for what is pushed over the end. The last one is always free: there every run ends. */
  #tail = TAIL_SLOTS_MIN
  #count = 0

  constructor(base: number) {
    this.base = base
    this.#slots = new Uint32Array(2 * (SLOTS_MIN + TAIL_SLOTS_MIN))
    this.#extras = new Uint16Array(SLOTS_MIN + TAIL_SLOTS_MIN)
  }

  /** Distinct subjects. */
  get count(): number {
    return this.#count
  }

  /** Memory of the tables. */
  get bytes(): number {
    return this.#slots.byteLength + this.#extras.byteLength
  }

  /** Whether a position is near enough to the base to be stored. */
  holds(position: number): boolean {
    return position - this.base <= OFFSET_MAX
  }

  /** Notes the newest revocation of a subject. Positions come in rising order. */
  raise({ fingerprint, extra }: SubjectHash, position: number, isHard: boolean): void {
    if (this.#count >= this.#size * LOAD_MAX) this.#resize(grownSize(this.#size))
    let slot = this.#slotOf(fingerprint, extra)
    while (!this.#isAt(slot, fingerprint, extra) && !this.#insert(slot, fingerprint, extra)) {
      this.#resize(this.#size, 2 * this.#tail)
      slot = this.#slotOf(fingerprint, extra)
    }
    this.#slots[2 * slot + 1] = ((position - this.base) << 1) | (isHard ? 1 : 0)
  }

  /**
   * Notes in `peeked`, at `PEEKED * at`, where the subject would be first, what stands there, and its extra bits.
   * Decides nothing by what it reads, so that the processor waits for the memory of several tables at once.
   */
  peek({ fingerprint }: SubjectHash, peeked: Uint32Array, at: number): void {
    const home = homeOf(fingerprint, this.#size)
    peeked[PEEKED * at] = home
    peeked[PEEKED * at + 1] = this.#slots[2 * home + 1] ?? 0
    peeked[PEEKED * at + 2] = this.#extras[home] ?? 0
  }

  /** The subject's mark, `position * 2 + hard`, or 0 where there is none; `home` is what `peek` noted. No allocation. */
  find({ fingerprint, extra }: SubjectHash, home: number): number {
    const slots = this.#slots
    for (let slot = home; ; slot++) {
      const word = slots[2 * slot + 1] ?? 0
      if (word === 0) return 0
      const held = slots[2 * slot] ?? 0
      if (held > fingerprint) return 0
      if (held === fingerprint && this.#extras[slot] === extra) return word + this.base * 2
    }
  }

  /** Gives back the room that was kept for growing; for a table that takes no more entries. */
  seal(): void {
    this.#resize(Math.max(SLOTS_MIN, Math.ceil(this.#count / LOAD_MAX) + 1))
  }

  /** Where a subject is, or belongs: the first slot that is free or holds a larger one. */
  #slotOf(fingerprint: number, extra: number): number {
    const slots = this.#slots
    let slot = homeOf(fingerprint, this.#size)
    while (slots[2 * slot + 1] !== 0) {
      const held = slots[2 * slot] ?? 0
      if (held > fingerprint) break
      if (held === fingerprint && this.#extras[slot] === extra) break
      slot += 1
    }
    return slot
  }

  #isAt(slot: number, fingerprint: number, extra: number): boolean {
    return (
      this.#slots[2 * slot + 1] !== 0 &&
      this.#slots[2 * slot] === fingerprint &&
      this.#extras[slot] === extra
    )
  }

  /**
   * Makes room at a slot: what stands there and right behind it moves on by one. False where that would
   * take the last slot of all.
   */
  #insert(slot: number, fingerprint: number, extra: number): boolean {
    const slots = this.#slots
    let free = slot
    while (slots[2 * free + 1] !== 0) free += 1
    if (free === this.#extras.length - 1) return false
    slots.copyWithin(2 * slot + 2, 2 * slot, 2 * free)
    this.#extras.copyWithin(slot + 1, slot, free)
    slots[2 * slot] = fingerprint
    this.#extras[slot] = extra
    this.#count += 1
    return true
  }

  #resize(size: number, tail = this.#tail): void {
    if (!this.#moveTo(size, tail)) this.#resize(size, 2 * tail)
  }

  /** Moves everything into tables of another size, in one pass. False where the tail is too short for that. */
  #moveTo(size: number, tail: number): boolean {
    const slots = new Uint32Array(2 * (size + tail))
    const extras = new Uint16Array(size + tail)
    let next = 0
    for (let old = 0; old < this.#extras.length; old++) {
      const word = this.#slots[2 * old + 1] ?? 0
      if (word === 0) continue
      const fingerprint = this.#slots[2 * old] ?? 0
      const slot = Math.max(next, homeOf(fingerprint, size))
      if (slot >= extras.length - 1) return false
      slots[2 * slot] = fingerprint
      slots[2 * slot + 1] = word
      extras[slot] = this.#extras[old] ?? 0
      next = slot + 1
    }
    this.#slots = slots
    this.#extras = extras
    this.#size = size
    this.#tail = tail
    return true
  }
}

/** Numbers that `peek` notes of a table: the second is 0 where the subject is not in it. */
export const PEEKED = 3
const SLOTS_MIN = 1024
const LOAD_MAX = 0.7
const OFFSET_MAX = 0x7fff_ffff
const TAIL_SLOTS_MIN = 64

// The slot follows from the fingerprint alone, so a table grows without the subjects' texts.
function homeOf(fingerprint: number, size: number): number {
  return Math.floor((fingerprint * size) / 0x1_0000_0000)
}

// Small tables grow fast; large ones by little, so that never more than 40 % is free.
function grownSize(size: number): number {
  return size < 1_048_576 ? size * 2 : Math.ceil(size * 1.15)
}

/** What a table knows of a subject. */
export interface SubjectHash {
  /** 32 bits. */
  readonly fingerprint: number
  /** 16 bits. */
  readonly extra: number
}

/**
 * Hashes subjects for tables, under a random key of this process: whoever can choose a subject does not
 * know what it meets. The answer is one object, written anew by each call.
 */
export function createSubjectHasher(
  seed: Uint32Array = randomFillSync(new Uint32Array(2)),
): (kind: RevocationKind, subject: string) => SubjectHash {
  const [seed1 = 0, seed2 = 0] = seed
  const hash = { fingerprint: 0, extra: 0 }
  return (kind, subject) => {
    const code = KIND_CODES[kind]
    let a = seed1 ^ Math.imul(code, 0x9e3779b1)
    let b = seed2 ^ Math.imul(code, 0x85ebca6b)
    for (let at = 0; at < subject.length; at++) {
      const unit = subject.charCodeAt(at)
      a = Math.imul(a ^ unit, 0x9e3779b1)
      b = Math.imul(b ^ unit, 0x5f356495)
    }
    a = Math.imul(a ^ (a >>> 16), 0x85ebca6b) ^ Math.imul(b ^ (b >>> 13), 0xc2b2ae35)
    b = Math.imul(b ^ (b >>> 16), 0x85ebca6b) ^ Math.imul(a ^ (a >>> 13), 0xc2b2ae35)
    hash.fingerprint = a >>> 0
    hash.extra = (b >>> 0) & 0xffff
    return hash
  }
}

/** A small number for each kind. */
export const KIND_CODES = Object.fromEntries(
  REVOCATION_KINDS.map((kind, index) => [kind, index + 1]),
) as Readonly<Record<RevocationKind, number>>
