import { closeSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'

import type { LogHead } from '@countersign/guard/revocations'

import { SetupError, StoreFault, messageOf } from '../../base/faults.ts'
import type { Revocation } from '../rows.ts'
import { giveToOwnerOf } from './files.ts'
import { migrations } from './migrations.ts'

/** A row as SQLite returns it. `columns.ts` reads it. */
export type Row = Record<string, unknown>

const CACHE_KIB = 65_536
const VERSION_POLL_MS = 50
// A checkpoint writes each changed page once, however often it changed since the previous checkpoint.
// Refreshes change random rows in a large table. With 16 MiB between checkpoints, most of those page writes
// are saved.
const CHECKPOINT_PAGES = 4_096

/**
 * One connection to a SQLite file. It prepares each statement once. All calls are synchronous, so a
 * transaction is a plain function: no other request can run in the middle of it.
 */
export class SqliteDatabase {
  readonly #db: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()
  readonly #watchers = new Set<() => void>()
  #poll: NodeJS.Timeout | undefined
  /** The part of the current write transaction that concerns the log. Undefined outside of one. */
  #log: LogInTransaction | undefined

  private constructor(db: DatabaseSync) {
    this.#db = db
  }

  /**
   * Opens or creates the file and brings its schema up to date. Throws a `SetupError` that names the file if
   * it cannot be used. `busyTimeoutMs` is how long a statement waits for a lock that another process holds.
   */
  static open(path: string, options: { readonly busyTimeoutMs: number }): SqliteDatabase {
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

  /** Returns the first row, or undefined. */
  get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#prepare(sql).get(...values)
  }

  /** Returns all rows. */
  all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#prepare(sql).all(...values)
  }

  /** Runs a change. Returns the number of rows that it changed. */
  run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#prepare(sql).run(...values).changes)
  }

  /**
   * Runs `work` in one durable transaction. It holds the write lock from its beginning, so values that it
   * read cannot change before it writes. A thrown error rolls everything back. Errors of SQLite become
   * `StoreFault`.
   */
  write<T>(work: () => T): T {
    const log: LogInTransaction = { entries: [], head: undefined }
    this.#log = log
    try {
      const result = this.#transaction('BEGIN IMMEDIATE', () => {
        const value = work()
        this.#writeEntries(log.entries)
        return value
      })
      for (const changed of this.#watchers) changed()
      return result
    } finally {
      this.#log = undefined
    }
  }

  /**
   * Runs a part of a write transaction that can be undone without the rest. Returns the value or the error of
   * `work`. Throws if SQLite has rolled back the whole transaction by itself, for example because the disk is
   * full.
   */
  attempt<T>(work: () => T): Attempted<T> {
    const log = this.#logInTransaction()
    const kept = log.entries.length
    const { head } = log
    this.#prepare('SAVEPOINT part').run()
    try {
      const value = work()
      this.#prepare('RELEASE part').run()
      return { ok: true, value }
    } catch (error) {
      this.#prepare('ROLLBACK TO part').run()
      this.#prepare('RELEASE part').run()
      log.entries.length = kept
      log.head = head
      return { ok: false, error: asFault(error) }
    }
  }

  /**
   * Appends an entry to the revocation log at the end of the current write transaction, after all its other
   * writes. So the log's counter is always locked last, even if several methods share a transaction. {@link
   * head} returns the entry at once.
   */
  append(entry: Revocation): void {
    const log = this.#logInTransaction()
    log.entries.push(entry)
    log.head = entry
  }

  /**
   * Returns the head of the log: the entry that this transaction appended last, or what `read` returns. A write
   * transaction reads once, because no other connection can move the head before it ends.
   */
  head(read: () => LogHead): LogHead {
    if (this.#log === undefined) return read()
    this.#log.head ??= read()
    return this.#log.head
  }

  #logInTransaction(): LogInTransaction {
    if (this.#log === undefined) throw new Error('This work needs a write transaction.')
    return this.#log
  }

  #writeEntries(entries: readonly Revocation[]): void {
    const newest = entries.at(-1)
    if (newest === undefined) return
    for (const { position, kind, subject, strength, at, chain } of entries) {
      this.run(INSERT_ENTRY, position, kind, subject, strength === 'hard' ? 1 : 0, at, chain)
    }
    this.run(MOVE_HEAD, newest.position, newest.chain)
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

  // `data_version` changes only when another connection has committed.
  #pollVersion(): NodeJS.Timeout {
    const read = (): unknown => step(() => this.get('PRAGMA data_version')?.['data_version'])
    let seen = read()
    return setInterval(() => {
      let now: unknown
      try {
        now = read()
      } catch {
        return // A timer has no caller. The next caller that uses the database gets the fault.
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

  /** Runs `work`, which must only read, on one snapshot. */
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
      // SQLite has rolled back by itself, for example because the disk is full.
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

  /** Copies everything from the write-ahead log into the file and closes it. */
  close(): void {
    if (!this.#db.isOpen) return
    this.#stopPoll()
    this.#statements.clear()
    this.#db.close()
  }
}

interface LogInTransaction {
  /** The entries to write at the end of the transaction: see {@link SqliteDatabase.append}. */
  readonly entries: Revocation[]
  /** The newest entry, or the head that the transaction has read. */
  head: LogHead | undefined
}

/** The result of work that can be undone separately. */
export type Attempted<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: unknown }

const INSERT_ENTRY =
  'INSERT INTO revocations (position, kind, subject, hard, at, chain) VALUES (?, ?, ?, ?, ?, ?)'
const MOVE_HEAD = 'UPDATE revocation_head SET position = ?, chain = ? WHERE id = 1'

/**
 * Opens or creates a file with `node:sqlite`. The module is loaded at the call. A static import would fail on
 * an older Node before this package could report the required version.
 */
export function openDatabase(path: string): DatabaseSync {
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite')
  createPrivately(path)
  return new DatabaseSync(path)
}

/**
 * Creates the file with mode 600. SQLite would create it readable for everybody, and SQLite gives the
 * write-ahead log the same mode. An existing file is not opened here, because closing it would drop the POSIX
 * locks that this process holds on it.
 */
function createPrivately(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600))
    giveToOwnerOf(path, dirname(path))
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  }
}

function asFault(error: unknown): unknown {
  if (error instanceof Error && 'code' in error && error.code === 'ERR_SQLITE_ERROR') {
    return new StoreFault(`The database failed: ${error.message}`, { cause: error })
  }
  if (error instanceof Error && 'code' in error && error.code === 'ERR_OUT_OF_RANGE') {
    return new StoreFault('The database holds an integer beyond 2^53.', { cause: error })
  }
  if (error instanceof Error && 'code' in error && error.code === 'ERR_INVALID_STATE') {
    return new StoreFault('The database is closed.', { cause: error })
  }
  return error
}

/** Runs statements that need no separate transaction. Errors of SQLite become `StoreFault`. */
export function step<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw asFault(error)
  }
}
