import { chainValue, type LogHead, type RevocationKind } from '@countersign/guard/revocations/entry'

import type { EpochMs } from '../../base/clock.ts'
import type { Revocation } from '../rows.ts'
import { columnsOf } from './columns.ts'
import { whenThere, type Awaitable, type Row, type Transaction } from './database.ts'

const heads = columnsOf('revocation_head')
const log = columnsOf('revocations')

/**
 * Returns the position of the head. Inside a transaction, it is the head of the snapshot, including the
 * entries that the transaction has appended.
 */
export function readPosition(tx: Transaction): Awaitable<number> {
  return whenThere(readHead(tx), ({ position }) => position)
}

/**
 * Appends an entry and returns its position. The entry is always written at the end of the transaction, after
 * all other writes (see {@link Transaction.append}). Positions are in commit order, because the
 * transaction has held the write lock since its beginning.
 */
export async function appendRevocation(
  tx: Transaction,
  kind: RevocationKind,
  subject: string,
  strength: 'hard' | 'soft',
  at: EpochMs,
): Promise<number> {
  return appendAt(tx, (await readPosition(tx)) + 1, { kind, subject, strength, at })
}

/** Appends an entry at a position that the caller chooses, because a jump skips positions. */
export async function appendAt(
  tx: Transaction,
  position: number,
  { kind, subject, strength, at }: Omit<Revocation, 'position' | 'chain'>,
): Promise<number> {
  const chain = chainValue((await readHead(tx)).chain, { position, kind, subject, strength, at })
  tx.append({ position, kind, subject, strength, at, chain })
  return position
}

/** Writes the entries that a transaction has appended, as its last statements. */
export async function writeEntries(tx: Transaction, entries: readonly Revocation[]): Promise<void> {
  const newest = entries.at(-1)
  if (newest === undefined) return
  for (const { position, kind, subject, strength, at, chain } of entries) {
    await tx.run(INSERT_ENTRY, position, kind, subject, strength === 'hard' ? 1 : 0, at, chain)
  }
  await tx.run(MOVE_HEAD, newest.position, newest.chain)
}

const INSERT_ENTRY =
  'INSERT INTO revocations (position, kind, subject, hard, at, chain) VALUES (?, ?, ?, ?, ?, ?)'
const MOVE_HEAD = 'UPDATE revocation_head SET position = ?, chain = ? WHERE id = 1'

/**
 * Returns the position and chain value of the newest entry. Without entries, returns the start of the log.
 */
export function readHead(tx: Transaction): Awaitable<LogHead> {
  const read = (): Awaitable<LogHead> => whenThere(tx.get(READ_HEAD), (row) => toHead(row ?? {}))
  return whenThere(tx.head(read), ({ position, chain }) => ({ position, chain }))
}

const READ_HEAD = 'SELECT position, chain FROM revocation_head WHERE id = 1'

/**
 * Returns the chain value at a position of an entry, or at the position where the kept part of the log
 * begins. Returns undefined for every other position. It does not see entries of a transaction that is not
 * committed yet.
 */
export async function readChainAt(
  tx: Transaction,
  position: number,
): Promise<Uint8Array | undefined> {
  const row = await tx.get('SELECT chain FROM revocations WHERE position = ?', position)
  if (row !== undefined) return log.bytes(row, 'chain')
  const oldest = await readOldest(tx)
  return position === oldest.position ? oldest.chain : undefined
}

/** Returns the entries after a position, in order. A negative limit means all. */
export async function readAfter(
  tx: Transaction,
  after: number,
  limit: number,
): Promise<Revocation[]> {
  return (
    await tx.all(
      'SELECT * FROM revocations WHERE position > ? ORDER BY position LIMIT ?',
      after,
      limit < 0 ? Number.MAX_SAFE_INTEGER : limit,
    )
  ).map(toRevocation)
}

/** Returns the head at which the kept part of the log begins: position 0, or the newest pruned entry. */
export async function readOldest(tx: Transaction): Promise<LogHead> {
  const row =
    (await tx.get('SELECT oldest_position, oldest_chain FROM revocation_head WHERE id = 1')) ?? {}
  return {
    position: heads.integer(row, 'oldest_position'),
    chain: heads.bytes(row, 'oldest_chain'),
  }
}

/** Returns when the oldest kept entry was written. Undefined if there is no entry. */
export async function readOldestAt(tx: Transaction): Promise<EpochMs | undefined> {
  const row = await tx.get('SELECT at FROM revocations ORDER BY position LIMIT 1')
  return row === undefined ? undefined : log.integer(row, 'at')
}

/** Returns the issuer for which the log last started over, if that entry is still kept. */
export async function readIssuerOfStartOver(tx: Transaction): Promise<string | undefined> {
  return (await readStartOver(tx))?.subject
}

/** Returns the newest entry that made everybody log in again, if it is still kept. */
export async function readStartOver(tx: Transaction): Promise<Revocation | undefined> {
  const row = await tx.get(
    `SELECT * FROM revocations WHERE kind = 'issuer' ORDER BY position DESC LIMIT 1`,
  )
  return row === undefined ? undefined : toRevocation(row)
}

/**
 * Prunes the oldest entries from before the time `before`: see `RevocationStore.prune`. Call it inside a
 * transaction. The deleted entries form a prefix of the log, and the newest entry always stays. So the chain
 * is complete from {@link readOldest} on.
 */
export async function pruneRevocations(
  tx: Transaction,
  before: EpochMs,
  limit: number,
): Promise<number> {
  const head = await readPosition(tx)
  const rows = await tx.all(
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
  await tx.run(
    'UPDATE revocation_head SET oldest_position = ?, oldest_chain = ? WHERE id = 1',
    position,
    log.bytes(newest, 'chain'),
  )
  return tx.run('DELETE FROM revocations WHERE position <= ?', position)
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
