import type { Clock } from '../base/clock.ts'
import { openSqliteStore } from './sqlite/store.ts'
import type { Store } from './store.ts'

/** The settings that choose the engine and its place. `Settings` has them. */
export interface StoreSettings {
  /** The directory of the embedded database. */
  readonly dataDir: string
}

/** How a process opens the store. */
export interface OpenStoreOptions {
  /**
   * True for the server: it takes the lock of the data directory, so that no second server can start on it.
   * False for commands and tests that read and write beside a server.
   */
  readonly exclusive: boolean
  /** SQLite measures grace and expiry by this clock. PostgreSQL uses the clock of its server. */
  readonly clock: Clock
}

/**
 * Opens the store that the settings choose, and brings its schema up to date. Only SQLite exists so far.
 * Throws a `SetupError` where the store cannot be used, for example while another server runs on it.
 */
export function openStore(settings: StoreSettings, options: OpenStoreOptions): Store {
  return openSqliteStore(settings.dataDir, options)
}
