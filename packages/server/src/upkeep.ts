import { setImmediate } from 'node:timers/promises'

import type { Logger } from 'pino'

import type { PasswordHasher } from './accounts/passwords.ts'
import { messageOf } from './base/faults.ts'
import { randomId, type Random } from './base/random.ts'
import type { AuditStore, Store } from './store/store.ts'

/** How long rows are kept that are no longer needed, in milliseconds. Undefined: always. */
export interface Retention {
  readonly auditMs: number | undefined
  /** `RevocationStore.prune` describes its lower limit. The settings check that limit. */
  readonly revocationsMs: number | undefined
}

/** The dependencies of the background work. */
export interface UpkeepOptions {
  readonly store: Store
  readonly retention: Retention
  readonly hasher: PasswordHasher
  readonly random: Random
  /** Rotates and removes keys that are due. */
  readonly keepUpKeys: () => Promise<void>
  /** Whether several servers may run on this database, and register there. */
  readonly hasNodes: boolean
  /** Whether this server does the work that one node does for all. */
  readonly leads: () => boolean
  readonly logger: Logger
}

const ROUND_MS = 60_000
/** Every round checks the keys. The first round deletes old rows, and then one round an hour. */
const ROUNDS_AN_HOUR = 60
/**
 * A session is kept for a day after its absolute end. Until then its old tokens are reported as ended, not as
 * unknown.
 */
const SESSION_KEPT_MS = 86_400_000
/** A mail that was sent or has failed stays in `countersign mail list` for a week. */
const MAIL_KEPT_MS = 7 * 86_400_000
/** Expired invitations stay in lists for a month, so that they can be sent again. */
const INVITATION_KEPT_MS = 30 * 86_400_000
/** The row of a node that died stays for some minutes. Its last lease ends after half a minute. */
const NODE_KEPT_MS = 300_000
/** One step deletes at most this many rows. */
const STEP_ROWS = 500
/**
 * One round deletes at most a day of the audit and of the log, counted from the oldest row. If the clock is wrong by
 * years for some hours, it costs some days of the audit, not the whole audit.
 */
const ROUND_DELETES_MS = 86_400_000
const HASH_SAMPLE = 200

/**
 * Starts the background work: it rotates keys on schedule and deletes rows that are no longer needed, in
 * small steps. Failed work is logged and repeated in its next round. Returns the function that stops the
 * work.
 *
 * One node does it for all. Each step is one atomic call of the store that is right whoever makes it, and however late:
 * a deletion has its condition in itself, and a change of the ring names the ring that it expects. So a node that was
 * paused and continues beside the new leader does no harm.
 */
export function startUpkeep(options: UpkeepOptions): () => void {
  const { logger, store, retention, leads } = options
  let isStopped = false
  let round = 0
  let purgedAtRound = -Infinity
  const goesOn = (): boolean => !isStopped && leads()
  const timer = setInterval(() => {
    round += 1
    // Each node imitates for its own logins.
    if (round % ROUNDS_AN_HOUR === 1) {
      void attempt(logger, 'imitate_hashes', () => imitateStoredHashes(options))
    }
    if (!leads()) return
    void attempt(logger, 'keys', options.keepUpKeys)
    if (options.hasNodes) void attempt(logger, 'nodes', () => store.nodes.purge(NODE_KEPT_MS))
    if (round - purgedAtRound < ROUNDS_AN_HOUR) return
    purgedAtRound = round
    void attempt(logger, 'purge', () => purge(store, retention, logger, goesOn))
  }, ROUND_MS)
  timer.unref()
  return () => {
    isStopped = true
    clearInterval(timer)
  }
}

/**
 * Lets the hasher imitate the stored hashes, so that a login to an unknown account costs the same. The sample
 * begins at a random account id. Account ids are random, so this is as good as drawing each account
 * separately.
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

/** Deletes rows that have expired or are older than their retention, one kind of row after another. */
async function purge(
  store: Store,
  { auditMs, revocationsMs }: Retention,
  logger: Logger,
  goesOn: () => boolean,
): Promise<void> {
  const steps: Readonly<Record<string, () => Promise<number>>> = {
    sessions: () => store.sessions.purge(SESSION_KEPT_MS, STEP_ROWS),
    throttles: () => store.throttles.purge(STEP_ROWS),
    mails: () => store.mail.purge(MAIL_KEPT_MS, STEP_ROWS),
    consumed: () => store.purgeConsumed(STEP_ROWS),
    invitations: () => store.invitations.purge(INVITATION_KEPT_MS, STEP_ROWS),
    challenges: () => store.factors.purge(STEP_ROWS),
    mail_codes: () => store.mailCodes.purge(STEP_ROWS),
    sso: () => store.sso.grants.purge(STEP_ROWS),
    ...(await pruning('audit', store.audit, auditMs)),
    ...(await pruning('revocations', store.revocations, revocationsMs)),
  }
  for (const [rows, step] of Object.entries(steps)) {
    let removed = 0
    let last = STEP_ROWS
    while (last === STEP_ROWS && goesOn()) {
      last = await step()
      removed += last
      await setImmediate() // Requests run first.
    }
    if (removed > 0) logger.info({ event: 'purged', rows, removed })
  }
}

/** The step that deletes old rows of a table in this round. No step if the table is kept for ever. */
async function pruning(
  rows: string,
  table: Pick<AuditStore, 'prune' | 'oldestAt'>,
  keptMs: number | undefined,
): Promise<Readonly<Record<string, () => Promise<number>>>> {
  const oldestAt = keptMs === undefined ? undefined : await table.oldestAt()
  if (keptMs === undefined || oldestAt === undefined) return {}
  return { [rows]: () => table.prune(keptMs, STEP_ROWS, oldestAt + ROUND_DELETES_MS) }
}

async function attempt(logger: Logger, work: string, run: () => Promise<unknown>): Promise<void> {
  try {
    await run()
  } catch (error) {
    logger.error({ event: 'upkeep_failed', work, error: messageOf(error) })
  }
}
