import { chainValue, type LogHead, type RevocationKind } from '@countersign/guard/revocations/entry'

import type { EpochMs } from '../../base/clock.ts'
import type { Revocation } from '../rows.ts'
import { columnsOf } from './columns.ts'
import type { Row, SqliteDatabase } from './database.ts'

const heads = columnsOf('revocation_head')
const log = columnsOf('revocations')

/**
 * Returns the position of the head. Inside a transaction, it is the head of the snapshot, including the
 * entries that the transaction has appended.
 */
export function readPosition(db: SqliteDatabase): number {
  return readHead(db).position
}

/**
 * Appends an entry and returns its position. The entry is always written at the end of the transaction, after
 * all other writes (see {@link SqliteDatabase.append}). Positions are in commit order, because the
 * transaction has held the write lock since its beginning.
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

/** Appends an entry at a position that the caller chooses, because a jump skips positions. */
export function appendAt(
  db: SqliteDatabase,
  position: number,
  { kind, subject, strength, at }: Omit<Revocation, 'position' | 'chain'>,
): number {
  const chain = chainValue(readHead(db).chain, { position, kind, subject, strength, at })
  db.append({ position, kind, subject, strength, at, chain })
  return position
}

/**
 * Returns the position and chain value of the newest entry. Without entries, returns the start of the log.
 */
export function readHead(db: SqliteDatabase): LogHead {
  const { position, chain } = db.head(() =>
    toHead(db.get('SELECT position, chain FROM revocation_head WHERE id = 1') ?? {}),
  )
  return { position, chain }
}

/**
 * Returns the chain value at a position of an entry, or at the position where the kept part of the log
 * begins. Returns undefined for every other position. It does not see entries of a transaction that is not
 * committed yet.
 */
export function readChainAt(db: SqliteDatabase, position: number): Uint8Array | undefined {
  const row = db.get('SELECT chain FROM revocations WHERE position = ?', position)
  if (row !== undefined) return log.bytes(row, 'chain')
  const oldest = readOldest(db)
  return position === oldest.position ? oldest.chain : undefined
}

/** Returns the entries after a position, in order. A negative limit means all. */
export function readAfter(db: SqliteDatabase, after: number, limit: number): Revocation[] {
  return db
    .all('SELECT * FROM revocations WHERE position > ? ORDER BY position LIMIT ?', after, limit)
    .map(toRevocation)
}

/** Returns the head at which the kept part of the log begins: position 0, or the newest pruned entry. */
export function readOldest(db: SqliteDatabase): LogHead {
  const row = db.get('SELECT oldest_position, oldest_chain FROM revocation_head WHERE id = 1') ?? {}
  return {
    position: heads.integer(row, 'oldest_position'),
    chain: heads.bytes(row, 'oldest_chain'),
  }
}

/** Returns when the oldest kept entry was written. Undefined if there is no entry. */
export function readOldestAt(db: SqliteDatabase): EpochMs | undefined {
  const row = db.get('SELECT at FROM revocations ORDER BY position LIMIT 1')
  return row === undefined ? undefined : log.integer(row, 'at')
}

/** Returns the issuer for which the log last started over, if that entry is still kept. */
export function readIssuerOfStartOver(db: SqliteDatabase): string | undefined {
  const row = db.get(
    `SELECT subject FROM revocations WHERE kind = 'issuer' ORDER BY position DESC LIMIT 1`,
  )
  return row === undefined ? undefined : log.text(row, 'subject')
}

/**
 * Prunes the oldest entries from before the time `before`: see `RevocationStore.prune`. Call it inside a
 * transaction. The deleted entries form a prefix of the log, and the newest entry always stays. So the chain
 * is complete from {@link readOldest} on.
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
  // Updated first, because the trigger on the table forbids the deletion of entries above this position.
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
