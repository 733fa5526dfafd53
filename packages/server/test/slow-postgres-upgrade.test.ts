import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { systemClock } from '../src/base/clock.ts'
import { openStore } from '../src/store/open.ts'
import { CURRENT, migrate, readSchema, type Schema } from '../src/store/postgres/migrate.ts'
import { COMPATIBLE_FROM, migrations } from '../src/store/postgres/migrations.ts'
import { createPool } from '../src/store/postgres/pool.ts'
import { openPostgresStore } from '../src/store/postgres/store.ts'
import type { Store } from '../src/store/store.ts'
import { sharedPostgres, type Database } from '../../../tests/support/postgres.ts'
import { account, attempt, BY, logOf, rules, session, signedIn } from './store-contract/samples.ts'
import { readFixtures, writeFixture } from './support/schema-fixtures.ts'
import { fillEmptyTables, fillSessions, toPostgres } from './support/transfer.ts'

let database: Database
beforeEach(async () => {
  database = await (await sharedPostgres()).createDatabase()
})
afterEach(() => database[Symbol.asyncDispose]())

/** The schema of a release after this one. Its step adds a column to each busy table, a table and an index. */
const NEXT: Schema = {
  steps: [
    ...migrations,
    `ALTER TABLE sessions ADD COLUMN added_text text COLLATE "C";
     ALTER TABLE accounts ADD COLUMN added_number bigint NOT NULL DEFAULT 7;
     ALTER TABLE keys ADD COLUMN added_flag integer NOT NULL DEFAULT 0;
     CREATE TABLE added (id text COLLATE "C" PRIMARY KEY, at bigint NOT NULL);
     CREATE INDEX added_by_time ON added (at);`,
  ],
  compatibleFrom: COMPATIBLE_FROM,
}

function openNode(schema = CURRENT): Promise<Store> {
  return openPostgresStore({ url: database.url, connectionsMax: 5 }, { schema })
}

describe('every released schema', () => {
  test.runIf(process.env['WRITE_SCHEMA_FIXTURE'] === '1')(
    'the dump of the newest is written',
    async () => {
      const dataDir = mkdtempSync(join(tmpdir(), 'countersign-fixture-'))
      try {
        const store = await openStore({ dataDir }, { exclusive: true, clock: systemClock })
        await signedIn(store, 'session-1', 'disabled')
        await store.accounts.disable('disabled', BY)
        await store.close()
        fillSessions(dataDir, 20)
        fillEmptyTables(dataDir)
        await toPostgres(dataDir, database.url)
        // A transfer leaves out the servers of the source.
        await database.query(
          `INSERT INTO nodes VALUES ('node-1', 'host', '0.1.0', 1, 2, 3, 4, 5, 6, 1, 0)`,
        )
        writeFixture(database)
      } finally {
        rmSync(dataDir, { recursive: true, force: true })
      }
    },
  )

  test('is upgraded with its rows, and a server works on it', async () => {
    const fixtures = readFixtures()
    expect(fixtures).toHaveLength(migrations.length)
    for (const [version, sql] of fixtures) {
      const old = await (await sharedPostgres()).createDatabase()
      await old.query(sql)
      expect(await old.query('SELECT version FROM countersign_schema')).toEqual([{ version }])
      const before = await rowsOf(old)
      expect(Object.values(before).every((rows) => rows.length > 0)).toBe(true)
      const store = await openPostgresStore({ url: old.url, connectionsMax: 2 })
      try {
        const after = await rowsOf(old)
        for (const [table, rows] of Object.entries(before)) {
          if (table === 'countersign_schema') continue
          // Columns may have been added.
          expect(after[table], table).toMatchObject(rows)
        }
        await store.accounts.create(account('new'), 'new', BY)
        await store.sessions.create(session('new-session', { accountId: 'new' }), BY)
        const outcome = await store.sessions.refresh(attempt(0, 'new-session'), rules())
        expect(outcome.kind).toBe('rotated')
        expect((await logOf(store)).length).toBeGreaterThan(0)
        expect(await old.query('SELECT version FROM countersign_schema')).toEqual([
          { version: migrations.length },
        ])
      } finally {
        await store.close()
        await old[Symbol.asyncDispose]()
      }
    }
  })
})

/** All rows of all tables, in an order that added columns do not change. */
async function rowsOf(from: Database): Promise<Record<string, Record<string, unknown>[]>> {
  const tables = await from.query<{ name: string }>(
    `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'`,
  )
  const found: Record<string, Record<string, unknown>[]> = {}
  for (const { name } of tables) {
    const [first] = await from.query<{ keys: string }>(
      `SELECT string_agg(format('%I', a.attname), ', ') AS keys FROM pg_index i
       JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
       WHERE i.indrelid = $1::regclass AND i.indisprimary`,
      [name],
    )
    found[name] = await from.query(`SELECT * FROM ${name} ORDER BY ${first?.keys}`)
  }
  return found
}

