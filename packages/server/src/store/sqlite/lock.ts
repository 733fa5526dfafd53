import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'

import { SetupError, messageOf } from '../../base/faults.ts'
import { openDatabase } from './database.ts'

/**
 * Holds a data directory for one server. The lock is SQLite's own, on an empty database beside the
 * real one: the operating system drops it with the process, however that ends, so no stale lock is
 * ever left behind. Commands do not take it; they write beside the server.
 */
export class ServerLock {
  readonly #db: DatabaseSync

  private constructor(db: DatabaseSync) {
    this.#db = db
  }

  /** Throws a `SetupError` when another server holds the directory. */
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

  release(): void {
    if (this.#db.isOpen) this.#db.close()
  }
}
