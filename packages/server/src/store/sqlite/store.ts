import { mkdirSync } from 'node:fs'
import { join } from 'node:path'

import type { Clock } from '../../base/clock.ts'
import { SetupError, messageOf } from '../../base/faults.ts'
import { canEverybodyWrite, makePrivate } from '../../base/ownership.ts'
import type { StoreEvent } from '../events.ts'
import type { Store } from '../store.ts'
import { Batches } from '../sql/group-commit.ts'
import { refreshTogether } from '../sql/refresh.ts'
import { endSession } from '../sql/sessions.ts'
import { createSqlStore } from '../sql/store.ts'
import { SqliteDatabase, type DatabaseOptions } from './database.ts'
import { assertNoRemains } from './files.ts'
import { ServerLock } from './lock.ts'

// While SQLite waits for another writer, all other calls wait with it. Commands hold the lock for some milliseconds.
// If the lock is held much longer, the server answers 503.
const SERVER_BUSY_MS = 500
const COMMAND_BUSY_MS = 5_000

/** Opens the embedded store in a directory: see `openStore`. Creates a missing directory with mode 700. */
export function openSqliteStore(
  dataDir: string,
  options: {
    readonly exclusive: boolean
    readonly clock: Clock
    readonly onEvent?: (event: StoreEvent) => void
  },
): Store {
  ensureDirectory(dataDir)
  const { clock } = options
  const lock = options.exclusive ? ServerLock.take(dataDir) : ServerLock.share(dataDir)
  let db: SqliteDatabase
  try {
    const path = join(dataDir, 'countersign.db')
    assertNoRemains(path)
    db = SqliteDatabase.open(
      path,
      options.exclusive ? serving(lock, options) : { ...COMMAND, clock },
    )
    makePrivate(path)
  } catch (error) {
    lock.release()
    throw error
  }
  const together = new Batches(db)
  return {
    ...createSqlStore(db, together, {
      refresh: (attempt, rules) => refreshTogether(together, attempt, rules),
      end: (id, ending, context) => together.run((tx) => endSession(tx, id, ending, context)),
    }),
    clock,
    watch: (changed) => db.watch(changed),
    check: async () => {
      // The value changes at each check. SQLite does not write an unchanged page, so a full disk would go
      // unnoticed.
      await db.write(async (tx) =>
        tx.run('UPDATE write_checks SET checks = checks + 1 WHERE id = 1'),
      )
    },
    close: async () => {
      await db.close()
      lock.release()
    },
  }
}

const COMMAND: DatabaseOptions = { busyTimeoutMs: COMMAND_BUSY_MS }

function serving(
  lock: ServerLock,
  { clock, onEvent }: { readonly clock: Clock; readonly onEvent?: (event: StoreEvent) => void },
): DatabaseOptions {
  return {
    busyTimeoutMs: SERVER_BUSY_MS,
    clock,
    isServer: true,
    keepLock: () => lock.keep(),
    onLost: (fault) =>
      onEvent?.(
        fault === undefined
          ? { event: 'store_recovered' }
          : { event: 'store_lost', error: fault.message },
      ),
  }
}

/** Creates a missing data directory with mode 700. Throws a `SetupError` if every user can write to it. */
export function ensureDirectory(dataDir: string): void {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw new SetupError(
      `The data directory ${dataDir} cannot be created: ${messageOf(error)}. Make it writable, or set COUNTERSIGN_DATA_DIR.`,
      { cause: error },
    )
  }
  // Anyone who can write there can replace the database.
  if (!canEverybodyWrite(dataDir)) return
  throw new SetupError(
    `Every user of this machine can write to the data directory ${dataDir}. Run: chmod 700 ${dataDir}. If that has no effect on its file system, mount it with the options uid=USER,umask=077, or set COUNTERSIGN_DATA_DIR to a directory on a local disk.`,
  )
}
