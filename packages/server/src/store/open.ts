import { systemClock, type Clock } from '../base/clock.ts'
import type { StoreRedis } from './redis/open.ts'
import type { Store } from './store.ts'

/** The settings that select the engine and its location. `Settings` has them. */
export interface StoreSettings {
  /** The directory of the embedded database. */
  readonly dataDir: string
  /** The PostgreSQL that is used instead of the embedded database. */
  readonly databaseUrl?: string | undefined
  /** The most connections of this process to PostgreSQL. */
  readonly databaseConnectionsMax?: number
  /** The Redis that a server uses beside PostgreSQL. Commands do not use it. */
  readonly redisUrl?: string | undefined
  /** The public URL of the authority. */
  readonly publicUrl?: string
}

/** How a process opens the store in its own thread. */
export interface OpenStoreOptions {
  /**
   * True takes the lock of the data directory, so that no server can start on it. False for commands and tests that
   * open the store while a server may be running.
   */
  readonly exclusive: boolean
  /** Decides grace and expiry. `systemClock` stands for the clock of the database server on PostgreSQL. */
  readonly clock: Clock
}

/**
 * Opens the store that the settings choose, and brings its schema up to date. Commands use it: they do one thing, so a
 * thread would only delay them. Rejects with a `SetupError` if the store cannot be used, for example because another server runs on it.
 */
export async function openStore(
  settings: StoreSettings,
  options: OpenStoreOptions,
): Promise<Store> {
  if (settings.databaseUrl !== undefined) {
    return openPostgres(settings, settings.databaseUrl, options.clock)
  }
  const { openSqliteStore } = await import('./sqlite/store.ts')
  return openSqliteStore(settings.dataDir, options)
}

/** The driver is loaded only where it is used. Only servers use Redis. */
export async function openPostgres(
  { databaseConnectionsMax = CONNECTIONS_MAX }: StoreSettings,
  url: string,
  clock: Clock,
  openRedis?: () => Promise<StoreRedis>,
): Promise<Store> {
  const { openPostgresStore } = await import('./postgres/store.ts')
  const settings = { url, connectionsMax: databaseConnectionsMax }
  return openPostgresStore(settings, {
    clock: clock === systemClock ? undefined : clock,
    openRedis,
  })
}

const CONNECTIONS_MAX = 10
