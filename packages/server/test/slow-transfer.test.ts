import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { createAuthority } from '../src/authority.ts'
import { migrations as sqliteSteps } from '../src/store/sqlite/migrations.ts'
import { openStore } from '../src/store/open.ts'
import { systemClock } from '../src/base/clock.ts'
import { describeTables, IMPORT_TABLE, NOT_COPIED, TABLES } from '../src/store/transfer/tables.ts'
import { sharedPostgres, type Database } from '../../../tests/support/postgres.ts'
import { USERNAME } from './support/authority.ts'
import { askWithSecret, newClient, tokenOf } from './support/clients.ts'
import { runCommand } from './support/command-line.ts'
import { execute, query, queryOne } from './support/database.ts'
import { newAuthenticator, openFactorPeople } from './support/factor-people.ts'
import { startServerProcess } from './support/server-process.ts'
import { contentsOf, fillEmptyTables, toPostgres, toSqlite } from './support/transfer.ts'
import { logOf } from './store-contract/samples.ts'

const SECRET = 'the-secret-of-all-nodes-of-a-test-0123456789'

let folder: string
let database: Database
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-transfer-'))
  database = await (await sharedPostgres()).createDatabase()
})
afterEach(async () => {
  await database[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

/** A new directory, with an empty database of this version. */
async function emptyDatabase(): Promise<string> {
  const dataDir = mkdtempSync(join(folder, 'data-'))
  const store = await openStore({ dataDir }, { exclusive: true, clock: systemClock })
  await store.close()
  return dataDir
}

describe('moving data', () => {
  test('both engines have the same tables and columns, and every table is copied or listed as not copied', async () => {
    await toPostgres(await emptyDatabase(), database.url)
    const rows = await database.query<{ table: string; column: string }>(
      `SELECT table_name AS table, column_name AS column FROM information_schema.columns
       WHERE table_schema = 'public'`,
    )
    const inPostgres = rows
      .filter(({ table }) => !NOT_COPIED.has(table))
      .map(({ table, column }) => `${table}.${column}`)
    const described = describeTables()
    const copied = described.flatMap(({ name, columns }) =>
      columns.map((column) => `${name}.${column.name}`),
    )
    expect(inPostgres.toSorted()).toEqual(copied.toSorted())
    expect(described.every(({ key }) => key.length > 0)).toBe(true)
    const inSqlite = query(
      await emptyDatabase(),
      `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`,
    )
    const names = inSqlite.map(({ name }) => String(name)).filter((name) => !NOT_COPIED.has(name))
    expect(names.toSorted()).toEqual([...TABLES].toSorted())
  })

  test('a database with rows in every table comes back from PostgreSQL as it was, and everything keeps working', async () => {
    await using it = await openFactorPeople({ secret: SECRET })
    const { tenants, roles, accounts } = it.authority
    await tenants.create('acme', 'test')
    await roles.define({ name: 'owner', permissions: ['everything'] }, 'test')
    await tenants.setMember({ username: USERNAME, tenant: 'acme', roles: ['owner'] }, 'test')
    const app = await it.withApp('bob')
    await it.create('carol')
    const carol = await it.pair('carol')
    const authenticator = await it.addPasskey(carol.access, newAuthenticator())
    const service = await newClient(it)
    const alice = await it.login()
    const ended = await it.login()
    await it.post('/api/token/blacklist/', { refresh: ended.refresh })
    await it.create('gone')
    const gone = await it.pair('gone')
    await accounts.disable('gone', 'test')
    await it.post('/auth/password/forgot', { email: 'bob@example.com' })
    await it.authority.close()
    fillEmptyTables(it.dataDir)
    // The numbers of removed rows are not given again.
    execute(it.dataDir, `UPDATE sqlite_sequence SET seq = seq + 1000`)
    const before = contentsOf(it.dataDir)
    expect(Object.entries(before).filter(([, rows]) => (rows as []).length === 0)).toEqual([])

    const compared = await toPostgres(it.dataDir, database.url)
    expect(compared.filter(({ isSame }) => !isSame)).toEqual([])
    expect(compared.map(({ table }) => table)).toEqual([...TABLES])
    const back = join(folder, 'back')
    await toSqlite(database.url, back)
    expect(contentsOf(back)).toEqual(before)

    await it.restart({ databaseUrl: database.url, databaseConnectionsMax: 4 })
    const refreshed = await it.post('/api/token/refresh/', { refresh: alice.refresh })
    expect(refreshed.status).toBe(200)
    expect((await it.post('/api/token/verify/', { token: alice.access })).status).toBe(200)
    for (const { refresh } of [ended, gone]) {
      expect((await it.post('/api/token/refresh/', { refresh })).status).toBe(401)
    }
    expect((await it.post('/api/token/verify/', { token: gone.access })).status).toBe(401)
    await it.signIn(app)
    const recovery = { method: 'recovery_code', code: app.recoveryCodes[0] }
    expect((await it.complete(await it.ticket('bob'), recovery)).status).toBe(200)
    expect((await it.complete(await it.ticket('bob'), recovery)).status).toBe(401)
    const asked = await it.send('/auth/passkey/challenge', {})
    const { challenge, response } = it.answerPasskey(asked, authenticator)
    const withPasskey = await it.send('/api/token/passkey/', { challenge, response })
    expect(withPasskey.status).toBe(200)
    tokenOf(await askWithSecret(it, service))

    // The numbers of the audit go on above those of removed rows.
    const numbers = before['numbers'] as { name: string; seq: number }[]
    const audit = numbers.find(({ name }) => name === 'audit')?.seq ?? 0
    const [row] = await database.query<{ id: string }>(
      'SELECT min(id) AS id FROM audit WHERE id > (SELECT max(id) - 100 FROM audit) AND id > $1',
      [audit],
    )
    expect(Number(row?.id)).toBe(audit + 1)

    // And back: the sessions that were refreshed in PostgreSQL are refreshed in SQLite.
    const { refresh } = (await refreshed.json()) as { refresh: string }
    await it.authority.close()
    const second = join(folder, 'second')
    await toSqlite(database.url, second)
    await it.restart({ databaseUrl: undefined, dataDir: second })
    expect((await it.post('/api/token/refresh/', { refresh })).status).toBe(200)
    expect((await it.login()).access).toBeDefined()
    await it.authority.close()
    const store = await openStore({ dataDir: second }, { exclusive: false, clock: it.clock })
    expect((await logOf(store)).length).toBeGreaterThan(1)
    await store.close()
  })

  describe('refuses', () => {
    test('a source that a server uses, on both engines', async () => {
      const env = { DATABASE_URL: database.url, COUNTERSIGN_SECRET: SECRET }
      const sqlite = await startServerProcess({ env: { COUNTERSIGN_SECRET: SECRET } })
      const { dataDir } = sqlite
      await using _ = sqlite
      const refused = await runCommand(['migrate', 'sqlite-to-postgres'], { dataDir, env })
      expect(refused).toMatchObject({
        code: 1,
        stdout: '',
        stderr: expect.stringContaining('Another server is running on the data in'),
      })
      await using postgres = await startServerProcess({ env })
      const target = join(folder, 'target')
      mkdirSync(target)
      const back = await runCommand(['migrate', 'postgres-to-sqlite'], { dataDir: target, env })
      expect(back).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('Servers or commands of Countersign are connected'),
      })
      await sqlite.stop()
      const occupied = await runCommand(['migrate', 'sqlite-to-postgres'], { dataDir, env })
      expect(occupied.stderr).toContain('Servers or commands of Countersign are connected')
      const restored = await runCommand(['restore'], { dataDir, env })
      expect(restored).toMatchObject({
        code: 1,
        stdout: '',
        stderr: expect.stringContaining('Servers or commands of Countersign are connected'),
      })
      await postgres.stop()
      const full = await runCommand(['migrate', 'sqlite-to-postgres'], { dataDir, env })
      expect(full).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('The PostgreSQL database is not empty'),
      })
    })

    test('a target directory with a database, and one with remains of a restore', async () => {
      const source = await emptyDatabase()
      await toPostgres(source, database.url)
      await expect(toSqlite(database.url, source)).rejects.toThrow('There is a database at')
      const target = join(folder, 'target')
      mkdirSync(target, { mode: 0o700 })
      writeFileSync(join(target, 'countersign.db.restoring'), '')
      await expect(toSqlite(database.url, target)).rejects.toThrow('a restore was interrupted')
    })

    test('a source of an older or newer version', async () => {
      const dataDir = await emptyDatabase()
      await toPostgres(dataDir, database.url)
      execute(dataDir, `PRAGMA user_version = ${sqliteSteps.length - 1}`)
      await expect(toPostgres(dataDir, database.url)).rejects.toThrow('older version')
      execute(dataDir, `PRAGMA user_version = ${sqliteSteps.length + 1}`)
      await expect(toPostgres(dataDir, database.url)).rejects.toThrow('newer version')
      const target = join(folder, 'target')
      await database.query('UPDATE countersign_schema SET version = 0')
      await expect(toSqlite(database.url, target)).rejects.toThrow('Upgrade it first')
      await database.query('UPDATE countersign_schema SET version = 1000')
      await expect(toSqlite(database.url, target)).rejects.toThrow('Use the version that wrote it')
    })

    test('a text with a NUL character, by table and key, and goes on when it is corrected', async () => {
      const dataDir = await emptyDatabase()
      execute(dataDir, `INSERT INTO roles VALUES ('r1', '[]')`)
      execute(dataDir, `INSERT INTO roles VALUES ('r2', ?)`, '["a\0b"]')
      await expect(toPostgres(dataDir, database.url)).rejects.toThrow(
        'The table "roles" has a NUL character, which PostgreSQL cannot store: column "permissions" of the row with the key ["r2"].',
      )
      execute(dataDir, `UPDATE roles SET permissions = '[]' WHERE name = 'r2'`)
      const compared = await toPostgres(dataDir, database.url)
      expect(compared.every(({ isSame }) => isSame)).toBe(true)
    })

    test('a secret that does not open the keys', async () => {
      const server = await startServerProcess({ env: { COUNTERSIGN_SECRET: SECRET } })
      await using _ = server
      await server.stop()
      const env = { DATABASE_URL: database.url, COUNTERSIGN_SECRET: `${SECRET}-other` }
      const { dataDir } = server
      expect(await runCommand(['migrate', 'sqlite-to-postgres'], { dataDir, env })).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('COUNTERSIGN_SECRET does not open the signing keys'),
      })
    })
  })

  describe('an unfinished import', () => {
    test('into PostgreSQL lets no server start, and is not continued from a source that has changed', async () => {
      const dataDir = await emptyDatabase()
      execute(dataDir, `INSERT INTO roles VALUES ('r1', ?)`, 'a\0b')
      await expect(toPostgres(dataDir, database.url)).rejects.toThrow('NUL')
      const settings = { databaseUrl: database.url, secret: SECRET, publicUrl: 'http://localhost' }
      await expect(createAuthority(settings)).rejects.toThrow('contains an unfinished import')
      const env = { DATABASE_URL: database.url, COUNTERSIGN_SECRET: SECRET }
      expect(await runCommand(['migrate', '--check'], { dataDir, env })).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('contains an unfinished import'),
      })
      execute(dataDir, `INSERT INTO roles VALUES ('r2', '[]')`)
      await expect(toPostgres(dataDir, database.url)).rejects.toThrow('the source has changed')
    })

    test('into a directory lets no server start there', async () => {
      const source = await emptyDatabase()
      await toPostgres(source, database.url)
      const target = join(folder, 'target')
      const broken = join(target, 'countersign.db.importing')
      await database.query(`INSERT INTO roles VALUES ('r1', '[]')`)
      await database.query(`INSERT INTO tenants VALUES ('t', 't', 9007199254740993, 0, 0)`)
      await expect(toSqlite(database.url, target)).rejects.toThrow('an integer beyond 2^53')
      expect(existsSync(broken)).toBe(true)
      await expect(
        openStore({ dataDir: target }, { exclusive: true, clock: systemClock }),
      ).rejects.toThrow('an unfinished import from PostgreSQL')
      await database.query('UPDATE tenants SET disabled_at = NULL')
      const compared = await toSqlite(database.url, target)
      expect(compared.every(({ isSame }) => isSame)).toBe(true)
      expect(existsSync(broken)).toBe(false)
      expect(queryOne(target, 'SELECT count(*) AS n FROM tenants')).toEqual({ n: 1 })
    })

    test('with a changed target ends with exit code 1, and no server starts', async () => {
      const dataDir = await emptyDatabase()
      execute(dataDir, `INSERT INTO roles VALUES ('r1', '[]'), ('r2', ?)`, 'a\0b')
      await expect(toPostgres(dataDir, database.url)).rejects.toThrow('NUL')
      execute(dataDir, `UPDATE roles SET permissions = '[]'`)
      await database.query(`INSERT INTO roles VALUES ('r0', '[]')`)
      const env = { DATABASE_URL: database.url, COUNTERSIGN_SECRET: SECRET }
      const result = await runCommand(['migrate', 'sqlite-to-postgres'], { dataDir, env })
      expect(result).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('The two databases differ'),
      })
      expect(result.stdout).toMatch(/roles +2 +3 +[0-9a-f]{16} +[0-9a-f]{16} +DIFFERENT/)
      await expect(
        openStore(
          { dataDir: '', databaseUrl: database.url },
          { exclusive: true, clock: systemClock },
        ),
      ).rejects.toThrow('contains an unfinished import')
    })
  })
})

