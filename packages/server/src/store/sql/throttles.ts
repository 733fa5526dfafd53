import type { EpochMs } from '../../base/clock.ts'
import type { ThrottleStore } from '../store.ts'
import type { ThrottleBucket } from '../throttle.ts'
import { columnsOf } from './columns.ts'
import type { Database, Engine, GroupCommit, Transaction } from './database.ts'

const throttles = columnsOf('throttles')

/** Counted attempts in SQL. */
export function createThrottleStore(db: Database, together: GroupCommit): ThrottleStore {
  return {
    take: async (buckets) =>
      db.write(async (tx) => {
        const now = tx.nowMs()
        const inTurn = inOrder(buckets)
        let longest = 0
        for (const bucket of inTurn) longest = Math.max(longest, await waitOf(tx, bucket, now))
        // An attempt counts in all buckets or in none: an attempt that one bucket refuses must not fill the
        // others.
        if (longest > 0) return { ok: false, retryAfterMs: longest }
        for (const bucket of inTurn) await add(tx, bucket, now)
        return { ok: true }
      }, 'none'),

    giveBack: async (buckets) => {
      if (buckets.length === 0) return
      await together.run(async (tx) => {
        for (const { key, intervalMs } of inOrder(buckets)) {
          await tx.run(
            'UPDATE throttles SET empty_at = empty_at - ? WHERE key = ?',
            intervalMs,
            key,
          )
        }
      }, 'none')
    },

    purge: async (limit) =>
      db.write(
        async (tx) =>
          tx.run(
            'DELETE FROM throttles WHERE key IN (SELECT key FROM throttles WHERE empty_at < ? LIMIT ?)',
            tx.nowMs(),
            limit,
          ),
        'none',
      ),
  }
}

/**
 * Sorts the buckets by key. All transactions write rows in this order, so two transactions never wait for
 * each other.
 */
function inOrder(buckets: readonly ThrottleBucket[]): readonly ThrottleBucket[] {
  return buckets.toSorted((one, other) => (one.key < other.key ? -1 : 1))
}

/** Reads a bucket that nobody else changes until the transaction ends. PostgreSQL must write the row to lock it. */
const READ_BUCKET: Readonly<Record<Engine, string>> = {
  sqlite: 'SELECT empty_at FROM throttles WHERE key = ?',
  postgres: `INSERT INTO throttles (key, empty_at) VALUES (?, 0)
             ON CONFLICT (key) DO UPDATE SET empty_at = throttles.empty_at RETURNING empty_at`,
}

/** Returns how long until the bucket accepts one more attempt. Returns 0 if it accepts one now. */
async function waitOf(tx: Transaction, bucket: ThrottleBucket, now: EpochMs): Promise<number> {
  const row = await tx.get(READ_BUCKET[tx.engine], bucket.key)
  const emptyAt = row === undefined ? 0 : throttles.integer(row, 'empty_at')
  const fullMs = bucket.triesMax * bucket.intervalMs
  const filledMs = Math.max(0, emptyAt - now)
  // A bucket above its limit means that the clock was set back. That must lock nobody out.
  return filledMs > fullMs ? 0 : Math.max(0, filledMs + bucket.intervalMs - fullMs)
}

async function add(
  tx: Transaction,
  { key, triesMax, intervalMs }: ThrottleBucket,
  now: EpochMs,
): Promise<void> {
  await tx.run(
    `INSERT INTO throttles (key, empty_at) VALUES (?, ?)
     ON CONFLICT (key) DO UPDATE SET empty_at = excluded.empty_at
       + CASE WHEN throttles.empty_at BETWEEN ? AND ? THEN throttles.empty_at - ? ELSE 0 END`,
    key,
    now + intervalMs,
    now,
    now + triesMax * intervalMs,
    now,
  )
}
