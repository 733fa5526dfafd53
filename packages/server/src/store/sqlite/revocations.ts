import { chainValue, type RevocationKind } from '@countersign/guard/revocations'

import type { EpochMs } from '../../base/clock.ts'
import type { Revocation } from '../rows.ts'
import type { RevocationStore } from '../store.ts'
import { step, type Row, type SqliteDatabase } from './database.ts'

/** The head's position; inside a transaction, that snapshot's. */
export function readPosition(db: SqliteDatabase): number {
  return Number(db.get('SELECT position FROM revocation_head WHERE id = 1')?.['position'])
}

/**
 * Appends an entry and gives its position. Called last in the transaction that takes something back:
 * positions then come in the order of the commits, and nothing waits on the counter.
 */
export function appendRevocation(
  db: SqliteDatabase,
  kind: RevocationKind,
  subject: string,
  strength: 'hard' | 'soft',
  at: EpochMs,
): number {
  const head = readHead(db)
  const position = head.position + 1
  const chain = chainValue(head.chain, { position, kind, subject, strength, at })
  db.run(
    'INSERT INTO revocations (position, kind, subject, hard, at, chain) VALUES (?, ?, ?, ?, ?, ?)',
    position,
    kind,
    subject,
    strength === 'hard' ? 1 : 0,
    at,
    chain,
  )
  db.run('UPDATE revocation_head SET position = ?, chain = ? WHERE id = 1', position, chain)
  return position
}

export function createRevocationStore(db: SqliteDatabase): RevocationStore {
  return {
    head: async () => step(() => readHead(db)),
    list: async (after, limit) =>
      step(() =>
        db
          .all(
            'SELECT * FROM revocations WHERE position > ? ORDER BY position LIMIT ?',
            after,
            limit,
          )
          .map(toRevocation),
      ),
  }
}

function readHead(db: SqliteDatabase): { position: number; chain: Uint8Array } {
  const row = db.get('SELECT position, chain FROM revocation_head WHERE id = 1')
  return { position: Number(row?.['position']), chain: row?.['chain'] as Uint8Array }
}

// STRICT tables guarantee the type of each column, which is the proof for each `as` here and in the
// other files of this folder.
function toRevocation(row: Row): Revocation {
  return {
    position: row['position'] as number,
    kind: row['kind'] as RevocationKind,
    subject: row['subject'] as string,
    strength: row['hard'] === 1 ? 'hard' : 'soft',
    at: row['at'] as number,
    chain: row['chain'] as Uint8Array,
  }
}
