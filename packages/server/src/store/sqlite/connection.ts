import { closeSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'

import { giveToOwnerOf } from './files.ts'

const CACHE_KIB = 65_536
// A checkpoint writes each changed page once, however often it changed since the previous checkpoint.
// Refreshes change random rows in a large table. With 16 MiB between checkpoints, most of those page writes
// are saved.
const CHECKPOINT_PAGES = 4_096

/** Result codes of SQLite, without their extension. */
export const CODES = { busy: 5, ioError: 10, full: 13, cannotOpen: 14 } as const

/** Returns the result code of SQLite, without its extension. Undefined for any other error. */
export function codeOf(error: unknown): number | undefined {
  return error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : undefined
}

/** An open connection. */
export interface Connection {
  readonly db: DatabaseSync
  /**
   * Whether the disk had no room for the files that connections share. This connection then keeps all others out, and
   * can only read until there is room.
   */
  readonly isCramped: boolean
}

/**
 * Opens a database in WAL mode, in which a commit is on the disk before it returns. `mayBeAlone` allows a connection
 * that keeps others out where the disk is full: see {@link Connection.isCramped}.
 */
export function connect(path: string, busyTimeoutMs: number, mayBeAlone: boolean): Connection {
  const open = (isAlone: boolean): DatabaseSync =>
    configure(openDatabase(path), busyTimeoutMs, isAlone)
  try {
    return { db: open(false), isCramped: false }
  } catch (error) {
    const code = codeOf(error)
    const isFull = code === CODES.full || code === CODES.ioError || code === CODES.cannotOpen
    if (!mayBeAlone || !isFull) throw error
    return { db: open(true), isCramped: true }
  }
}

function configure(db: DatabaseSync, busyTimeoutMs: number, isAlone: boolean): DatabaseSync {
  try {
    db.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}`)
    // It then keeps its index of the write-ahead log in memory.
    if (isAlone) db.exec('PRAGMA locking_mode = EXCLUSIVE')
    db.exec('PRAGMA journal_mode = WAL')
    db.exec('PRAGMA synchronous = FULL')
    db.exec('PRAGMA foreign_keys = ON')
    db.exec(`PRAGMA cache_size = -${CACHE_KIB}`)
    db.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`)
    // The first read opens the log.
    db.exec('SELECT count(*) FROM sqlite_schema')
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

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