describe('several nodes', () => {
  test('that start at once on an empty database create one schema', async () => {
    const stores = await Promise.all(Array.from({ length: 6 }, () => openNode()))
    try {
      const origins = await Promise.all(stores.map((store) => store.revocations.chainAt(0)))
      expect(new Set(origins.map((each) => Buffer.from(each!).toString('hex'))).size).toBe(1)
      expect(await database.query('SELECT version FROM countersign_schema')).toEqual([
        { version: migrations.length },
      ])
    } finally {
      await Promise.all(stores.map((store) => store.close()))
    }
  })

  test('wait for the one that migrates, also longer than a statement may take', async () => {
    await (await openNode()).close()
    const slow: Schema = {
      ...NEXT,
      steps: [...migrations, `SELECT pg_sleep(8); ${NEXT.steps.at(-1)}`],
    }
    const stores = await Promise.all([openNode(slow), openNode(slow), openNode(slow)])
    expect(await database.query('SELECT version FROM countersign_schema')).toEqual([
      { version: migrations.length + 1 },
    ])
    await Promise.all(stores.map((store) => store.close()))
  })

  test('of the old version go on while a node of the next version upgrades the schema under load', async () => {
    const old = await openNode()
    const sessions = Array.from({ length: 8 }, (_, i) => `session-${i}`)
    for (const [i, id] of sessions.entries()) await signedIn(old, id, `acct_${i}`)
    const faults: unknown[] = []
    const counts = { refreshed: 0, afterwards: 0 }
    const ended = new AbortController()
    let isUpgraded = false
    const use = async (id: string, accountId: string): Promise<void> => {
      for (let generation = 0; !ended.signal.aborted; generation += 1) {
        try {
          const outcome = await old.sessions.refresh(attempt(generation, id), rules())
          if (outcome.kind !== 'rotated') throw new Error(JSON.stringify(outcome))
          // These select all columns with prepared statements.
          if ((await old.accounts.get(accountId)) === undefined) throw new Error('no account')
          if ((await old.sessions.state(id)) === undefined) throw new Error('no session')
          await old.keys.list()
          counts[isUpgraded ? 'afterwards' : 'refreshed'] += 1
        } catch (error) {
          faults.push(error)
          return
        }
      }
    }
    const users = sessions.map((id, i) => use(id, `acct_${i}`))
    const until = async (key: keyof typeof counts, n: number): Promise<void> =>
      expect.poll(() => counts[key] + faults.length * 1_000).toBeGreaterThan(n)
    await until('refreshed', 100)
    const young = await openNode(NEXT)
    isUpgraded = true
    await until('afterwards', 100)
    // Both versions see what the other writes.
    await young.accounts.create(account('by-new'), 'by-new', BY)
    expect(await old.accounts.get('by-new')).toMatchObject({ id: 'by-new' })
    await old.accounts.create(account('by-old'), 'by-old', BY)
    expect(await young.accounts.get('by-old')).toMatchObject({ id: 'by-old' })
    await old.accounts.disable('by-new', BY)
    expect(await young.revocations.head()).toEqual(await old.revocations.head())
    // A node of the old version starts again in the middle of the upgrade.
    const again = await openNode()
    expect(await again.accounts.count()).toBe(sessions.length + 2)
    ended.abort()
    await Promise.all(users)
    expect(faults).toEqual([])
    const rows = await database.query<{ n: string }>(
      'SELECT count(*) AS n FROM accounts WHERE added_number = 7',
    )
    expect(Number(rows[0]?.n)).toBe(sessions.length + 2)
    await Promise.all([old, young, again].map((store) => store.close()))
  })

  test('a step that must wait for a long transaction lets statements of other nodes pass meanwhile', async () => {
    const old = await openNode()
    await signedIn(old)
    const pool = createPool({ url: database.url, connectionsMax: 1 })
    const reader = await pool.connect()
    await reader.query('BEGIN; SELECT count(*) FROM sessions')
    const upgrade = openNode(NEXT)
    const begunAt = performance.now()
    let generation = 0
    while (performance.now() - begunAt < 4_000) {
      const outcome = await old.sessions.refresh(attempt(generation, 'session-1'), rules())
      expect(outcome.kind).toBe('rotated')
      generation += 1
    }
    expect(await old.accounts.get('acct_1')).toBeDefined()
    await reader.query('COMMIT')
    reader.release()
    await pool.end()
    await (await upgrade).close()
    await old.close()
  })
})

test('a statement that an old node has prepared survives an added column', async () => {
  const old = await openNode()
  await signedIn(old)
  const before = await old.accounts.get('acct_1')
  await (await openNode(NEXT)).close()
  // On each connection of its pool.
  const found = await Promise.all(Array.from({ length: 20 }, () => old.accounts.get('acct_1')))
  expect(found).toEqual(Array.from({ length: 20 }, () => before))
  await old.close()
})

test('a schema of a newer version that does not name this one as compatible is refused', async () => {
  await (await openNode()).close()
  const contracted: Schema = { steps: NEXT.steps, compatibleFrom: NEXT.steps.length }
  const pool = createPool({ url: database.url, connectionsMax: 1 })
  try {
    expect(await readSchema(pool, contracted)).toMatchObject({ isCurrent: false })
    await migrate(pool, contracted)
    await expect(readSchema(pool, CURRENT)).rejects.toThrow('was written by a newer version')
    await expect(openNode()).rejects.toThrow('was written by a newer version')
  } finally {
    await pool.end()
  }
})
