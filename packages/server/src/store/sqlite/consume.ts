import { createHash } from 'node:crypto'

import type { Clock, EpochMs } from '../../base/clock.ts'
import { step, type SqliteDatabase } from './database.ts'

/**
 * Records that an id is used: see `Store.consume`. Call it inside a transaction.
 *
 * The row holds the SHA-256 of the id, because ids may be secrets, such as codes and links, and a leaked
 * database must not contain them. An attacker could find a short code from its hash, but that code is already
 * used up.
 */
export function consume(
  db: SqliteDatabase,
  {
    kind,
    id,
    expiresAt,
  }: { readonly kind: string; readonly id: string; readonly expiresAt: EpochMs },
  now: EpochMs,
): boolean {
  // The row of an expired id may already be deleted, so the id could otherwise be used a second time.
  if (expiresAt <= now) return false
  const inserted = db.run(
    `INSERT INTO consumed (kind, id_hash, expires_at) VALUES (?, ?, ?)
     ON CONFLICT (kind, id_hash) DO NOTHING`,
    kind,
    createHash('sha256').update(id).digest(),
    expiresAt,
  )
  return inserted === 1
}

/** Removes up to `limit` ids that have expired. Returns how many it removed. */
export function purgeConsumed(db: SqliteDatabase, clock: Clock, limit: number): number {
  return step(() =>
    db.run(
      `DELETE FROM consumed WHERE (kind, id_hash) IN
         (SELECT kind, id_hash FROM consumed WHERE expires_at <= ? LIMIT ?)`,
      clock.nowMs(),
      limit,
    ),
  )
}