describe('countersign migrate', () => {
  const check = ['migrate', '--check']

  test.each(['sqlite', 'postgres'])(
    'upgrades the schema and exits, and --check tells whether it must: %s',
    async (engine) => {
      const env: Record<string, string> =
        engine === 'sqlite' ? {} : { DATABASE_URL: database.url, COUNTERSIGN_SECRET: SECRET }
      const dataDir = mkdtempSync(join(folder, 'data-'))
      const run = (words: readonly string[]): ReturnType<typeof runCommand> =>
        runCommand(words, { dataDir, env })
      expect(await run(check)).toMatchObject({
        code: 3,
        stdout: expect.stringMatching(/^An upgrade is pending: from schema 0 to \d+\./),
        stderr: '',
      })
      expect(await run(['migrate'])).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/^The schema was upgraded from version 0 to \d+\.\n$/),
      })
      for (const words of [check, ['migrate']]) {
        expect(await run(words)).toMatchObject({
          code: 0,
          stdout: expect.stringMatching(/^The schema is current \(version \d+\)\.\n$/),
        })
      }
      if (engine === 'sqlite') execute(dataDir, 'PRAGMA user_version = 1000')
      else
        await database.query('UPDATE countersign_schema SET version = 1000, compatible_from = 1000')
      expect(await run(check)).toMatchObject({
        code: 1,
        stdout: '',
        stderr: expect.stringContaining('was written by a newer version'),
      })
    },
  )

  test('--check fails with exit code 1 if PostgreSQL cannot be reached', async () => {
    const env = { DATABASE_URL: 'postgres://u@127.0.0.1:1/none', COUNTERSIGN_SECRET: SECRET }
    expect(await runCommand(check, { dataDir: folder, env })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('PostgreSQL cannot be reached'),
    })
  })
})

test('the progress of an import is not a table that is copied', () => {
  expect(IMPORT_TABLE).toContain('countersign_import')
  expect(NOT_COPIED.has('countersign_import')).toBe(true)
})
