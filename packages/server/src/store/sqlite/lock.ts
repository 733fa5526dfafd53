import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'

import { SetupError, messageOf } from '../../base/faults.ts'
import { CODES, codeOf, connect, openDatabase } from './connection.ts'
import { Presence } from './presence.ts'

/** How long a command or a restore waits for the other to end, in milliseconds. */
const WAIT_MS = 5_000

/**
 * Reserves a data directory. One server may use it, together with any number of commands. A restore replaces the
 * database file, so it excludes the server and all commands. Otherwise a process that had opened the old file would
 * use the write-ahead log of the new file, which has the same name.
 *
 * It uses SQLite's file lock on a separate empty database. The operating system releases the lock whenever the
 * process ends, so no stale lock remains.
 */
export class ServerLock {
  readonly #dataDir: string
  #db: DatabaseSync
  #file: Presence

  private constructor(dataDir: string, db: DatabaseSync) {
    this.#dataDir = dataDir
    this.#db = db
    this.#file = new Presence(lockPath(dataDir))
  }

  /** Takes the lock for a server. Throws a `SetupError` while another server or a restore holds the directory. */
  static take(dataDir: string): ServerLock {
    const isMissing = !existsSync(lockPath(dataDir))
    const lock = ServerLock.#reserve(dataDir)
    try {
      if (isMissing) assertUnused(dataDir)
      return lock
    } catch (error) {
      lock.release()
      throw error
    }
  }

  static #reserve(dataDir: string): ServerLock {
    // A RESERVED lock: only one process can hold it, and readers may continue.
    return ServerLock.#open(
      dataDir,
      () => ServerLock.#whyInUse(dataDir),
      (db) => db.exec('BEGIN IMMEDIATE'),
    )
  }

  /**
   * Takes the lock of a server again if somebody has removed its file, before another server takes it. Throws a
   * `SetupError` if another server has been faster.
   */
  keep(): void {
    if (this.#file.holds) return
    const again = ServerLock.#reserve(this.#dataDir)
    this.#db.close()
    this.#db = again.#db
    this.#file = again.#file
  }

  /**
   * Takes the lock for a restore: no server runs and no command has the database open until it is released. Waits 5 s
   * for commands. Throws a `SetupError` after that, and at once while a server or another restore holds the directory.
   */
  static takeAlone(dataDir: string): ServerLock {
    ServerLock.#reserve(dataDir).release()
    const busy = (): string =>
      `Another server or command is using the data in ${dataDir}. Stop it first, then run this command again.`
    return ServerLock.#open(dataDir, busy, (db) => {
      db.exec(`PRAGMA busy_timeout = ${WAIT_MS}`)
      db.exec('BEGIN EXCLUSIVE')
    })
  }

  /**
   * Takes the lock for a command that opens the database beside a server. Waits 5 s for a restore, then throws a
   * `SetupError`.
   */
  static share(dataDir: string): ServerLock {
    return ServerLock.#share(dataDir, WAIT_MS)
  }

  static #share(dataDir: string, waitMs: number): ServerLock {
    const busy = (): string =>
      `A restore of the database in ${dataDir} is in progress. Wait for it, then try again.`
    return ServerLock.#open(dataDir, busy, (db) => {
      db.exec(`PRAGMA busy_timeout = ${waitMs}`)
      // The first read takes a SHARED lock, and the open transaction keeps it.
      db.exec('BEGIN')
      db.exec('SELECT count(*) FROM sqlite_schema')
    })
  }

  static #open(dataDir: string, busy: () => string, lock: (db: DatabaseSync) => void): ServerLock {
    let db: DatabaseSync | undefined
    try {
      db = openDatabase(lockPath(dataDir))
      // Nothing is ever written, and a journal on the disk would need room on it.
      db.exec('PRAGMA journal_mode = MEMORY')
      lock(db)
      return new ServerLock(dataDir, db)
    } catch (error) {
      db?.close()
      if (messageOf(error).includes('locked')) throw new SetupError(busy(), { cause: error })
      throw new SetupError(`The data directory ${dataDir} cannot be used: ${messageOf(error)}.`, {
        cause: error,
      })
    }
  }

  /** Releases the lock. Calling it again does nothing. */
  release(): void {
    if (this.#db.isOpen) this.#db.close()
  }

  /** A server lets readers share the lock, and a restore does not. */
  static #whyInUse(dataDir: string): string {
    try {
      ServerLock.#share(dataDir, 0).release()
    } catch (error) {
      return messageOf(error)
    }
    return `Another server is running on the data in ${dataDir}. Stop it first, or set COUNTERSIGN_DATA_DIR to another directory.`
  }
}

function lockPath(dataDir: string): string {
  return join(dataDir, 'countersign.lock')
}

/**
 * Throws a `SetupError` while another process has the database open. A server whose lock file was removed still holds
 * its lock, but on a file that nobody else can find. Every connection holds a lock on the database itself, so only one
 * that is alone can leave WAL mode.
 */
function assertUnused(dataDir: string): void {
  const path = join(dataDir, 'countersign.db')
  if (!existsSync(path) || statSync(path).size === 0) return
  let db: DatabaseSync | undefined
  try {
    db = connect(path, WAIT_MS, true).db
    db.exec('PRAGMA journal_mode = DELETE')
  } catch (error) {
    if (codeOf(error) !== CODES.busy) return // It is damaged, or the disk is full. The start itself reports that.
    throw new SetupError(
      `Another server or command is using the data in ${dataDir}, and the file countersign.lock was removed. Stop it first, then start again.`,
      { cause: error },
    )
  } finally {
    db?.close()
  }
}
