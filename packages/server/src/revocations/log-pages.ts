import { isSameChain, type LogHead, type WireBatch } from '@countersign/guard/revocations'

import type { RevocationStore } from '../store/store.ts'
import type { BatchSealer } from './seal-batch.ts'
import { encodeMessage } from './subscriber.ts'

/**
 * The largest number of entries in a page. Pages end at multiples of this number, so that guards share the
 * same pages.
 */
export const PAGE_ENTRIES = 2_000
const PAGES_KEPT = 64

/** A part of the log, signed and ready to send. */
export interface LogPage {
  readonly message: Buffer
  /** The head of its last entry. */
  readonly last: LogHead
}

/**
 * Keeps older parts of the log for guards that catch up. Each page is signed only once, even if many guards
 * reconnect at the same time.
 */
export class LogPages {
  readonly #store: Pick<RevocationStore, 'tail'>
  readonly #sealer: BatchSealer
  readonly #kept = new Map<number, LogPage>()
  #proof: { readonly head: LogHead; readonly batch: WireBatch } | undefined

  constructor(parts: {
    readonly store: Pick<RevocationStore, 'tail'>
    readonly sealer: BatchSealer
  }) {
    this.#store = parts.store
    this.#sealer = parts.sealer
  }

  /** Removes all pages, because the log or the signing key has changed. */
  clear(): void {
    this.#kept.clear()
    this.#proof = undefined
  }

  /** Proves a head with an empty batch. Guards that start together get the same one, signed once. */
  proof(head: LogHead): WireBatch {
    const kept = this.#proof
    if (kept?.head.position === head.position && isSameChain(kept.head.chain, head.chain)) {
      return kept.batch
    }
    const batch = this.#sealer.seal(head, [])
    this.#proof = { head, batch }
    return batch
  }

  /**
   * Returns the entries after a head, up to `until` or the end of the page. Returns undefined if the log does
   * not contain the head, or has no entries after it.
   */
  async after(head: LogHead, until: number): Promise<LogPage | undefined> {
    const kept = this.#kept.get(head.position)
    if (kept !== undefined) return kept
    const limit = PAGE_ENTRIES - (head.position % PAGE_ENTRIES)
    const { chain, entries } = await this.#store.tail(head.position, limit)
    if (!isSameChain(chain, head.chain)) return undefined
    const wanted = entries.filter(({ position }) => position <= until)
    const last = wanted.at(-1)
    if (last === undefined) return undefined
    const batch = this.#sealer.seal(head, wanted)
    const page = { message: encodeMessage({ type: 'batch', ...batch }), last }
    if (wanted.length === PAGE_ENTRIES) this.#keep(head.position, page)
    return page
  }

  #keep(after: number, page: LogPage): void {
    const [oldest] = this.#kept.keys()
    if (this.#kept.size >= PAGES_KEPT && oldest !== undefined) this.#kept.delete(oldest)
    this.#kept.set(after, page)
  }
}
