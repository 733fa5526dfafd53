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
   * Five numbers of 16 bits a slot: fingerprint, extra bits and mark, the upper halves first. The mark is
   * `(position - base) << 1 | hard`, and 0 in a free slot. All of a slot side by side, so that a look-up waits
   * for one line of memory.
   */
  #cells = new Uint16Array(CELLS * (SLOTS_MIN + TAIL_SLOTS_MIN))
  /** Slots in which a fingerprint can begin. */
  #size = SLOTS_MIN
  /** Slots behind them for what is pushed over the end. The last one is always free: there every run ends. */
  #tail = TAIL_SLOTS_MIN
  #count = 0

  constructor(base: number) {
    this.base = base
  }

  /** Distinct subjects. */
  get count(): number {
    return this.#count
  }

  /** Memory of the table. */
  get bytes(): number {
    return this.#cells.byteLength
  }

  /** Whether a position is near enough to the base to be stored. */
  holds(position: number): boolean {
    return position - this.base <= OFFSET_MAX
  }

  /** Notes the newest revocation of a subject. Positions come in rising order. */
  raise(subject: SubjectHash, position: number, isHard: boolean): void {
    if (this.#count >= this.#size * LOAD_MAX) this.#resize(grownSize(this.#size))
    let at = this.#placeOf(subject)
    while (!this.#isAt(at, subject) && !this.#insert(at, subject)) {
      this.#resize(this.#size, 2 * this.#tail)
      at = this.#placeOf(subject)
    }
    writeWord(this.#cells, at + MARK, ((position - this.base) << 1) | (isHard ? 1 : 0))
  }

  /**
   * Notes in `peeked`, at `PEEKED * index`, where the subject would be first, and what stands there. Decides
   * nothing by what it reads, so that the processor waits for the memory of several tables at once, and for
   * the next line too, where the search may end.
   */
  peek({ fingerprint }: SubjectHash, peeked: Uint32Array, index: number): void {
    const home = homeOf(fingerprint, this.#size)
    peeked[PEEKED * index] = home
    peeked[PEEKED * index + 1] = wordOf(this.#cells, CELLS * home + MARK)
    peeked[PEEKED * index + 2] = this.#cells[CELLS * (home + SLOTS_AHEAD)] ?? 0
  }

  /** The subject's mark, `position * 2 + hard`, or 0 where there is none; `home` is what `peek` noted. No allocation. */
  find({ fingerprint, extra }: SubjectHash, home: number): number {
    const cells = this.#cells
    for (let at = CELLS * home; ; at += CELLS) {
      const mark = wordOf(cells, at + MARK)
      if (mark === 0) return 0
      const held = wordOf(cells, at)
      if (held > fingerprint) return 0
      if (held === fingerprint && cells[at + EXTRA] === extra) return mark + this.base * 2
    }
  }

  /** Gives back the room that was kept for growing; for a table that takes no more entries. */
  seal(): void {
    this.#resize(Math.max(SLOTS_MIN, Math.ceil(this.#count / LOAD_MAX) + 1))
  }

  /** Where a subject is, or belongs: the first slot that is free or holds a larger one. */
  #placeOf({ fingerprint, extra }: SubjectHash): number {
    const cells = this.#cells
    let at = CELLS * homeOf(fingerprint, this.#size)
    while (wordOf(cells, at + MARK) !== 0) {
      const held = wordOf(cells, at)
      if (held > fingerprint) break
      if (held === fingerprint && cells[at + EXTRA] === extra) break
      at += CELLS
    }
    return at
  }

  #isAt(at: number, { fingerprint, extra }: SubjectHash): boolean {
    const cells = this.#cells
    return (
      wordOf(cells, at + MARK) !== 0 &&
      wordOf(cells, at) === fingerprint &&
      cells[at + EXTRA] === extra
    )
  }

  /**
   * Makes room at a place: what stands there and right behind it moves on by one. False where that would
   * take the last slot of all.
   */
  #insert(at: number, { fingerprint, extra }: SubjectHash): boolean {
    const cells = this.#cells
    let free = at
    while (wordOf(cells, free + MARK) !== 0) free += CELLS
    if (free === cells.length - CELLS) return false
    cells.copyWithin(at + CELLS, at, free)
    writeWord(cells, at, fingerprint)
    cells[at + EXTRA] = extra
    this.#count += 1
    return true
  }

  #resize(size: number, tail = this.#tail): void {
    if (!this.#moveTo(size, tail)) this.#resize(size, 2 * tail)
  }

  /** Moves everything into a table of another size, in one pass. False where the tail is too short for that. */
  #moveTo(size: number, tail: number): boolean {
    const old = this.#cells
    const cells = new Uint16Array(CELLS * (size + tail))
    let next = 0
    for (let from = 0; from < old.length; from += CELLS) {
      if (wordOf(old, from + MARK) === 0) continue
      const at = Math.max(next, CELLS * homeOf(wordOf(old, from), size))
      if (at >= cells.length - CELLS) return false
      for (let cell = 0; cell < CELLS; cell++) cells[at + cell] = old[from + cell] ?? 0
      next = at + CELLS
    }
    this.#cells = cells
    this.#size = size
    this.#tail = tail
    return true
  }
}

/** Numbers that `peek` notes of a table: the second is 0 where the subject is not in it. */
export const PEEKED = 3
const CELLS = 5
/** Where in a slot its parts begin; the fingerprint does at 0. */
const EXTRA = 2
const MARK = 3
/** Most searches end before that many slots behind the first. */
const SLOTS_AHEAD = 3
const SLOTS_MIN = 1024
const LOAD_MAX = 0.7
const OFFSET_MAX = 0x7fff_ffff
const TAIL_SLOTS_MIN = 64

function wordOf(cells: Uint16Array, at: number): number {
  return (((cells[at] ?? 0) << 16) | (cells[at + 1] ?? 0)) >>> 0
}

function writeWord(cells: Uint16Array, at: number, word: number): void {
  cells[at] = word >>> 16
  cells[at + 1] = word & 0xffff
}

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
 * Hashes subjects for tables, with the number of their kind, under a random key of this process: whoever can choose
 * a subject does not know what it meets. The answer is one object, written anew by each call.
 */
export function createSubjectHasher(
  seed: Uint32Array = randomFillSync(new Uint32Array(2)),
): (kindCode: number, subject: string) => SubjectHash {
  const [seed1 = 0, seed2 = 0] = seed
  const hash = { fingerprint: 0, extra: 0 }
  return (kindCode, subject) => {
    let a = seed1 ^ Math.imul(kindCode, 0x9e3779b1)
    let b = seed2 ^ Math.imul(kindCode, 0x85ebca6b)
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
