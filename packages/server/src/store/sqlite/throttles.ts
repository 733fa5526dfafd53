import type { ThrottleStore } from '../store.ts'
import type { Bucket } from '../throttle.ts'
import { step, type SqliteDatabase } from './database.ts'

export function createThrottleStore(db: SqliteDatabase): ThrottleStore {
  return {
    take: async (buckets, now) =>
      db.write(() => {
        const waits = buckets.map((bucket) => waitOf(db, bucket, now))
        const longest = Math.max(0, ...waits)
        // All or nothing: a try that one bucket refuses must not fill the others.
        if (longest > 0) return { ok: false, retryAfterMs: longest }
        for (const bucket of buckets) add(db, bucket, now)
        return { ok: true }
      }),

    purge: async (before, limit) =>
      step(() =>
        db.run(
          'DELETE FROM throttles WHERE key IN (SELECT key FROM throttles WHERE empty_at < ? LIMIT ?)',
          before,
          limit,
        ),
      ),
  }
}

/** How long until the bucket takes one more try; 0 when it does now. */
function waitOf(db: SqliteDatabase, bucket: Bucket, now: number): number {
  const row = db.get('SELECT empty_at FROM throttles WHERE key = ?', bucket.key)
  const fullMs = bucket.triesMax * bucket.intervalMs
  const filledMs = Math.max(0, Number(row?.['empty_at'] ?? 0) - now)
  // Fuller than full: the clock was set back. Nobody is locked out for that.
  return filledMs > fullMs ? 0 : Math.max(0, filledMs + bucket.intervalMs - fullMs)
}

function add(db: SqliteDatabase, { key, triesMax, intervalMs }: Bucket, now: number): void {
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

/** Takes a try out again that was none: the password was right. */
export function giveBack(db: SqliteDatabase, buckets: readonly Bucket[]): void {
  for (const { key, intervalMs } of buckets) {
    db.run('UPDATE throttles SET empty_at = empty_at - ? WHERE key = ?', intervalMs, key)
  }
}
