import type { Clock } from '../base/clock.ts'
import { openSqliteStore } from './sqlite/store.ts'
import type { Store } from './store.ts'

/** The settings that select the engine and its location. `Settings` has them. */
export interface StoreSettings {
  /** The directory of the embedded database. */
  readonly dataDir: string
}

/** How a process opens the store in its own thread. */
export interface OpenStoreOptions {
  /**
   * True takes the lock of the data directory, so that no server can start on it. False for commands and tests that
   * open the store while a server may be running.
   */
  readonly exclusive: boolean
  /** SQLite measures grace and expiry by this clock. PostgreSQL uses the clock of its server. */
  readonly clock: Clock
}

/**
 * Opens the store that the settings choose, and brings its schema up to date. Only SQLite exists so far. Commands use
 * it: they do one thing, so a thread would only delay them.
 * Throws a `SetupError` if the store cannot be used, for example because another server runs on it.
 */
export function openStore(settings: StoreSettings, options: OpenStoreOptions): Store {
  return openSqliteStore(settings.dataDir, options)
}
