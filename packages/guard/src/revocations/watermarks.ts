import { randomFillSync } from 'node:crypto'

import { REVOCATION_KINDS, type RevocationKind } from './entry.ts'

/**
 * The newest position at which each subject was revoked, in a table of 10 bytes a slot: 32 and 16 bits
 * of a keyed hash of kind and subject, and a position of 31 bits from a base, with one bit for `hard`.
 * 10 million entries fit into 150 MiB, where a `Set` of strings takes 711.
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
  #size: number
  #count = 0

  constructor(base: number) {
    this.base = base
    this.#size = SLOTS_MIN
    this.#slots = new Uint32Array(2 * SLOTS_MIN)
    this.#extras = new Uint16Array(SLOTS_MIN)
  }

  /** Distinct subjects. */
  get count(): number {
    return this.#count
  }

  /** Memory of the tables. */
  get bytes(): number {
    return this.#size * BYTES_PER_SLOT
  }

  /** Whether a position is near enough to the base to be stored. */
  holds(position: number): boolean {
    return position - this.base <= OFFSET_MAX
  }

  /** Notes the newest revocation of a subject. Positions come in rising order. */
  raise({ fingerprint, extra }: SubjectHash, position: number, isHard: boolean): void {
    if (this.#count >= this.#size * LOAD_MAX) this.#resize(grownSize(this.#size))
    const slot = this.#slotOf(fingerprint, extra)
    if (this.#slots[2 * slot + 1] === 0) {
      this.#slots[2 * slot] = fingerprint
      this.#extras[slot] = extra
      this.#count += 1
    }
    this.#slots[2 * slot + 1] = ((position - this.base) << 1) | (isHard ? 1 : 0)
  }

  /** The subject's mark, `position * 2 + hard`, or 0 where there is none. No allocation. */
  find({ fingerprint, extra }: SubjectHash): number {
    const word = this.#slots[2 * this.#slotOf(fingerprint, extra) + 1] ?? 0
    return word === 0 ? 0 : word + this.base * 2
  }

  /** Gives back the room that was kept for growing; for a table that takes no more entries. */
  seal(): void {
    this.#resize(Math.max(SLOTS_MIN, Math.ceil(this.#count / LOAD_MAX) + 1))
  }

  // Linear probing: neighbours are in the same lines of the processor's cache.
  #slotOf(fingerprint: number, extra: number): number {
    const slots = this.#slots
    const extras = this.#extras
    const size = this.#size
    let slot = homeOf(fingerprint, size)
    while (slots[2 * slot + 1] !== 0) {
      if (slots[2 * slot] === fingerprint && extras[slot] === extra) return slot
      slot += 1
      if (slot === size) slot = 0
    }
    return slot
  }

  #resize(size: number): void {
    const [slots, extras] = [this.#slots, this.#extras]
    this.#size = size
    this.#slots = new Uint32Array(2 * size)
    this.#extras = new Uint16Array(size)
    for (let old = 0; old < extras.length; old++) {
      const word = slots[2 * old + 1] ?? 0
      if (word === 0) continue
      const fingerprint = slots[2 * old] ?? 0
      const extra = extras[old] ?? 0
      const slot = this.#slotOf(fingerprint, extra)
      this.#slots[2 * slot] = fingerprint
      this.#slots[2 * slot + 1] = word
      this.#extras[slot] = extra
    }
  }
}

const SLOTS_MIN = 1024
const BYTES_PER_SLOT = 10
// A look-up that finds nothing then looks at six slots, on average.
const LOAD_MAX = 0.7
const OFFSET_MAX = 0x7fff_ffff

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
