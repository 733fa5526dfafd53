import type { DatabaseSync, StatementSync } from 'node:sqlite'

import type { LogHead } from '@countersign/guard/revocations/entry'

import { systemClock, type Clock, type EpochMs } from '../../base/clock.ts'
import { SetupError, StoreFault, messageOf } from '../../base/faults.ts'
import type { Revocation } from '../rows.ts'
import {
  whenThere,
  type Attempted,
  type Awaitable,
  type Database,
  type Row,
  type SqlValue,
  type Transaction,
} from '../sql/database.ts'
import { writeEntries } from '../sql/revocations.ts'
import { CODES, codeOf, connect } from './connection.ts'
import { migrations } from './migrations.ts'
import { newerVersion } from './schema.ts'
import { Presence } from './presence.ts'
import { turnsOf, type Turns } from './turns.ts'

/** How a database is opened. */
export interface DatabaseOptions {
  /** How long a statement waits for a lock that another process holds, in milliseconds. */
  readonly busyTimeoutMs: number
  readonly clock?: Clock
  /** Whether a server opens it. A server may start on a full disk: see `Connection.isCramped`. */
  readonly isServer?: boolean
  /** Called every 50 ms. Throws if another server may use the same files. */
  readonly keepLock?: () => void
  /** Called when the files are lost or found again. */
  readonly onLost?: (fault: StoreFault | undefined) => void
}

const VERSION_POLL_MS = 50
/** How often a full disk is tried again, in milliseconds. */
const ROOM_RETRY_MS = 1_000

/**
 * One connection to a SQLite file. It prepares each statement once. Statements are synchronous. Transactions and steps
 * wait for each other in the order of their calls, so none runs in the middle of another.
 */
export class SqliteDatabase implements Database, Transaction {
  readonly engine = 'sqlite'
  readonly #turns: Turns
  readonly #options: DatabaseOptions
  readonly #path: string
  readonly #statements = new Map<string, StatementSync>()
  readonly #watchers = new Set<(mayHaveEntries: boolean) => void>()
  #files: readonly Presence[]
  #db: DatabaseSync
  #poll: NodeJS.Timeout | undefined
  /** The part of the current write transaction that concerns the log. Undefined outside of one. */
  #log: LogInTransaction | undefined
  /** Why the file must no longer be used. */
  #lost: StoreFault | undefined
  /** See `Connection.isCramped`. */
  #isCramped: boolean
  #triedRoomAt = -Infinity
  #busyTimeoutMs: number

  private constructor(path: string, options: DatabaseOptions) {
    const { db, isCramped } = connect(path, options.busyTimeoutMs, options.isServer ?? false)
    this.#path = path
    this.#turns = turnsOf(path)
    this.#options = options
    this.#db = db
    this.#isCramped = isCramped
    this.#busyTimeoutMs = options.busyTimeoutMs
    this.#files = filesOf(path)
  }

  /**
   * Opens or creates the file and brings its schema up to date. Throws a `SetupError` that names the file if
   * it cannot be used.
   */
  static open(path: string, options: DatabaseOptions): SqliteDatabase {
    let database: SqliteDatabase | undefined
    try {
      database = new SqliteDatabase(path, options)
      database.#migrate(path)
      return database
    } catch (error) {
      if (database !== undefined) database.#close()
      if (error instanceof SetupError) throw error
      throw new SetupError(`The database ${path} cannot be used: ${messageOf(error)}.`, {
        cause: error,
      })
    }
  }

