import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'

import { SetupError, messageOf } from '../../base/faults.ts'
import { openDatabase } from './database.ts'

/**
 * Reserves a data directory for one server. The lock is SQLite's own, on an empty database beside the real one. The
 * operating system releases it with the process, however the process ends, so no stale lock remains. Commands do not
 * take it; they write beside the server.
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
