import type { WireBatch } from './batch.ts'

/** How long a batch is kept to be handed back, and how many characters of them. */
export const RETAINED_MS = 300_000
const RETAINED_CHARS_MAX = 8 * 1024 * 1024

/** What an entry takes beside its subject, roughly. */
const ENTRY_CHARS = 40

/**
 * The newest signed batches, without a gap: what an authority that has lost its last writes can be given
 * back. A store that fails over loses seconds, so minutes are kept; always at least the last batch, which
 * proves where the log was.
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

  /** The oldest first. */
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
