import { createHash } from 'node:crypto'

import { SetupError } from '../../base/faults.ts'
import type { SqlValue } from '../sql/database.ts'
import type { Progress, Side, Target, Values } from './side.ts'
import { describeTables, type Table } from './tables.ts'

/** The rows of one transaction. A kill loses the work of one such batch. */
const BATCH_ROWS = 1_000

/** The progress of an import. */
export interface CopyEvents {
  /** Called before the first row, with the rows that an interrupted import has already copied. */
  readonly onStart: (copiedRows: number, totalRows: number) => void
  /** Called after each batch. Each row counts three times: it is copied, and then read on both sides. */
  readonly onProgress: (done: number, total: number) => void
}

/** The comparison of one table after the copy. */
export interface Compared {
  readonly table: string
  readonly source: TableSum
  readonly target: TableSum
  readonly isSame: boolean
}

/** The number of rows of a table, and SHA-256 over all its rows in the order of their keys, in hex. */
export interface TableSum {
  readonly rows: number
  readonly sha256: string
}

/**
 * Copies everything from one database to the other, or continues an interrupted copy, then compares both. If all is
 * the same, it finishes the target, so that servers can start on it. Otherwise the target stays unfinished.
 *
 * Throws a `SetupError` if the target has other data, the source has changed since the copy began, or a value cannot be
 * stored.
 */
export async function copyDatabase(
  source: Side,
  target: Target,
  { onStart, onProgress }: CopyEvents,
): Promise<readonly Compared[]> {
  const tables = describeTables()
  const { total, name } = await describeSource(source, tables)
  const progress = await beginOrContinue(target, name, tables)
  const copied = progress === 'complete' ? total : progress.rowCount
  onStart(copied, total)
  let done = copied
  const count = (rows: number): void => onProgress((done += rows), total * 3)
  if (progress !== 'complete') await copyTables(source, target, tables, progress, count)
  const compared: Compared[] = []
  for (const table of tables) {
    const [theirs, ours] = await Promise.all([sum(source, table, count), sum(target, table, count)])
    const isSame = theirs.rows === ours.rows && theirs.sha256 === ours.sha256
    compared.push({ table: table.name, source: theirs, target: ours, isSame })
  }
  if (compared.every(({ isSame }) => isSame)) {
    await target.finish({
      audit: await source.numbered('audit'),
      mails: await source.numbered('mails'),
    })
  }
  return compared
}

/** Names the state of a source by the number of rows of each table, and by the tables that most changes concern. */
async function describeSource(
  source: Side,
  tables: readonly Table[],
): Promise<{ readonly total: number; readonly name: string }> {
  const hash = createHash('sha256')
  let total = 0
  for (const table of tables) {
    const rows = await source.count(table)
    total += rows
    hash.update(`${table.name} ${rows}\n`)
    if (!TELLING.has(table.name)) continue
    for (const row of await source.page(table, undefined, BATCH_ROWS)) hash.update(lineOf(row))
  }
  return { total, name: hash.digest('hex') }
}

const TELLING: ReadonlySet<string> = new Set(['revocation_head', 'write_checks', 'keys'])

async function beginOrContinue(
  target: Target,
  source: string,
  tables: readonly Table[],
): Promise<Progress | 'complete'> {
  const found = await target.progress()
  if (found === undefined) {
    const first = { source, table: tables[0]!.name, lastKey: undefined, rowCount: 0 }
    await target.begin(first)
    return first
  }
  if (found === 'complete' || found.source === source) return found
  throw new SetupError(
    `${target.name} contains an unfinished import of another source, or the source has changed since that import began. Remove the unfinished database, then run this command again.`,
  )
}

async function copyTables(
  source: Side,
  target: Target,
  tables: readonly Table[],
  begun: Progress,
  count: (rows: number) => void,
): Promise<void> {
  let progress = begun
  const first = tables.findIndex(({ name }) => name === begun.table)
  for (const table of tables.slice(first)) {
    let after = table.name === begun.table ? parseKey(table, begun.lastKey) : undefined
    let rows = await source.page(table, after, BATCH_ROWS)
    while (rows.length > 0) {
      const batch = rows
      for (const row of batch) checkRow(table, row)
      after = keyOf(table, batch.at(-1)!)
      const next = {
        ...progress,
        table: table.name,
        lastKey: JSON.stringify(after.map(readable)),
        rowCount: progress.rowCount + batch.length,
      }
      // The next page is read while the other database writes.
      const [more] = await Promise.all([
        source.page(table, after, BATCH_ROWS),
        target.add(table, batch, progress, next),
      ])
      rows = more
      progress = next
      count(batch.length)
    }
  }
}

async function sum(side: Side, table: Table, count: (rows: number) => void): Promise<TableSum> {
  const hash = createHash('sha256')
  let rows = 0
  let after: Values | undefined
  for (;;) {
    const page = await side.page(table, after, BATCH_ROWS)
    const last = page.at(-1)
    if (last === undefined) return { rows, sha256: hash.digest('hex') }
    hash.update(page.map(lineOf).join(''))
    rows += page.length
    after = keyOf(table, last)
    count(page.length)
  }
}

// Each column has one type, so no two different rows have the same line.
function lineOf(row: Values): string {
  return `${JSON.stringify(row.map(readable))}\n`
}

function readable(value: SqlValue): string | number | null {
  return value instanceof Uint8Array ? toHex(value) : value
}

function toHex({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('hex')
}

function keyOf({ columns, key }: Table, row: Values): SqlValue[] {
  return key.map(({ name }) => row[columns.findIndex((column) => column.name === name)] ?? null)
}

function parseKey({ key }: Table, json: string | undefined): Values | undefined {
  if (json === undefined) return undefined
  // `copyTables` has written it.
  const values = JSON.parse(json) as (string | number)[]
  return values.map((value, i) =>
    key[i]?.type === 'bytes' ? Buffer.from(String(value), 'hex') : value,
  )
}

/** PostgreSQL stores no NUL character in a text. Neither engine of ours stores an integer beyond 2^53. */
function checkRow(table: Table, row: Values): void {
  for (const [i, value] of row.entries()) {
    const isText = typeof value === 'string' && value.includes('\0')
    const isNumber = typeof value === 'number' && !Number.isSafeInteger(value)
    if (!isText && !isNumber) continue
    const key = JSON.stringify(keyOf(table, row).map(readable))
    const problem = isText
      ? 'a NUL character, which PostgreSQL cannot store'
      : 'an integer beyond 2^53'
    throw new SetupError(
      `The table "${table.name}" has ${problem}: column "${table.columns[i]?.name}" of the row with the key ${key}. Change or delete this row in the source, then run this command again.`,
    )
  }
}
