import { RevocationLog } from '@countersign/guard/revocations'

import { StoreFault } from '../base/faults.ts'
import type { EpochMs } from '../base/clock.ts'
import type { RevocationStore } from '../store/store.ts'

/** How many entries of the log are read from the store at once. */
export const BATCH_ENTRIES_MAX = 10_000

/** A guard may accept a token for this long after its `exp`, because clocks differ. */
const TOLERANCE_MS_MAX = 60_000

/**
 * How long an entry is kept in memory, in milliseconds: as long as a token that was minted before the entry
 * can be valid.
 */
export function retainMs({ accessLifetimeSec }: { readonly accessLifetimeSec: number }): number {
  return accessLifetimeSec * 1000 + TOLERANCE_MS_MAX
}

/** Makes an empty copy that begins at the position at which the oldest valid token can have been issued. */
export async function emptyLog(
  store: Pick<RevocationStore, 'floorBefore'>,
  keptMs: number,
  nowMs: EpochMs,
): Promise<RevocationLog> {
  return new RevocationLog(await store.floorBefore(nowMs - keptMs), { retainMs: keptMs })
}

/**
 * Reads the copy of the log that a server holds when it starts at `nowMs`. `keptMs` is the result of
 * `retainMs`. Throws a `StoreFault` if the entries do not follow each other.
 */
export async function readLogCopy(
  store: Pick<RevocationStore, 'floorBefore' | 'tail'>,
  keptMs: number,
  nowMs: EpochMs,
): Promise<RevocationLog> {
  const log = await emptyLog(store, keptMs, nowMs)
  for (;;) {
    const { entries } = await store.tail(log.position, BATCH_ENTRIES_MAX)
    const last = entries.at(-1)
    if (last === undefined) return log
    // The copy is read at one moment, so nothing in it grows old.
    const fault = log.apply(entries, last.chain, 0)
    if (fault !== undefined) {
      throw new StoreFault(
        `The revocation log cannot be read (${fault}). If a server repairs it at this moment, try again.`,
      )
    }
  }
}
