import { chainValue, type LogHead, type RevocationKind } from '@countersign/guard/revocations'

import type { EpochMs } from '../../base/clock.ts'
import type { Revocation } from '../rows.ts'
import type { Row, SqliteDatabase } from './database.ts'

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
  return appendAt(db, readHead(db).position + 1, { kind, subject, strength, at })
}

/** The same at a position of its own: a jump leaves some out. */
export function appendAt(
  db: SqliteDatabase,
  position: number,
  { kind, subject, strength, at }: Omit<Revocation, 'position' | 'chain'>,
): number {
  const chain = chainValue(readHead(db).chain, { position, kind, subject, strength, at })
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

/** The newest entry, or where the log begins. */
export function readHead(db: SqliteDatabase): LogHead {
  return toHead(db.get('SELECT position, chain FROM revocation_head WHERE id = 1') ?? {})
}

/** The chain value at a position: at 0 that before the first entry. */
export function readChainAt(db: SqliteDatabase, position: number): Uint8Array | undefined {
  if (position === 0) return readOrigin(db).chain
  const row = db.get('SELECT chain FROM revocations WHERE position = ?', position)
  return row?.['chain'] as Uint8Array | undefined
}

/** Entries after a position, in order. */
export function readAfter(db: SqliteDatabase, after: number, limit: number): Revocation[] {
  return db
    .all('SELECT * FROM revocations WHERE position > ? ORDER BY position LIMIT ?', after, limit)
    .map(toRevocation)
}

/** Where the log begins. */
export function readOrigin(db: SqliteDatabase): LogHead {
  const row = db.get('SELECT origin FROM revocation_head WHERE id = 1')
  return { position: 0, chain: row?.['origin'] as Uint8Array }
}

// STRICT tables guarantee the type of each column, which is the proof for each `as` here and in the
// other files of this folder.
/** A row of head or log. */
export function toHead(row: Row): LogHead {
  return { position: row['position'] as number, chain: row['chain'] as Uint8Array }
}

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