  #migrate(path: string): void {
    const at = (): number => Number(this.get('PRAGMA user_version')?.['user_version'])
    if (at() > migrations.length) {
      throw new SetupError(newerVersion(path, at()))
    }
    if (at() === migrations.length) return
    // By itself, because nothing else can use the database before it is open.
    this.#begin('BEGIN IMMEDIATE')
    try {
      for (const migration of migrations.slice(at())) this.#db.exec(migration)
      this.#db.exec(`PRAGMA user_version = ${migrations.length}`)
      this.#prepare('COMMIT').run()
    } catch (error) {
      this.#rollback()
      throw asFault(error)
    }
  }

  /** Returns the first row, or undefined. */
  get(sql: string, ...values: SqlValue[]): Row | undefined {
    return this.#prepare(sql).get(...values)
  }

  /** Returns all rows. */
  all(sql: string, ...values: SqlValue[]): Row[] {
    return this.#prepare(sql).all(...values)
  }

  /** Runs a change. Returns the number of rows that it changed. */
  run(sql: string, ...values: SqlValue[]): number {
    return Number(this.#prepare(sql).run(...values).changes)
  }

  runLong(sql: string, ...values: SqlValue[]): number {
    return this.run(sql, ...values)
  }

  /**
   * Runs `work` in one durable transaction. It holds the write lock from its beginning, so values that it
   * read cannot change before it writes.
   */
  write<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.#turns.take(() => this.#write(work))
  }

  async #write<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    const log: LogInTransaction = { entries: [], head: undefined }
    if (this.#isCramped) this.#tryRoom(() => this.#reconnect())
    this.#log = log
    try {
      const result = await this.#transaction('BEGIN IMMEDIATE', async () => {
        const value = await work(this)
        await writeEntries(this, log.entries)
        // Undone, so that a client which gets 503 and retries later finds its session unchanged.
        this.#assertFiles()
        return value
      })
      // Checked again before anybody learns of the change: it may be in a file that nobody finds.
      this.#assertFiles()
      for (const changed of this.#watchers) changed(log.entries.length > 0)
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
  async attempt<T>(work: () => Promise<T>): Promise<Attempted<T>> {
    const log = this.#logInTransaction()
    const kept = log.entries.length
    const { head } = log
    this.#prepare('SAVEPOINT part').run()
    try {
      const value = await work()
      this.#prepare('RELEASE part').run()
      return { ok: true, value }
    } catch (error) {
      if (!this.#db.isTransaction) throw error
      this.#prepare('ROLLBACK TO part').run()
      this.#prepare('RELEASE part').run()
      log.entries.length = kept
      log.head = head
      return { ok: false, error: asFault(error) }
    }
  }

  nowMs(): EpochMs {
    return (this.#options.clock ?? systemClock).nowMs()
  }

  append(entry: Revocation): void {
    const log = this.#logInTransaction()
    log.entries.push(entry)
    log.head = entry
  }

  head(read: () => Awaitable<LogHead>): Awaitable<LogHead> {
    const log = this.#log
    return log === undefined ? read() : (log.head ?? keepHead(log, read))
  }

  #logInTransaction(): LogInTransaction {
    if (this.#log === undefined) throw new Error('This work needs a write transaction.')
    return this.#log
  }

  /** See `Store.watch`. */
  watch(changed: (mayHaveEntries: boolean) => void): () => void {
    this.#watchers.add(changed)
    this.#poll ??= this.#pollVersion()
    return () => {
      this.#watchers.delete(changed)
      if (this.#watchers.size === 0) this.#stopPoll()
    }
  }

  // `data_version` changes only when another connection has committed.
  #pollVersion(): NodeJS.Timeout {
    const read = (): unknown => this.get('PRAGMA data_version')?.['data_version']
    let seen = read()
    return setInterval(() => {
      let now: unknown
      try {
        this.#checkFiles()
        now = read()
      } catch {
        return // A timer has no caller. The next caller that uses the database gets the fault.
      }
      if (now === seen) return
      seen = now
      for (const changed of this.#watchers) changed(true)
    }, VERSION_POLL_MS).unref()
  }

  #stopPoll(): void {
    clearInterval(this.#poll)
    this.#poll = undefined
  }

  /** Runs `work`, which must only read, on one snapshot. */
  read<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.#turns.take(() => this.#transaction('BEGIN', () => work(this)))
  }

  /** Runs a single statement without a transaction. */
  step<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.#turns.take(async () => {
      try {
        return await work(this)
      } catch (error) {
        throw asFault(error)
      }
    })
  }

  async #transaction<T>(begin: string, work: () => Promise<T>): Promise<T> {
    try {
      this.#begin(begin)
      const result = await work()
      this.#prepare('COMMIT').run()
      return result
    } catch (error) {
      this.#rollback()
      if (codeOf(error) === CODES.full) this.#tryRoom(() => this.#emptyLog())
      throw asFault(error)
    }
  }

  /**
   * Begins a transaction. After one has waited in vain for the lock of another process, the next ones do not wait,
   * until one gets the lock. Otherwise they would all wait, one after another.
   */
  #begin(begin: string): void {
    try {
      this.#prepare(begin).run()
    } catch (error) {
      if (codeOf(error) === CODES.busy) this.#setBusyTimeout(0)
      throw error
    }
    // Readers take no lock, so they prove nothing.
    if (begin !== 'BEGIN') this.#setBusyTimeout(this.#options.busyTimeoutMs)
  }

  #setBusyTimeout(ms: number): void {
    if (ms === this.#busyTimeoutMs) return
    this.#busyTimeoutMs = ms
    this.#db.exec(`PRAGMA busy_timeout = ${ms}`)
  }

  /** Makes room on a full disk, or looks for it, at most once a second. */
  #tryRoom(make: () => void): void {
    const now = performance.now()
    if (now - this.#triedRoomAt < ROOM_RETRY_MS) return
    this.#triedRoomAt = now
    try {
      make()
    } catch {
      // There is no room yet. The caller has its own fault.
    }
  }

  /**
   * Moves the write-ahead log into the database file. A log that cannot grow is never moved by itself, because that
   * happens after a commit.
   */
  #emptyLog(): void {
    this.#setBusyTimeout(0)
    this.#db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  }

  /** Replaces a cramped connection, if there is room now. */
  #reconnect(): void {
    this.#statements.clear()
    this.#db.close()
    const { busyTimeoutMs } = this.#options
    const { db, isCramped } = connect(this.#path, busyTimeoutMs, true)
    this.#db = db
    this.#isCramped = isCramped
    this.#busyTimeoutMs = busyTimeoutMs
    this.#files = filesOf(this.#path)
  }

  /** Finds out whether the path still names the files that are open. */
  #assertFiles(): void {
    this.#checkFiles()
    if (this.#lost !== undefined) throw this.#lost
  }

  #checkFiles(): void {
    const wasLost = this.#lost !== undefined
    this.#lost = undefined
    try {
      if (this.#files.some((file) => !file.holds)) {
        throw new Error(`${this.#path} or its write-ahead log was moved, deleted or replaced`)
      }
      this.#options.keepLock?.()
    } catch (error) {
      this.#lost = new StoreFault(
        `The database must not be used any longer: ${messageOf(error)}. Restart the server to use the files that are there now.`,
        { cause: error },
      )
    }
    if (wasLost !== (this.#lost !== undefined)) this.#options.onLost?.(this.#lost)
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
    if (this.#lost !== undefined) throw this.#lost
    let statement = this.#statements.get(sql)
    if (statement === undefined) {
      statement = this.#db.prepare(sql)
      this.#statements.set(sql, statement)
    }
    return statement
  }

  /** Copies everything from the write-ahead log into the file and closes it, when all earlier calls have ended. */
  close(): Promise<void> {
    return this.#turns.take(async () => this.#close())
  }

  #close(): void {
    if (!this.#db.isOpen) return
    this.#stopPoll()
    this.#statements.clear()
    this.#db.close()
  }
}

/** The files that must stay where they are while a database is open. */
function filesOf(path: string): readonly Presence[] {
  return [path, `${path}-wal`].map((each) => new Presence(each))
}

interface LogInTransaction {
  /** The entries to write at the end of the transaction: see {@link SqliteDatabase.append}. */
  readonly entries: Revocation[]
  /** The newest entry, or the head that the transaction has read. */
  head: LogHead | undefined
}

function keepHead(log: LogInTransaction, read: () => Awaitable<LogHead>): Awaitable<LogHead> {
  return whenThere(read(), (head) => (log.head ??= head))
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
