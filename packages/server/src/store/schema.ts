import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'

import { systemClock } from '../base/clock.ts'
import { openStore, type StoreSettings } from './open.ts'

/** Where the schema of the database stands. */
export interface SchemaVersion {
  /** The version of the database. 0 if it is empty. */
  readonly version: number
  /** The version that this release brings. */
  readonly newest: number
  /** Whether servers of this release start without an upgrade. */
  readonly isCurrent: boolean
}

/** Reads the version of the schema. Rejects with a `SetupError` if this release cannot use the database. */
export async function readSchemaVersion(settings: StoreSettings): Promise<SchemaVersion> {
  if (settings.databaseUrl !== undefined) {
    const { readSchemaAt } = await import('./postgres/migrate.ts')
    return readSchemaAt(settings.databaseUrl)
  }
  const path = join(settings.dataDir, 'countersign.db')
  const [{ readSqliteSchema }, { assertNoRemains }] = await Promise.all([
    import('./sqlite/schema.ts'),
    import('./sqlite/files.ts'),
  ])
  if (existsSync(settings.dataDir)) assertNoRemains(path)
  const isEmpty = !existsSync(path) || statSync(path).size === 0
  return readSqliteSchema(isEmpty ? undefined : path)
}

/**
 * Brings the schema up to date. Returns the version before. Rejects with a `SetupError` if the database cannot be used,
 * or a server runs on the embedded database.
 */
export async function upgradeSchema(settings: StoreSettings): Promise<SchemaVersion> {
  const before = await readSchemaVersion(settings)
  if (before.isCurrent) return before
  const store = await openStore(settings, { exclusive: true, clock: systemClock })
  await store.close()
  return before
}
