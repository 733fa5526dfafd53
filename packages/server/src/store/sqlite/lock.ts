import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'

import { SetupError, messageOf } from '../../base/faults.ts'
import { openDatabase } from './database.ts'

/**
 * Reserves a data directory for one server. It uses SQLite's file lock on a separate empty database. The
 * operating system releases the lock whenever the process ends, so no stale lock remains. Commands do not
 * take the lock, so they can write while the server runs.
 */
export class ServerLock {
  readonly #db: DatabaseSync

  private constructor(db: DatabaseSync) {
    this.#db = db
  }

  /** Takes the lock. Throws a `SetupError` while another server holds the directory. */
  static take(dataDir: string): ServerLock {
    let db: DatabaseSync | undefined
    try {
      db = openDatabase(join(dataDir, 'countersign.lock'))
      db.exec('PRAGMA locking_mode = EXCLUSIVE')
      db.exec('BEGIN EXCLUSIVE')
      return new ServerLock(db)
    } catch (error) {
      db?.close()
      if (messageOf(error).includes('locked')) {
        throw new SetupError(
          `Another server is running on the data in ${dataDir}. Stop it first, or set COUNTERSIGN_DATA_DIR to another directory.`,
          { cause: error },
        )
      }
      throw new SetupError(`The data directory ${dataDir} cannot be used: ${messageOf(error)}.`, {
        cause: error,
      })
    }
  }

  /** Releases the lock. Calling it again does nothing. */
  release(): void {
    if (this.#db.isOpen) this.#db.close()
  }
}
