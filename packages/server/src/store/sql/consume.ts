import { createHash } from 'node:crypto'

import type { EpochMs } from '../../base/clock.ts'
import { columnsOf } from './columns.ts'
import type { Database, Transaction } from './database.ts'

const consumed = columnsOf('consumed')

/**
 * Records that an id is used: see `Store.consume`. Call it inside a transaction.
 *
 * The row holds the SHA-256 of the id, because ids may be secrets, such as codes and links, and a leaked
 * database must not contain them. An attacker could find a short code from its hash, but that code is already
 * used up.
 */
export async function consume(
  tx: Transaction,
  {
    kind,
    id,
    expiresAt,
  }: { readonly kind: string; readonly id: string; readonly expiresAt: EpochMs },
  now: EpochMs,
): Promise<boolean> {
  if (!Number.isSafeInteger(expiresAt)) {
    throw new TypeError('consume needs an expiry in whole milliseconds since 1970.')
  }
  // The row of an expired id may already be deleted, so the id could otherwise be used a second time. That also holds
  // after the clock was set back.
  if (expiresAt <= Math.max(now, await purgedUntil(tx))) return false
  const inserted = await tx.run(
    `INSERT INTO consumed (kind, id_hash, expires_at) VALUES (?, ?, ?)
     ON CONFLICT (kind, id_hash) DO NOTHING`,
    kind,
    createHash('sha256').update(id).digest(),
    expiresAt,
  )
  return inserted === 1
}

/** Removes up to `limit` ids that have expired. Returns how many it removed. */
export async function purgeConsumed(db: Database, limit: number): Promise<number> {
  return db.write(async (tx) => {
    const rows = await tx.all(
      `DELETE FROM consumed WHERE (kind, id_hash) IN
         (SELECT kind, id_hash FROM consumed WHERE expires_at <= ? LIMIT ?)
       RETURNING expires_at`,
      tx.nowMs(),
      limit,
    )
    const latest = Math.max(0, ...rows.map((row) => consumed.integer(row, 'expires_at')))
    if (latest > (await purgedUntil(tx))) {
      await tx.run('UPDATE consumed_start SET purged_until = ? WHERE id = 1', latest)
    }
    return rows.length
  })
}

/** The latest expiry of an id whose row was deleted. */
async function purgedUntil(tx: Transaction): Promise<EpochMs> {
  const row = (await tx.get('SELECT purged_until FROM consumed_start WHERE id = 1')) ?? {}
  return consumed.integer(row, 'purged_until')
}
