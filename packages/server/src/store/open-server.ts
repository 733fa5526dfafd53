import { openPostgres, type StoreSettings } from './open.ts'
import type { Store } from './store.ts'
import { openThreadStore, type ThreadStoreOptions } from './thread/thread-store.ts'

/**
 * Opens the store for a server. PostgreSQL needs no thread, because its driver never blocks. For the embedded database see
 * `openThreadStore`. It takes the lock of the data directory, so that no second
 * server can start on it. In a file of its own, because only the thread of a server loads the engine.
 */
export function openServerStore(
  settings: StoreSettings,
  options: ThreadStoreOptions,
): Promise<Store> {
  const { databaseUrl, dataDir } = settings
  return databaseUrl === undefined
    ? openThreadStore(dataDir, options)
    : openPostgres(settings, databaseUrl, options.clock)
}
