import { setImmediate } from 'node:timers/promises'

import type { Logger } from 'pino'

import type { PasswordHasher } from '../accounts/passwords.ts'
import type { Clock } from '../base/clock.ts'
import { messageOf } from '../base/faults.ts'
import { randomId, type Random } from '../base/random.ts'
import type { KeyRing } from '../keys/ring.ts'
import type { Store } from '../store/store.ts'

const INTERVAL_MS = 3_600_000
const KEY_INTERVAL_MS = 60_000
const PURGE_ROWS = 1_000
const PURGE_AFTER_MS = 86_400_000
const HASH_SAMPLE = 200

/** Dependencies of the background work. */
export interface UpkeepOptions {
  readonly store: Store
  readonly ring: KeyRing
  readonly hasher: PasswordHasher
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

/** Gives the hasher a sample of the stored hashes, whose cost it imitates for unknown accounts. */
export async function imitateHashes({
  store,
  hasher,
  random,
}: Pick<UpkeepOptions, 'store' | 'hasher' | 'random'>): Promise<void> {
  hasher.imitate(await sampleHashes(store, random))
}

/**
 * Starts the background work: purging old rows and sampling password hashes every hour, rotating keys every
 * minute. Returns the function that stops it.
 */
export function startUpkeep(options: UpkeepOptions): () => void {
  const { store, ring, clock, logger } = options
  const hourly = setInterval(() => {
    void keepUp(logger, 'purge', () => purge(store, clock, logger))
    void keepUp(logger, 'imitate_hashes', () => imitateHashes(options))
  }, INTERVAL_MS)
  hourly.unref()
  const keys = setInterval(() => {
    void keepUp(logger, 'keys', () => ring.keepUp())
  }, KEY_INTERVAL_MS)
  keys.unref()
  return () => {
    clearInterval(hourly)
    clearInterval(keys)
  }
}

/** Work that failed is tried again in the next round. */
async function keepUp(logger: Logger, work: string, run: () => Promise<void>): Promise<void> {
  try {
    await run()
  } catch (error) {
    logger.error({ event: 'upkeep_failed', work, error: messageOf(error) })
  }
}

/**
 * Removes sessions a day after their absolute end, so that an old token is still called ended, not
 * unknown. Removes counted attempts when they count no more.
 */
async function purge(store: Store, clock: Clock, logger: Logger): Promise<void> {
  let removed: number
  do {
    removed = await store.sessions.purge(clock.nowMs() - PURGE_AFTER_MS, PURGE_ROWS)
    removed = Math.max(removed, await store.throttles.purge(clock.nowMs(), PURGE_ROWS))
    if (removed > 0) logger.info({ event: 'purged', removed })
    await setImmediate() // requests come first
  } while (removed === PURGE_ROWS)
}

/** Account ids are random, so a run of accounts from a random place is as good as drawing each one. */
async function sampleHashes({ accounts }: Store, random: Random): Promise<readonly string[]> {
  const some = await accounts.sampleHashes(`acct_${randomId(random)}`, HASH_SAMPLE)
  return some.length === HASH_SAMPLE
    ? some
    : [...some, ...(await accounts.sampleHashes('', HASH_SAMPLE - some.length))]
}
