import { chmodSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'

import type { Clock } from '../../base/clock.ts'
import { SetupError, messageOf } from '../../base/faults.ts'
import type { Store } from '../store.ts'
import { createAccountStore } from './accounts.ts'
import { createAuditStore } from './audit.ts'
import { createClientStore } from './clients.ts'
import { SqliteDatabase } from './database.ts'
import { createKeyStore } from './keys.ts'
import { ServerLock } from './lock.ts'
import { createRevocationStore } from './log-store.ts'
import { createRoleStore } from './roles.ts'
import { createSessionStore } from './sessions.ts'
import { createShadowStore } from './shadows.ts'
import { createTenantStore } from './tenants.ts'
import { createThrottleStore } from './throttles.ts'

// SQLite waits for another writer without letting anything else run. Commands hold the lock for some
// milliseconds; a server that waited much longer would answer nobody, so it says 503 instead.
const SERVER_BUSY_MS = 500
const COMMAND_BUSY_MS = 5_000

/**
 * Opens the embedded store in a directory, which is created with mode 700 where it is missing.
 * `exclusive` is the server; commands open it shared and write beside the server.
 */
export function openSqliteStore(
  dataDir: string,
  options: { readonly exclusive: boolean; readonly clock: Clock },
): Store {
  ensureDirectory(dataDir)
  const lock = options.exclusive ? ServerLock.take(dataDir) : undefined
  let db: SqliteDatabase
  try {
    const path = join(dataDir, 'countersign.db')
    db = SqliteDatabase.open(path, {
      busyTimeoutMs: options.exclusive ? SERVER_BUSY_MS : COMMAND_BUSY_MS,
    })
    chmodSync(path, 0o600)
  } catch (error) {
    lock?.release()
    throw error
  }
  return {
    accounts: createAccountStore(db),
    shadows: createShadowStore(db),
    sessions: createSessionStore(db),
    tenants: createTenantStore(db),
    roles: createRoleStore(db),
    throttles: createThrottleStore(db),
    revocations: createRevocationStore(db),
    audit: createAuditStore(db),
    keys: createKeyStore(db),
    clients: createClientStore(db),
    watch: (changed) => db.watch(changed),
    check: async () => {
      // Another value each time: SQLite writes no page that would stay as it is, and a full disk would
      // go unnoticed.
      db.write(() => db.run('UPDATE write_checks SET checks = checks + 1 WHERE id = 1'))
    },
    close: async () => {
      db.close()
      lock?.release()
    },
  }
}

function ensureDirectory(dataDir: string): void {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw new SetupError(
      `The data directory ${dataDir} cannot be created: ${messageOf(error)}. Make it writable, or set COUNTERSIGN_DATA_DIR.`,
      { cause: error },
    )
  }
}
