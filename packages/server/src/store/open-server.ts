import { openPostgres, type StoreSettings } from './open.ts'
import type { Store } from './store.ts'
import { openThreadStore, type ThreadStoreOptions } from './thread/thread-store.ts'

/**
 * Opens the store for a server. PostgreSQL needs no thread, because its driver never blocks, and uses Redis if it is set.
 * For the embedded database see `openThreadStore`. It takes the lock of the data directory, so that no second
 * server can start on it. In a file of its own, because only the thread of a server loads the engine.
 */
export function openServerStore(
  settings: StoreSettings,
  options: ThreadStoreOptions,
): Promise<Store> {
  const { databaseUrl, dataDir, redisUrl, publicUrl: issuer = '' } = settings
  if (databaseUrl === undefined) return openThreadStore(dataDir, options)
  const { clock, onEvent } = options
  if (redisUrl === undefined) return openPostgres(settings, databaseUrl, clock)
  return openPostgres(settings, databaseUrl, clock, async () => {
    const { openStoreRedis } = await import('./redis/open.ts')
    return openStoreRedis({ url: redisUrl, issuer, onEvent })
  })
}
