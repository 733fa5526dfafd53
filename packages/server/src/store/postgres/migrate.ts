import { setTimeout as sleep } from 'node:timers/promises'

import { DatabaseError, type ClientBase, type Pool, type PoolClient, type QueryConfig } from 'pg'

import { SetupError, messageOf } from '../../base/faults.ts'
import { COMPATIBLE_FROM, migrations } from './migrations.ts'
import { createPool } from './pool.ts'

/** How long a node waits for another node that migrates, and then for the tables, in milliseconds. */
const WAIT_MS = 600_000
/**
 * A step that changes a table waits this long for it. Meanwhile all statements of the running nodes that use the table
 * wait behind the step, so it lets them pass and tries again.
 */
const TABLE_WAIT_MS = 1_000
const RETRY_MS = 500

/** The key of the lock that a migration holds. */
const LOCK = '(1129270867, 2)'

/** Codes of PostgreSQL: the lock was not available in time, deadlock. */
const IN_THE_WAY: ReadonlySet<string | undefined> = new Set(['55P03', '40P01'])

/** The steps that a release knows. */
export interface Schema {
  readonly steps: readonly string[]
  /** The oldest version whose nodes work with this schema. */
  readonly compatibleFrom: number
}

/** The schema of this release. */
export const CURRENT: Schema = { steps: migrations, compatibleFrom: COMPATIBLE_FROM }

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
export async function readSchema(pool: Pool, schema: Schema = CURRENT): Promise<SchemaState> {
  return connected(pool, async (client) => stateOf(client, schema))
}

/** Does the same with a connection of its own. */
export async function readSchemaAt(url: string): Promise<SchemaState> {
  const pool = createPool({ url, connectionsMax: 1 })
  try {
    return await readSchema(pool)
  } finally {
    await pool.end()
  }
}

/**
 * Brings the schema up to date. Of several nodes that start at once, one applies the steps, in one transaction; nodes
 * of the previous version go on meanwhile.
 */
export async function migrate(pool: Pool, schema: Schema = CURRENT): Promise<SchemaState> {
  return connected(pool, async (client) => {
    const before = await stateOf(client, schema)
    if (before.isCurrent) return before
    const until = performance.now() + WAIT_MS
    for (;;) {
      try {
        return await applySteps(client, schema)
      } catch (error) {
        const isInTheWay = error instanceof DatabaseError && IN_THE_WAY.has(error.code)
        if (!isInTheWay || performance.now() > until) throw error
        await sleep(RETRY_MS)
      }
    }
  })
}

async function applySteps(client: PoolClient, schema: Schema): Promise<SchemaState> {
  // Many nodes wait for one, whose steps may take minutes.
  const run = (text: string): Promise<unknown> => {
    const query: QueryConfig & { query_timeout: number } = {
      text,
      query_timeout: WAIT_MS + RETRY_MS,
    }
    return client.query(query)
  }
  await client.query('BEGIN')
  try {
    await client.query(`SET LOCAL lock_timeout = ${WAIT_MS}; SET LOCAL statement_timeout = 0`)
    await run(`SELECT pg_advisory_xact_lock${LOCK}`)
    // Another node may have migrated while this one waited.
    const { version, newest } = await stateOf(client, schema)
    await client.query(`SET LOCAL lock_timeout = ${TABLE_WAIT_MS}`)
    if (version === 0) await createSchemaTable(client)
    for (const step of schema.steps.slice(version)) await run(step)
    await client.query(
      'UPDATE countersign_schema SET version = $1, compatible_from = $2 WHERE version < $1',
      [newest, schema.compatibleFrom],
    )
    await client.query('COMMIT')
    return { version: Math.max(version, newest), newest, isCurrent: true }
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {})
    throw error
  }
}

async function createSchemaTable(client: PoolClient): Promise<void> {
  await client.query(
    `CREATE TABLE countersign_schema (
       id integer PRIMARY KEY CHECK (id = 1), version integer NOT NULL, compatible_from integer NOT NULL);
     INSERT INTO countersign_schema (id, version, compatible_from) VALUES (1, 0, 0)`,
  )
}

async function stateOf(client: PoolClient, { steps }: Schema): Promise<SchemaState> {
  const newest = steps.length
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
  if (await hasImport(client)) {
    throw new SetupError(
      'The PostgreSQL database contains an unfinished import. Continue it: countersign migrate sqlite-to-postgres. If you do not want it, empty the database.',
    )
  }
  const { version = 0, compatible_from: compatibleFrom = 0 } = rows[0] ?? {}
  if (version > newest && compatibleFrom > newest) {
    throw new SetupError(
      `The database was written by a newer version (schema ${version}, this version knows ${newest}). Start that version, or restore an older copy.`,
    )
  }
  return { version, newest, isCurrent: version >= newest }
}

/** Whether `countersign migrate sqlite-to-postgres` has filled only a part of the database. */
export async function hasImport(client: ClientBase): Promise<boolean> {
  const { rows } = await client.query<{ found: boolean }>(
    `SELECT to_regclass('countersign_import') IS NOT NULL AS found`,
  )
  return rows[0]?.found === true
}

/** Returns the error for an operator whose database does not accept a connection. */
export function unreachable(error: unknown): SetupError {
  return new SetupError(
    `PostgreSQL cannot be reached: ${messageOf(error)}. Check DATABASE_URL and that the server runs.`,
    { cause: error },
  )
}

/** Runs work on a connection of the pool. Errors become a `SetupError` that says what to do. */
async function connected<T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Promise<T> {
  let client: PoolClient
  try {
    client = await pool.connect()
  } catch (error) {
    throw unreachable(error)
  }
  // A connection that ends fails the statement that runs. Without a listener, it would also end the process.
  const ended = (): void => {}
  client.on('error', ended)
  try {
    return await work(client)
  } catch (error) {
    if (error instanceof SetupError) throw error
    throw new SetupError(`PostgreSQL cannot be used: ${messageOf(error)}.`, { cause: error })
  } finally {
    client.off('error', ended)
    client.release()
  }
}
