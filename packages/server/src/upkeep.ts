import { setImmediate } from 'node:timers/promises'

import type { Logger } from 'pino'

import type { PasswordHasher } from './accounts/passwords.ts'
import { messageOf } from './base/faults.ts'
import { randomId, type Random } from './base/random.ts'
import type { Store } from './store/store.ts'

/** How long rows are kept that nothing needs any more, in milliseconds. Undefined: for ever. */
export interface Retention {
  readonly auditMs: number | undefined
  /** See `RevocationStore.prune` for what it must exceed; the settings check it. */
  readonly revocationsMs: number | undefined
}

/** The parts that the work in the background uses. */
export interface UpkeepOptions {
  readonly store: Store
  readonly retention: Retention
  readonly hasher: PasswordHasher
  readonly random: Random
  /** Rotates and removes keys whose time has come. */
  readonly keepUpKeys: () => Promise<void>
  readonly logger: Logger
}

const ROUND_MS = 60_000
/** Keys are looked after in every round; the rest in the first round and then once an hour. */
const ROUNDS_AN_HOUR = 60
/** A session stays for a day after its absolute end, so that its old tokens are called ended, not unknown. */
const SESSION_KEPT_MS = 86_400_000
/** One step deletes this many rows: some milliseconds in which no request runs. */
const STEP_ROWS = 500
const HASH_SAMPLE = 200

/**
 * Starts the work in the background: keys change on schedule, and rows that nothing needs are deleted in small steps
 * beside the traffic. Work that fails is logged and tried again in its next round. Gives the function that stops it.
 */
export function startUpkeep(options: UpkeepOptions): () => void {
  const { logger, store, retention } = options
  const signal = { isStopped: false }
  let round = 0
  const timer = setInterval(() => {
    void attempt(logger, 'keys', options.keepUpKeys)
    if (round % ROUNDS_AN_HOUR === 0) {
      void attempt(logger, 'purge', () => purge(store, retention, logger, signal))
      void attempt(logger, 'imitate_hashes', () => imitateStoredHashes(options))
    }
    round += 1
  }, ROUND_MS)
  timer.unref()
  return () => {
    signal.isStopped = true
    clearInterval(timer)
  }
}

/**
 * Lets the hasher imitate the hashes that the store holds, so that a password for an unknown account costs the same. The
 * sample begins at a random place: account ids are random, so that is as good as drawing each account by itself.
 */
export async function imitateStoredHashes({
  store: { accounts },
  hasher,
  random,
}: Pick<UpkeepOptions, 'store' | 'hasher' | 'random'>): Promise<void> {
  const some = await accounts.sampleHashes(`acct_${randomId(random)}`, HASH_SAMPLE)
  const more =
    some.length === HASH_SAMPLE ? [] : await accounts.sampleHashes('', HASH_SAMPLE - some.length)
  hasher.imitate([...some, ...more])
}

/** Deletes what has expired or outlived its retention, one kind of row after the other. */
async function purge(
  store: Store,
  { auditMs, revocationsMs }: Retention,
  logger: Logger,
  signal: { readonly isStopped: boolean },
): Promise<void> {
  const steps: Readonly<Record<string, () => Promise<number>>> = {
    sessions: () => store.sessions.purge(SESSION_KEPT_MS, STEP_ROWS),
    throttles: () => store.throttles.purge(STEP_ROWS),
    consumed: () => store.purgeConsumed(STEP_ROWS),
    ...(auditMs === undefined ? {} : { audit: () => store.audit.prune(auditMs, STEP_ROWS) }),
    ...(revocationsMs === undefined
      ? {}
      : { revocations: () => store.revocations.prune(revocationsMs, STEP_ROWS) }),
  }
  for (const [rows, step] of Object.entries(steps)) {
    let removed = 0
    let last = STEP_ROWS
    while (last === STEP_ROWS && !signal.isStopped) {
      last = await step()
      removed += last
      await setImmediate() // requests come first
    }
    if (removed > 0) logger.info({ event: 'purged', rows, removed })
  }
}

async function attempt(logger: Logger, work: string, run: () => Promise<void>): Promise<void> {
  try {
    await run()
  } catch (error) {
    logger.error({ event: 'upkeep_failed', work, error: messageOf(error) })
  }
}
