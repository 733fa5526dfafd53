import type { AuditContext } from '../audit-context.ts'
import type { Change } from '../change.ts'
import { auditSession } from '../sql/audit.ts'
import { BatchQueue } from '../sql/batch-queue.ts'
import { columnsOf } from '../sql/columns.ts'
import { appendRevocation } from '../sql/revocations.ts'
import type { SessionEnding } from '../store.ts'
import type { PostgresDatabase } from './database.ts'
import { isOfValue } from './errors.ts'
import type { PostgresTransaction } from './transaction.ts'

const sessions = columnsOf('sessions')

/** A transaction that appends to the log keeps others from appending, so its size has a limit. */
const BATCH_MAX = 64

interface Job {
  readonly sessionId: string
  readonly ending: SessionEnding
  readonly context: AuditContext
  readonly resolve: (change: Change) => void
  readonly reject: (fault: unknown) => void
}

/**
 * Logouts that arrive while the batch before is written share one transaction. Each needs the lock of the log's head,
 * so on their own they would wait for one another, each for all its round trips.
 */
export class EndBatches {
  readonly #db: PostgresDatabase
  readonly #queue: BatchQueue<Job>

  constructor(db: PostgresDatabase) {
    this.#db = db
    this.#queue = new BatchQueue(BATCH_MAX, (batch) => this.#run(batch))
  }

  /** See `SessionStore.end`. */
  end(sessionId: string, ending: SessionEnding, context: AuditContext): Promise<Change> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ sessionId, ending, context, resolve, reject })
    })
  }

  async #run(batch: readonly Job[]): Promise<void> {
    try {
      const changes = await this.#db.write((tx) => endAll(tx, batch), 'none')
      for (const job of batch) job.resolve(changes.get(job) ?? 'unchanged')
    } catch (fault) {
      // One of them spoils the statements of all, so each is ended by itself.
      const isOfOne = isOfValue(fault) && batch.length > 1
      if (isOfOne) for (const job of batch) await this.#run([job])
      else for (const { reject } of batch) reject(fault)
    }
  }
}

/** Ends the sessions of a batch in the order of their arrival. Of two jobs for one session, the first changes it. */
async function endAll(tx: PostgresTransaction, batch: readonly Job[]): Promise<Map<Job, Change>> {
  const ids = [...new Set(batch.map(({ sessionId }) => sessionId))]
  await tx.allOf(LOCK_ACCOUNTS, [ids])
  const rows = await tx.allOf('SELECT id, account_id, ended_at FROM sessions WHERE id = ANY(?)', [
    ids,
  ])
  const open = new Map(rows.map((row) => [sessions.text(row, 'id'), row]))
  const changes = new Map<Job, Change>()
  const ended: { readonly job: Job; readonly accountId: string }[] = []
  for (const job of batch) {
    const row = open.get(job.sessionId)
    if (row === undefined) changes.set(job, 'unknown')
    else if (sessions.integerOrUndefined(row, 'ended_at') === undefined) {
      open.set(job.sessionId, { ...row, ended_at: job.context.at })
      ended.push({ job, accountId: sessions.text(row, 'account_id') })
      changes.set(job, 'changed')
    }
  }
  if (ended.length === 0) return changes
  await tx.allOf(END, [
    ended.map(({ job }) => job.sessionId),
    ended.map(({ job }) => job.context.at),
  ])
  // Sent together, and written in this order.
  await Promise.all(
    ended.map(({ job: { sessionId: id, ending, context }, accountId }) =>
      auditSession(tx, { id, accountId }, ending.event, context, ending.detail),
    ),
  )
  for (const { job } of ended) {
    await appendRevocation(tx, 'session', job.sessionId, 'hard', job.context.at)
  }
  return changes
}

/** Locks the accounts of sessions like a transaction with the scope of an account, in an order that all batches keep. */
const LOCK_ACCOUNTS = `
  SELECT pg_advisory_xact_lock(a.key) FROM (
    SELECT DISTINCT hashtextextended(account_id, 0) AS key FROM sessions WHERE id = ANY(?)
    ORDER BY key) a`
const END = `
  UPDATE sessions s SET ended_at = e.at
  FROM unnest(CAST(? AS text[]), CAST(? AS bigint[])) AS e (id, at) WHERE s.id = e.id`
