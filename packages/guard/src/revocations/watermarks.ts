import { randomFillSync } from 'node:crypto'

import { REVOCATION_KINDS, type RevocationKind } from './entry.ts'

/**
 * The newest position at which each subject was revoked, in a table of 10 bytes a slot. A slot holds 32 and
 * 16 bits of a keyed hash of kind and subject, a position of 31 bits from a base, and one bit for `hard`. 10
 * million entries fit into 150 MiB, where a `Set` of strings takes 711 MiB.
 *
 * It uses open addressing with linear probing, sorted by fingerprint: a larger fingerprint has a later first
 * slot. So a look-up ends at the first larger fingerprint, mostly in the cache line where it began. The table
 * grows in one pass from start to end.
 *
 * A look-up finds a subject that is not in the table with probability n / 2^48 for n entries: with ten
 * million entries, once in 28 million look-ups. The guard then refuses too much, never too little.
 */
export class WatermarkTable {
  /** Positions are stored relative to this base. The first entry is `base + 1`. */
  readonly base: number
  /**
   * Five numbers of 16 bits a slot: fingerprint, extra bits and mark, the upper halves first. The mark is
   * `(position - base) << 1 | hard`, and 0 in a free slot. The parts of a slot are adjacent, so that a
   * look-up waits for one line of memory.
   */
  #cells = new Uint16Array(CELLS * (SLOTS_MIN + TAIL_SLOTS_MIN))
  /** The number of slots in which a fingerprint can begin. */
  #size = SLOTS_MIN
  /**
   * The number of slots after them, for fingerprints that are pushed past the end. The last one is always
   * free, so every run ends there.
   */
  #tail = TAIL_SLOTS_MIN
  #count = 0

  constructor(base: number) {
    this.base = base
  }

  /** The number of distinct subjects. */
  get count(): number {
    return this.#count
  }

  /** The size of the table in bytes. */
  get bytes(): number {
    return this.#cells.byteLength
  }

  /** Whether a position is close enough to the base to be stored. */
  holds(position: number): boolean {
    return position - this.base <= OFFSET_MAX
  }

  /** Records the newest revocation of a subject. Positions must come in rising order. */
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
   * Writes to `peeked`, at `PEEKED * index`, the first slot of the subject and what is there. Nothing depends
   * on the values that it reads. So the processor waits for the memory of several tables at once, and also
   * for the next line, where the search may end.
   */
  peek({ fingerprint }: SubjectHash, peeked: Uint32Array, index: number): void {
    const home = homeOf(fingerprint, this.#size)
    peeked[PEEKED * index] = home
    peeked[PEEKED * index + 1] = wordOf(this.#cells, CELLS * home + MARK)
    peeked[PEEKED * index + 2] = this.#cells[CELLS * (home + SLOTS_AHEAD)] ?? 0
  }

  /**
   * Returns the subject's mark, `position * 2 + hard`, or 0 if it has none. `home` is the value that `peek`
   * wrote. Allocates nothing.
   */
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

  /** Releases the memory that was reserved for growing. For a table that gets no more entries. */
  seal(): void {
    this.#resize(Math.max(SLOTS_MIN, Math.ceil(this.#count / LOAD_MAX) + 1))
  }

  /**
   * Returns the offset where a subject is or belongs: the first slot that is free or has a larger
   * fingerprint.
   */
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
   * Makes room at an offset by moving what is there and right after it by one slot. Returns false if that
   * would fill the last slot.
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

  /** Moves everything into a table of another size, in one pass. Returns false if the tail is too short. */
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

/** How many numbers `peek` writes for a table. The second is 0 if the subject is not in the table. */
export const PEEKED = 3
const CELLS = 5
/** The offsets of a slot's parts. The fingerprint is at 0. */
const EXTRA = 2
const MARK = 3
/** Most searches end within this many slots after the first. */
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

// The slot depends on the fingerprint alone, so a table grows without the subjects' texts.
function homeOf(fingerprint: number, size: number): number {
  return Math.floor((fingerprint * size) / 0x1_0000_0000)
}

// Small tables grow fast. Large tables grow slowly, so that at most 40 % is free.
function grownSize(size: number): number {
  return size < 1_048_576 ? size * 2 : Math.ceil(size * 1.15)
}

/** The part of a subject that a table stores. */
export interface SubjectHash {
  /** 32 bits. */
  readonly fingerprint: number
  /** 16 bits. */
  readonly extra: number
}

/**
 * Makes the function that hashes a subject with the number of its kind, under a random key of this process.
 * An attacker who can choose a subject does not know which others it collides with. The function returns one
 * object that each call overwrites.
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

/** A small number for each kind of entry. */
export const KIND_CODES = Object.fromEntries(
  REVOCATION_KINDS.map((kind, index) => [kind, index + 1]),
) as Readonly<Record<RevocationKind, number>>
