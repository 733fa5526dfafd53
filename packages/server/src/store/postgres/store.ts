import type { Clock } from '../../base/clock.ts'
import type { GroupCommit } from '../sql/database.ts'
import { createRedisThrottles } from '../redis/throttles.ts'
import type { StoreRedis } from '../redis/open.ts'
import { createSqlStore } from '../sql/store.ts'
import type { Store } from '../store.ts'
import { PostgresDatabase } from './database.ts'
import { CURRENT, migrate, type Schema } from './migrate.ts'
import { createPool, type PoolSettings } from './pool.ts'
import { EndBatches } from './end-sessions.ts'
import { RefreshBatches } from './refresh.ts'
import { Watch } from './watch.ts'

/** How the store is opened. */
export interface PostgresOptions {
  /** Without it, the clock of the server decides, so that nodes agree whatever their own clocks show. */
  readonly clock?: Clock | undefined
  /** Opens the Redis that counts attempts and tells other nodes of new entries. The store closes it. */
  readonly openRedis?: (() => Promise<StoreRedis>) | undefined
  /** The schema of another version, for tests. */
  readonly schema?: Schema
}

/**
 * Opens the store on PostgreSQL and brings its schema up to date. Rejects with a `SetupError` if the database cannot be
 * used.
 */
export async function openPostgresStore(
  settings: PoolSettings,
  { clock, openRedis, schema = CURRENT }: PostgresOptions = {},
): Promise<Store> {
  const pool = createPool(settings)
  let redis: StoreRedis | undefined
  try {
    await migrate(pool, schema)
    redis = await openRedis?.()
    const db = new PostgresDatabase(pool, clock, redis?.fanOut)
    // The clock is right from the beginning.
    await db.look()
    const watch = new Watch(db, settings.url, redis?.fanOut)
    return createStore(db, watch, redis, () => pool.end())
  } catch (error) {
    await redis?.close()
    await pool.end()
    throw error
  }
}

function createStore(
  db: PostgresDatabase,
  watch: Watch,
  redis: StoreRedis | undefined,
  end: () => Promise<void>,
): Store {
  const refreshes = new RefreshBatches(db)
  let ended: Promise<void> | undefined
  // PostgreSQL itself lets commits at the same moment share one wait for the disk.
  const together: GroupCommit = {
    isFull: false,
    run: (work, scope) => db.write(async (tx) => work(tx), scope),
  }
  const ends = new EndBatches(db)
  const inSql = createSqlStore(db, together, {
    refresh: (attempt, rules) => refreshes.refresh(attempt, rules),
    end: (id, ending, context) => ends.end(id, ending, context),
  })
  return {
    ...inSql,
    throttles: redis
      ? createRedisThrottles(redis.link, db.clock, inSql.throttles)
      : inSql.throttles,
    clock: db.clock,
    watch: (changed) => watch.add(changed),
    check: async () => {
      await db.writeRows('UPDATE write_checks SET checks = checks + 1 WHERE id = 1', [])
    },
    close: async () => {
      await watch.stop()
      await redis?.close()
      await (ended ??= end())
    },
  }
}
