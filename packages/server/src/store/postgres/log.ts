import type { LogHead } from '@countersign/guard/revocations/entry'

import type { Revocation } from '../rows.ts'
import type { Row } from '../sql/database.ts'
import { toHead } from '../sql/revocations.ts'

/** The channel on which nodes learn of new entries. */
export const CHANNEL = 'countersign_log'

/** Runs a statement, whose values may be arrays. */
export type RunRows = (sql: string, values: readonly unknown[]) => Promise<Row[]>

/**
 * Reads the head of the log and locks it. The row is the last that a transaction locks: transactions that append wait
 * for each other here, until the one before has committed.
 */
export async function readHeadAlone(run: RunRows): Promise<LogHead> {
  const [row] = await run('SELECT position, chain FROM revocation_head WHERE id = 1 FOR UPDATE', [])
  return toHead(row ?? {})
}

/**
 * Writes entries, moves the head, and notifies the other nodes, in one round trip. PostgreSQL locks the whole database
 * for a moment when a transaction with a notification commits. So no other transaction sends one, and none does while
 * Redis tells the other nodes.
 */
export async function writeLog(
  run: RunRows,
  entries: readonly Revocation[],
  notifies: boolean,
): Promise<void> {
  const newest = entries.at(-1)
  if (newest === undefined) return
  await run(notifies ? APPEND_AND_NOTIFY : APPEND, [
    entries.map(({ position }) => position),
    entries.map(({ kind }) => kind),
    entries.map(({ subject }) => subject),
    entries.map(({ strength }) => (strength === 'hard' ? 1 : 0)),
    entries.map(({ at }) => at),
    entries.map(({ chain }) => Buffer.from(chain)),
    newest.position,
    newest.chain,
    ...(notifies ? [CHANNEL] : []),
  ])
}

const WRITE = `
  WITH written AS (
    INSERT INTO revocations (position, kind, subject, hard, at, chain)
    SELECT * FROM unnest(CAST(? AS bigint[]), CAST(? AS text[]), CAST(? AS text[]), CAST(? AS integer[]),
                         CAST(? AS bigint[]), CAST(? AS bytea[]))),
  moved AS (UPDATE revocation_head SET position = ?, chain = ? WHERE id = 1)
  SELECT `
const APPEND = `${WRITE} 1`
const APPEND_AND_NOTIFY = `${WRITE} pg_notify(?, '')`
