import type { WireBatch } from './batch.ts'

/** How long a batch is kept so that it can be returned to the authority, in milliseconds. */
export const RETAINED_MS = 300_000
/** More than a store can lose: an authority that writes 200 entries a second fills it in five minutes. */
const RETAINED_CHARS_MAX = 4 * 1024 * 1024

/** The approximate size of an entry besides its subject. */
const ENTRY_CHARS = 40

/**
 * The newest signed batches, without a gap. A guard can return them to an authority that has lost its last
 * writes. A store that fails over loses seconds, so minutes are kept. At least the last batch is always kept,
 * because it proves where the log was.
 */
export class RetainedBatches {
  readonly #elapsed: () => number
  #batches: { readonly batch: WireBatch; readonly atMs: number; readonly chars: number }[] = []
  #chars = 0

  constructor(elapsed: () => number) {
    this.#elapsed = elapsed
  }

  add(batch: WireBatch): void {
    const chars = batch.entries.reduce(
      (sum, [, , subject]) => sum + subject.length + ENTRY_CHARS,
      batch.head.length,
    )
    this.#batches.push({ batch, atMs: this.#elapsed(), chars })
    this.#chars += chars
    this.#trim()
  }

  /** Returns the batches, the oldest first. */
  list(): readonly WireBatch[] {
    return this.#batches.map(({ batch }) => batch)
  }

  clear(): void {
    this.#batches = []
    this.#chars = 0
  }

  #trim(): void {
    const nowMs = this.#elapsed()
    let first = 0
    while (first < this.#batches.length - 1) {
      const oldest = this.#batches[first]
      if (oldest === undefined) break
      if (nowMs - oldest.atMs < RETAINED_MS && this.#chars <= RETAINED_CHARS_MAX) break
      this.#chars -= oldest.chars
      first += 1
    }
    if (first > 0) this.#batches.splice(0, first)
  }
}
