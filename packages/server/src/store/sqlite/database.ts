import { closeSync, openSync } from 'node:fs'
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'

import { SetupError, StoreFault, messageOf } from '../../base/faults.ts'
import { migrations } from './migrations.ts'

/** A row as SQLite gives it. */
export type Row = Record<string, unknown>

const CACHE_KIB = 65_536
const VERSION_POLL_MS = 50
// A checkpoint writes each changed page once, however often it changed since the last: with rows
// spread at random over a large table, 16 MiB between checkpoints saves most of those writes.
const CHECKPOINT_PAGES = 4_096

/** Work of `writeTogether`: `run` gives what tells its caller, once all of it is on the disk. */
interface Together {
  readonly run: () => () => void
  readonly reject: (fault: unknown) => void
}

/**
 * One connection to a SQLite file, with its statements prepared once. Everything is synchronous, so
 * a transaction is a plain function: nothing of another request can run in its middle.
 */
export class SqliteDatabase {
  readonly #db: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()
  readonly #watchers = new Set<() => void>()
  #poll: NodeJS.Timeout | undefined
  #together: Together[] = []

  private constructor(db: DatabaseSync) {
    this.#db = db
  }

  /**
   * Opens or creates the file and brings its schema up to date.
   * Throws a `SetupError` that names the file where that cannot be done.
   */
  static open(path: string, options: { busyTimeoutMs: number }): SqliteDatabase {
    try {
      const db = openDatabase(path)
      db.exec(`PRAGMA busy_timeout = ${options.busyTimeoutMs}`)
      db.exec('PRAGMA journal_mode = WAL')
      db.exec('PRAGMA synchronous = FULL')
      db.exec('PRAGMA foreign_keys = ON')
      db.exec(`PRAGMA cache_size = -${CACHE_KIB}`)
      db.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`)
      const database = new SqliteDatabase(db)
      database.#migrate(path)
      return database
    } catch (error) {
      if (error instanceof SetupError) throw error
      throw new SetupError(`The database ${path} cannot be used: ${messageOf(error)}.`, {
        cause: error,
      })
    }
  }

  #migrate(path: string): void {
    const at = (): number => Number(this.get('PRAGMA user_version')?.['user_version'])
    if (at() > migrations.length) {
      throw new SetupError(
        `The database ${path} was written by a newer version (schema ${at()}, this one knows ${migrations.length}). Start that version, or restore an older copy.`,
      )
    }
    if (at() === migrations.length) return
    this.write(() => {
      for (const migration of migrations.slice(at())) this.#db.exec(migration)
      this.#db.exec(`PRAGMA user_version = ${migrations.length}`)
    })
  }

  /** The first row, or undefined. */
  get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#prepare(sql).get(...values)
  }

  all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#prepare(sql).all(...values)
  }

  /** Runs a change and gives the number of rows that it changed. */
  run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#prepare(sql).run(...values).changes)
  }

  /**
   * Runs `work` in one durable transaction that holds the write lock from its beginning, so that
   * what it read is still true when it writes. Thrown errors roll back; SQLite's own become
   * `StoreFault`.
   */
  write<T>(work: () => T): T {
    const result = this.#transaction('BEGIN IMMEDIATE', work)
    for (const changed of this.#watchers) changed()
    return result
  }

  /**
   * The same for work that may wait for the end of this turn of the event loop: all of it shares one
   * transaction and one wait for the disk. Work that throws undoes itself alone; where the commit fails,
   * all of it does.
   */
  writeTogether<T>(work: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#together.length === 0) setImmediate(() => this.#writeAll())
      this.#together.push({
        run: () => {
          const outcome = this.#outcomeOf(work)
          return () => (outcome.ok ? resolve(outcome.value) : reject(asFault(outcome.error)))
        },
        reject,
      })
    })
  }

  #writeAll(): void {
    const waiting = this.#together
    this.#together = []
    try {
      const settle = this.write(() => waiting.map(({ run }) => run()))
      for (const each of settle) each()
    } catch (fault) {
      for (const { reject } of waiting) reject(fault)
    }
  }

  /** Runs work inside a transaction so that it can be undone without the rest. */
  #outcomeOf<T>(
    work: () => T,
  ): { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown } {
    this.#prepare('SAVEPOINT work').run()
    try {
      const value = work()
      this.#prepare('RELEASE work').run()
      return { ok: true, value }
    } catch (error) {
      // Throws where SQLite has rolled back everything by itself, as it does when the disk is full.
      this.#prepare('ROLLBACK TO work').run()
      this.#prepare('RELEASE work').run()
      return { ok: false, error }
    }
  }

  /** See `Store.watch`. */
  watch(changed: () => void): () => void {
    this.#watchers.add(changed)
    this.#poll ??= this.#pollVersion()
    return () => {
      this.#watchers.delete(changed)
      if (this.#watchers.size === 0) this.#stopPoll()
    }
  }

  // The version moves when another connection has committed, and only then.
  #pollVersion(): NodeJS.Timeout {
    const read = (): unknown => step(() => this.get('PRAGMA data_version')?.['data_version'])
    let seen = read()
    return setInterval(() => {
      let now: unknown
      try {
        now = read()
      } catch {
        return // A database that fails says so to whoever needs it; a timer has nobody to tell.
      }
      if (now === seen) return
      seen = now
      for (const changed of this.#watchers) changed()
    }, VERSION_POLL_MS).unref()
  }

  #stopPoll(): void {
    clearInterval(this.#poll)
    this.#poll = undefined
  }

  /** Runs `work` on one snapshot. */
  read<T>(work: () => T): T {
    return this.#transaction('BEGIN', work)
  }

  #transaction<T>(begin: string, work: () => T): T {
    try {
      this.#prepare(begin).run()
      const result = work()
      this.#prepare('COMMIT').run()
      return result
    } catch (error) {
      this.#rollback()
      throw asFault(error)
    }
  }

  #rollback(): void {
    if (!this.#db.isOpen || !this.#db.isTransaction) return
    try {
      this.#db.exec('ROLLBACK')
    } catch {
      // SQLite has rolled back by itself, as it does when the disk is full.
    }
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (statement === undefined) {
      statement = this.#db.prepare(sql)
      this.#statements.set(sql, statement)
    }
    return statement
  }

  /** Moves everything from the write-ahead log into the file and closes it. */
  close(): void {
    if (!this.#db.isOpen) return
    this.#stopPoll()
    this.#statements.clear()
    this.#db.close()
  }
}

/**
 * Opens or creates a file with `node:sqlite`, which is asked for at the time of the call: a static
 * import would fail on an older Node before this package could say which Node it needs.
 */
export function openDatabase(path: string): DatabaseSync {
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite')
  createPrivately(path)
  return new DatabaseSync(path)
}

/**
 * Makes the file before SQLite does, which would let everybody read it; the write-ahead log gets its
 * mode from it. A file that exists is not opened here: closing it again would drop the locks that
 * this process holds on it.
 */
function createPrivately(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600))
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  }
}

function asFault(error: unknown): unknown {
  if (error instanceof Error && 'code' in error && error.code === 'ERR_SQLITE_ERROR') {
    return new StoreFault(`The database failed: ${error.message}`, { cause: error })
  }
  if (error instanceof Error && 'code' in error && error.code === 'ERR_INVALID_STATE') {
    return new StoreFault('The database is closed.', { cause: error })
  }
  return error
}

/** Runs one statement that needs no transaction of its own, with the same faults. */
export function step<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw asFault(error)
  }
}
