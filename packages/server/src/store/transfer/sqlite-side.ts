import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  renameSync,
  statSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'

import { SetupError, messageOf } from '../../base/faults.ts'
import { connect } from '../sqlite/connection.ts'
import {
  assertNoRestore,
  giveToOwnerOf,
  importingPath,
  removeDatabase,
  syncFolder,
} from '../sqlite/files.ts'
import { ServerLock } from '../sqlite/lock.ts'
import { migrations } from '../sqlite/migrations.ts'
import { newerVersion } from '../sqlite/schema.ts'
import { ensureDirectory } from '../sqlite/store.ts'
import { pageSql, type Progress, type Side, type Target, type Values } from './side.ts'
import { IMPORT_TABLE, WITH_FIRST_ROW, type Numbered, type Table } from './tables.ts'

const BUSY_MS = 5_000
/** Each page is read or written once, so a large cache would hold nothing that is used again. */
const CACHE_KIB = 16_384

class SqliteSide implements Side {
  readonly name: string
  protected readonly db: DatabaseSync
  readonly #lock: ServerLock

  constructor(name: string, db: DatabaseSync, lock: ServerLock) {
    this.name = name
    this.db = db
    this.#lock = lock
  }

  async count({ name }: Table): Promise<number> {
    return Number(this.db.prepare(`SELECT count(*) AS n FROM ${name}`).get()?.['n'])
  }

  async page(table: Table, after: Values | undefined, limit: number): Promise<readonly Values[]> {
    const { sql, values } = pageSql(table, after, limit)
    const statement = this.db.prepare(sql)
    statement.setReturnArrays(true)
    try {
      // Each row is an array now, which the types do not say.
      return statement.all(...values) as unknown as Values[]
    } catch (error) {
      throw new SetupError(
        `The table "${table.name}" of ${this.name} cannot be read: ${messageOf(error)}.`,
        { cause: error },
      )
    }
  }

  async numbered(table: Numbered): Promise<number> {
    const row = this.db.prepare('SELECT seq FROM sqlite_sequence WHERE name = ?').get(table)
    return Number(row?.['seq'] ?? 0)
  }

  async close(): Promise<void> {
    if (this.db.isOpen) this.db.close()
    this.#lock.release()
  }
}

/**
 * Opens the embedded database of a directory as the source. No server and no command can use it until it is closed.
 * Throws a `SetupError` while one does, if there is no database, or if its schema is not that of this version.
 */
export function openSqliteSource(dataDir: string): Side {
  const path = join(dataDir, 'countersign.db')
  const lock = ServerLock.takeAlone(dataDir)
  let db: DatabaseSync | undefined
  try {
    db = connect(path, BUSY_MS, false).db
    db.exec(`PRAGMA query_only = ON; PRAGMA cache_size = -${CACHE_KIB}`)
    const version = versionOf(db)
    if (version > migrations.length) throw new SetupError(newerVersion(path, version))
    if (version < migrations.length) {
      throw new SetupError(
        `The database ${path} has the schema of an older version (${version}, this version needs ${migrations.length}). Upgrade it first, without DATABASE_URL: countersign migrate`,
      )
    }
    return new SqliteSide(path, db, lock)
  } catch (error) {
    db?.close()
    lock.release()
    throw error
  }
}

/**
 * Opens a directory without a database as the target. The import fills `countersign.db.importing` there, and renames it
 * at the end, so no server can start on a part of the data. Throws a `SetupError` if the directory has a database or
 * another process uses it.
 */
export function openSqliteTarget(dataDir: string): Target {
  ensureDirectory(dataDir)
  const path = join(dataDir, 'countersign.db')
  const lock = ServerLock.takeAlone(dataDir)
  let db: DatabaseSync | undefined
  try {
    assertNoRestore(path)
    if (existsSync(path) && statSync(path).size > 0) {
      throw new SetupError(
        `There is a database at ${path}. Import into an empty directory: set COUNTERSIGN_DATA_DIR to another one, or move that database away.`,
      )
    }
    db = connect(importingPath(path), BUSY_MS, false).db
    // A power failure may undo the newest batches. The progress is in the same file, so it is undone with them.
    db.exec(`PRAGMA synchronous = NORMAL; PRAGMA cache_size = -${CACHE_KIB}`)
    return new SqliteTarget(path, db, lock)
  } catch (error) {
    db?.close()
    lock.release()
    throw error
  }
}

