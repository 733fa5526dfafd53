import type { Pool, PoolClient } from 'pg'

import { SetupError, messageOf } from '../../base/faults.ts'
import { COMPATIBLE_FROM, migrations } from './migrations.ts'

/** One node migrates, and the others wait for it this long, in milliseconds. */
const WAIT_MS = 120_000

/** The key of the lock that a migration holds. */
const LOCK = '(1129270867, 2)'

/** Where the schema of a database stands. */
export interface SchemaState {
  /** The version of the database. 0 if it is empty. */
  readonly version: number
  /** The version that this release brings. */
  readonly newest: number
  /** Whether nodes of this release can start without a migration. */
  readonly isCurrent: boolean
}

/** Reads the version of the schema. Throws a `SetupError` if this release cannot use it. */
export async function readSchema(pool: Pool): Promise<SchemaState> {
  return connected(pool, async (client) => stateOf(client))
}

/**
 * Brings the schema up to date. Of several nodes that start at once, one applies the steps, in one transaction; nodes
 * of the previous version go on meanwhile.
 */
export async function migrate(pool: Pool): Promise<SchemaState> {
  return connected(pool, async (client) => {
    const before = await stateOf(client)
    if (before.isCurrent) return before
    await client.query('BEGIN')
    try {
      await client.query(`SET LOCAL lock_timeout = ${WAIT_MS}; SET LOCAL statement_timeout = 0`)
      await client.query(`SELECT pg_advisory_xact_lock${LOCK}`)
      // Another node may have migrated while this one waited.
      const { version, newest } = await stateOf(client)
      if (version === 0) await createSchemaTable(client)
      for (const step of migrations.slice(version)) await client.query(step)
      await client.query(
        'UPDATE countersign_schema SET version = $1, compatible_from = $2 WHERE version < $1',
        [newest, COMPATIBLE_FROM],
      )
      await client.query('COMMIT')
      return { version: newest, newest, isCurrent: true }
    } catch (error) {
      await client.query('ROLLBACK').catch(() => {})
      throw error
    }
  })
}

async function createSchemaTable(client: PoolClient): Promise<void> {
  await client.query(
    `CREATE TABLE countersign_schema (
       id integer PRIMARY KEY CHECK (id = 1), version integer NOT NULL, compatible_from integer NOT NULL);
     INSERT INTO countersign_schema (id, version, compatible_from) VALUES (1, 0, 0)`,
  )
}

async function stateOf(client: PoolClient): Promise<SchemaState> {
  const newest = migrations.length
  const found = await client.query<{ ours: string | null; others: string | null }>(
    `SELECT to_regclass('countersign_schema')::text AS ours, to_regclass('accounts')::text AS others`,
  )
  const [tables] = found.rows
  if (tables?.ours === null) {
    if (tables.others !== null) {
      throw new SetupError(
        'The database has a table "accounts" that does not belong to Countersign. Give Countersign a database of its own, or a schema of its own with ?options=-csearch_path%3DNAME in DATABASE_URL.',
      )
    }
    return { version: 0, newest, isCurrent: false }
  }
  const { rows } = await client.query<{ version: number; compatible_from: number }>(
    'SELECT version, compatible_from FROM countersign_schema',
  )
  const { version = 0, compatible_from: compatibleFrom = 0 } = rows[0] ?? {}
  if (version > newest && compatibleFrom > newest) {
    throw new SetupError(
      `The database was written by a newer version (schema ${version}, this version knows ${newest}). Start that version, or restore an older copy.`,
    )
  }
  return { version, newest, isCurrent: version >= newest }
}

/** Runs work on a connection of the pool. Errors become a `SetupError` that says what to do. */
async function connected<T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Promise<T> {
  let client: PoolClient
  try {
    client = await pool.connect()
  } catch (error) {
    throw new SetupError(
      `PostgreSQL cannot be reached: ${messageOf(error)}. Check DATABASE_URL and that the server runs.`,
      { cause: error },
    )
  }
  try {
    return await work(client)
  } catch (error) {
    if (error instanceof SetupError) throw error
    throw new SetupError(`PostgreSQL cannot be used: ${messageOf(error)}.`, { cause: error })
  } finally {
    client.release()
  }
}
