import type { Clock } from '../../base/clock.ts'
import type { GroupCommit } from '../sql/database.ts'
import { createSqlStore } from '../sql/store.ts'
import type { Store } from '../store.ts'
import { PostgresDatabase } from './database.ts'
import { migrate } from './migrate.ts'
import { createPool, type PoolSettings } from './pool.ts'
import { RefreshBatches } from './refresh.ts'
import { Watch } from './watch.ts'

/**
 * Opens the store on PostgreSQL and brings its schema up to date. Rejects with a `SetupError` if the database cannot be
 * used. Without `clock`, the clock of the server decides, so that nodes agree whatever their own clocks show.
 */
export async function openPostgresStore(settings: PoolSettings, clock?: Clock): Promise<Store> {
  const pool = createPool(settings)
  try {
    await migrate(pool)
    const db = new PostgresDatabase(pool, clock)
    // The clock is right from the beginning.
    await db.look()
    const watch = new Watch(db, settings.url)
    return createStore(db, watch, () => pool.end())
  } catch (error) {
    await pool.end()
    throw error
  }
}

function createStore(db: PostgresDatabase, watch: Watch, end: () => Promise<void>): Store {
  const refreshes = new RefreshBatches(db)
  let ended: Promise<void> | undefined
  // PostgreSQL itself lets commits at the same moment share one wait for the disk.
  const together: GroupCommit = {
    isFull: false,
    run: (work, scope) => db.write(async (tx) => work(tx), scope),
  }
  return {
    ...createSqlStore(db, together, (attempt, rules) => refreshes.refresh(attempt, rules)),
    clock: db.clock,
    watch: (changed) => watch.add(changed),
    check: async () => {
      await db.writeRows('UPDATE write_checks SET checks = checks + 1 WHERE id = 1', [])
    },
    close: async () => {
      await watch.stop()
      await (ended ??= end())
    },
  }
}