class SqliteTarget extends SqliteSide implements Target {
  async progress(): Promise<Progress | 'complete' | undefined> {
    const version = versionOf(this.db)
    if (version === 0) return undefined
    if (version !== migrations.length) {
      throw new SetupError(
        `Another version of Countersign has begun the import at ${importingPath(this.name)}. Delete that file, then run this command again.`,
      )
    }
    const isComplete =
      this.db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'countersign_import'").get() ===
      undefined
    if (isComplete) return 'complete'
    const row = this.db.prepare('SELECT * FROM countersign_import').get() ?? {}
    const { source, table_name: table, last_key: lastKey, row_count: rowCount } = row
    return {
      source: String(source),
      table: String(table),
      lastKey: lastKey === null ? undefined : String(lastKey),
      rowCount: Number(rowCount),
    }
  }

  async begin({ source, table }: Progress): Promise<void> {
    this.#transaction(() => {
      for (const migration of migrations) this.db.exec(migration)
      for (const each of WITH_FIRST_ROW) this.db.exec(`DELETE FROM ${each}`)
      this.db.exec(IMPORT_TABLE)
      this.db.prepare('INSERT INTO countersign_import VALUES (1, ?, ?, NULL, 0)').run(source, table)
      this.db.exec(`PRAGMA user_version = ${migrations.length}`)
    })
  }

  async add(
    { name, columns }: Table,
    rows: readonly Values[],
    _: Progress,
    { table, lastKey, rowCount }: Progress,
  ): Promise<void> {
    const marks = columns.map(() => '?').join(', ')
    const names = columns.map((column) => column.name).join(', ')
    const insert = this.db.prepare(`INSERT INTO ${name} (${names}) VALUES (${marks})`)
    this.#transaction(() => {
      for (const row of rows) insert.run(...row)
      this.db
        .prepare('UPDATE countersign_import SET table_name = ?, last_key = ?, row_count = ?')
        .run(table, lastKey ?? null, rowCount)
    })
  }

  async finish(numbers: Readonly<Record<Numbered, number>>): Promise<void> {
    this.#transaction(() => {
      for (const [table, number] of Object.entries(numbers)) {
        this.db.prepare('DELETE FROM sqlite_sequence WHERE name = ?').run(table)
        if (number === 0) continue
        this.db.prepare('INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)').run(table, number)
      }
      this.db.exec('DROP TABLE IF EXISTS countersign_import')
    })
    this.#giveName()
  }

  /** Makes the import one file without a write-ahead log, and gives it the name that servers open. */
  #giveName(): void {
    const fresh = importingPath(this.name)
    this.db.exec('PRAGMA synchronous = FULL')
    const mode = this.db.prepare('PRAGMA journal_mode = DELETE').get()?.['journal_mode']
    if (mode !== 'delete') throw new Error('the write-ahead log cannot be closed')
    this.db.close()
    chmodSync(fresh, 0o600)
    giveToOwnerOf(fresh, dirname(fresh))
    const file = openSync(fresh, 'r')
    fsyncSync(file)
    closeSync(file)
    // An empty file may be there.
    removeDatabase(this.name)
    renameSync(fresh, this.name)
    syncFolder(dirname(fresh))
  }

  #transaction(work: () => void): void {
    this.db.exec('BEGIN IMMEDIATE')
    try {
      work()
      this.db.exec('COMMIT')
    } catch (error) {
      if (this.db.isTransaction) this.db.exec('ROLLBACK')
      throw error
    }
  }
}

function versionOf(db: DatabaseSync): number {
  return Number(db.prepare('PRAGMA user_version').get()?.['user_version'])
}
