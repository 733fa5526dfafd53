/**
 * Remembers the proofs that were used, so that each is accepted once (RFC 9449 §11.1). Processes that serve the same
 * URLs need a common store, otherwise each of them accepts a proof once.
 */
export interface DpopReplayStore {
  /**
   * Uses a proof up, in one atomic step. Returns true for the first call with this id, and false for all later ones
   * until `expiresAt` (milliseconds since 1970). From that time on, nobody accepts the proof. If it throws or rejects,
   * the request gets 503. `id` has 22 characters of base64url.
   */
  use(id: string, expiresAt: number): boolean | Promise<boolean>
}

/** How long one slot of the memory is, in milliseconds. A proof is forgotten at most this much late. */
const SLOT_MS = 15_000

/**
 * Makes a store in the memory of this process. It holds at most `entriesMax` proofs, at about 100 bytes each, and
 * forgets them when they expire. When it is full, `use` throws. Forgetting a proof earlier would accept it again.
 * `clock` returns milliseconds since 1970.
 */
export function createReplayMemory({
  entriesMax,
  clock,
}: {
  readonly entriesMax: number
  readonly clock: () => number
}): DpopReplayStore {
  /** The ids by the end of the slot in which they expire. Whole slots are dropped, so no timer is needed. */
  const slots = new Map<number, Set<string>>()
  let size = 0

  function forgetExpired(now: number): void {
    for (const [end, ids] of slots) {
      if (end > now) continue
      slots.delete(end)
      size -= ids.size
    }
  }

  return {
    use(id, expiresAt) {
      forgetExpired(clock())
      // There are few slots, because no proof lives longer than its nonce or twice its largest age.
      for (const ids of slots.values()) if (ids.has(id)) return false
      if (size >= entriesMax) {
        throw new Error(
          `${entriesMax} DPoP proofs are remembered, and none may be forgotten yet. Raise dpop.replaysMax, or use a store of your own (dpop.replays).`,
        )
      }
      const end = Math.ceil(expiresAt / SLOT_MS) * SLOT_MS
      const ids = slots.get(end) ?? new Set()
      slots.set(end, ids)
      ids.add(id)
      size += 1
      return true
    },
  }
}
