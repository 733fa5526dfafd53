import type { StoreSettings } from './open.ts'
import type { Store } from './store.ts'
import { openThreadStore, type ThreadStoreOptions } from './thread/thread-store.ts'

/**
 * Opens the store for a server: see `openThreadStore`. It takes the lock of the data directory, so that no second
 * server can start on it. In a file of its own, because only the thread of a server loads the engine.
 */
export function openServerStore(
  settings: StoreSettings,
  options: ThreadStoreOptions,
): Promise<Store> {
  return openThreadStore(settings.dataDir, options)
}
