import type { SqlValue } from '../sql/database.ts'
import type { Numbered, Table } from './tables.ts'

/** The values of a row, in the order of the columns of its table. */
export type Values = readonly SqlValue[]

/** One of the two databases. It is read in pages, so the size of a table does not matter. */
export interface Side {
  /** Its name in messages. */
  readonly name: string
  count(table: Table): Promise<number>
  /** Reads up to `limit` rows in the order of the key, beginning after a key. */
  page(table: Table, after: Values | undefined, limit: number): Promise<readonly Values[]>
  /** Returns the largest number that the database has given to a row of the table. 0 if none. */
  numbered(table: Numbered): Promise<number>
  close(): Promise<void>
}

/** How far an import has come. */
export interface Progress {
  /** Names the state of the source. */
  readonly source: string
  readonly table: string
  /** The key of the last copied row of the table, as JSON. Undefined: none yet. */
  readonly lastKey: string | undefined
  /** How many rows of all tables are copied. */
  readonly rowCount: number
}

/** The database that is filled. Nothing but the import may use it until `finish`. */
export interface Target extends Side {
  /** Returns the progress of an unfinished import. `complete` if only its last step is missing. */
  progress(): Promise<Progress | 'complete' | undefined>
  /** Creates the schema and the progress in one step. Throws a `SetupError` if the target has data. */
  begin(progress: Progress): Promise<void>
  /** Adds rows and notes the progress in one transaction. */
  add(table: Table, rows: readonly Values[], from: Progress, to: Progress): Promise<void>
  /** Sets the numbers, and makes the target a database that servers can start on. */
  finish(numbers: Readonly<Record<Numbered, number>>): Promise<void>
}

/** Returns the SQL that reads a page, and its values. Both engines understand it. */
export function pageSql(
  { name, columns, key }: Table,
  after: Values | undefined,
  limit: number,
): { readonly sql: string; readonly values: readonly SqlValue[] } {
  const keys = key.map((column) => column.name).join(', ')
  const marks = key.map(() => '?').join(', ')
  const where = after === undefined ? '' : `WHERE (${keys}) > (${marks})`
  const sql = `SELECT ${columns.map((column) => column.name).join(', ')} FROM ${name} ${where} ORDER BY ${keys} LIMIT ${limit}`
  return { sql, values: after ?? [] }
}
