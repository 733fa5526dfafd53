import { chainValue, type LogHead, type RevocationKind } from '@countersign/guard/revocations'

import type { EpochMs } from '../../base/clock.ts'
import type { Revocation } from '../rows.ts'
import { columnsOf } from './columns.ts'
import type { Row, SqliteDatabase } from './database.ts'

const heads = columnsOf('revocation_head')
const log = columnsOf('revocations')

/** The position of the head. Inside a transaction: that of its snapshot, and of the entries that it has appended. */
export function readPosition(db: SqliteDatabase): number {
  const { newestEntry } = db
  if (newestEntry !== undefined) return newestEntry.position
  const row = db.get('SELECT position FROM revocation_head WHERE id = 1')
  return heads.integer(row ?? {}, 'position')
}

/**
 * Appends an entry and gives its position. The entry is written at the end of the transaction, after all other writes
 * (see {@link SqliteDatabase.append}), wherever in the transaction this is called. Positions are in commit order,
 * because the transaction has held the write lock since its beginning.
 */
export function appendRevocation(
  db: SqliteDatabase,
  kind: RevocationKind,
  subject: string,
  strength: 'hard' | 'soft',
  at: EpochMs,
): number {
  return appendAt(db, readPosition(db) + 1, { kind, subject, strength, at })
}

/** Appends an entry at a position that the caller chose: a jump leaves positions out. */
export function appendAt(
  db: SqliteDatabase,
  position: number,
  { kind, subject, strength, at }: Omit<Revocation, 'position' | 'chain'>,
): number {
  const chain = chainValue(readHead(db).chain, { position, kind, subject, strength, at })
  db.append({ position, kind, subject, strength, at, chain })
  return position
}

/** The newest entry's position and chain value, or those that the log begins with. */
export function readHead(db: SqliteDatabase): LogHead {
  const { newestEntry } = db
  if (newestEntry !== undefined) {
    return { position: newestEntry.position, chain: newestEntry.chain }
  }
  return toHead(db.get('SELECT position, chain FROM revocation_head WHERE id = 1') ?? {})
}

/**
 * The chain value at a position that the log keeps: that of an entry, or the one at which the kept part begins.
 * Undefined for every other position. Does not see entries of a transaction that is not committed yet.
 */
export function readChainAt(db: SqliteDatabase, position: number): Uint8Array | undefined {
  const row = db.get('SELECT chain FROM revocations WHERE position = ?', position)
  if (row !== undefined) return log.bytes(row, 'chain')
  const oldest = readOldest(db)
  return position === oldest.position ? oldest.chain : undefined
}

/** The entries after a position, in order. A negative limit means all. */
export function readAfter(db: SqliteDatabase, after: number, limit: number): Revocation[] {
  return db
    .all('SELECT * FROM revocations WHERE position > ? ORDER BY position LIMIT ?', after, limit)
    .map(toRevocation)
}

/** Where the kept part of the log begins: position 0, or the newest entry that was pruned. */
export function readOldest(db: SqliteDatabase): LogHead {
  const row = db.get('SELECT oldest_position, oldest_chain FROM revocation_head WHERE id = 1') ?? {}
  return {
    position: heads.integer(row, 'oldest_position'),
    chain: heads.bytes(row, 'oldest_chain'),
  }
}

/** The issuer in whose name the log last started over, as far as the log is kept. */
export function readIssuerOfStartOver(db: SqliteDatabase): string | undefined {
  const row = db.get(
    `SELECT subject FROM revocations WHERE kind = 'issuer' ORDER BY position DESC LIMIT 1`,
  )
  return row === undefined ? undefined : log.text(row, 'subject')
}

/**
 * Prunes the oldest entries whose time lies before `before`: see `RevocationStore.prune`. Call it inside a transaction.
 * The entries form a prefix of the log, and the newest entry always stays. So the chain stays whole from
 * {@link readOldest} on.
 */
export function pruneRevocations(db: SqliteDatabase, before: EpochMs, limit: number): number {
  const head = readPosition(db)
  const rows = db.all(
    'SELECT position, chain, at FROM revocations ORDER BY position LIMIT ?',
    limit,
  )
  const isOld = (row: Row): boolean =>
    log.integer(row, 'at') < before && log.integer(row, 'position') < head
  const firstKept = rows.findIndex((row) => !isOld(row))
  const pruned = firstKept === -1 ? rows : rows.slice(0, firstKept)
  const newest = pruned.at(-1)
  if (newest === undefined) return 0
  const position = log.integer(newest, 'position')
  // First, because the trigger on the table allows the deletion of nothing above it.
  db.run(
    'UPDATE revocation_head SET oldest_position = ?, oldest_chain = ? WHERE id = 1',
    position,
    log.bytes(newest, 'chain'),
  )
  return db.run('DELETE FROM revocations WHERE position <= ?', position)
}

/** Reads the columns `position` and `chain`, of the head or of an entry. */
export function toHead(row: Row): LogHead {
  return { position: log.integer(row, 'position'), chain: log.bytes(row, 'chain') }
}

function toRevocation(row: Row): Revocation {
  return {
    position: log.integer(row, 'position'),
    // Only this folder writes the table, and its `kind` has this type.
    kind: log.text(row, 'kind') as RevocationKind,
    subject: log.text(row, 'subject'),
    strength: log.flag(row, 'hard') ? 'hard' : 'soft',
    at: log.integer(row, 'at'),
    chain: log.bytes(row, 'chain'),
  }
}
