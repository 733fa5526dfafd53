import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { join } from 'node:path'

type Row = Record<string, unknown>

/** Opens the database of a data directory beside a running server, and closes it after `work`. */
export function withDatabase<T>(dataDir: string, use: (db: DatabaseSync) => T): T {
  const db = new DatabaseSync(join(dataDir, 'countersign.db'))
  try {
    db.exec('PRAGMA busy_timeout = 5000')
    return use(db)
  } finally {
    db.close()
  }
}

/** The rows of a query on the database of a data directory. */
export function query(dataDir: string, sql: string, ...values: SQLInputValue[]): Row[] {
  return withDatabase(dataDir, (db) => db.prepare(sql).all(...values))
}

/** The only row of a query. Throws when there are more or none. */
export function queryOne(dataDir: string, sql: string, ...values: SQLInputValue[]): Row {
  const rows = query(dataDir, sql, ...values)
  const [row] = rows
  if (row === undefined || rows.length > 1) throw new Error(`${rows.length} rows: ${sql}`)
  return row
}

/** Runs one statement on the database of a data directory. */
export function execute(dataDir: string, sql: string, ...values: SQLInputValue[]): void {
  withDatabase(dataDir, (db) => db.prepare(sql).run(...values))
}
