import type { Clock, EpochMs } from '../../base/clock.ts'
import type { ThrottleStore } from '../store.ts'
import type { ThrottleBucket } from '../throttle.ts'
import { columnsOf } from './columns.ts'
import type { SqliteDatabase } from './database.ts'
import type { GroupCommit } from './group-commit.ts'

const throttles = columnsOf('throttles')

/** Counted attempts on SQLite. */
export function createThrottleStore(
  db: SqliteDatabase,
  together: GroupCommit,
  clock: Clock,
): ThrottleStore {
  return {
    take: async (buckets) =>
      db.write(() => {
        const now = clock.nowMs()
        const waits = buckets.map((bucket) => waitOf(db, bucket, now))
        const longest = Math.max(0, ...waits)
        // An attempt counts in all buckets or in none: an attempt that one bucket refuses must not fill the
        // others.
        if (longest > 0) return { ok: false, retryAfterMs: longest }
        for (const bucket of inOrder(buckets)) add(db, bucket, now)
        return { ok: true }
      }),

    giveBack: async (buckets) => {
      if (buckets.length === 0) return
      await together.run(() => {
        for (const { key, intervalMs } of inOrder(buckets)) {
          db.run('UPDATE throttles SET empty_at = empty_at - ? WHERE key = ?', intervalMs, key)
        }
      })
    },

    purge: async (limit) =>
      db.write(() =>
        db.run(
          'DELETE FROM throttles WHERE key IN (SELECT key FROM throttles WHERE empty_at < ? LIMIT ?)',
          clock.nowMs(),
          limit,
        ),
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

/** Returns how long until the bucket accepts one more attempt. Returns 0 if it accepts one now. */
function waitOf(db: SqliteDatabase, bucket: ThrottleBucket, now: EpochMs): number {
  const row = db.get('SELECT empty_at FROM throttles WHERE key = ?', bucket.key)
  const emptyAt = row === undefined ? 0 : throttles.integer(row, 'empty_at')
  const fullMs = bucket.triesMax * bucket.intervalMs
  const filledMs = Math.max(0, emptyAt - now)
  // A bucket above its limit means that the clock was set back. That must lock nobody out.
  return filledMs > fullMs ? 0 : Math.max(0, filledMs + bucket.intervalMs - fullMs)
}

function add(
  db: SqliteDatabase,
  { key, triesMax, intervalMs }: ThrottleBucket,
  now: EpochMs,
): void {
  db.run(
    `INSERT INTO throttles (key, empty_at) VALUES (?, ?)
     ON CONFLICT (key) DO UPDATE SET empty_at = excluded.empty_at
       + CASE WHEN empty_at BETWEEN ? AND ? THEN empty_at - ? ELSE 0 END`,
    key,
    now + intervalMs,
    now,
    now + triesMax * intervalMs,
    now,
  )
}
