import { setTimeout as sleep } from 'node:timers/promises'

import { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { startPgBouncer } from '../../../tests/support/pgbouncer.ts'
import { startPostgres, type Postgres } from '../../../tests/support/postgres.ts'
import { describeWith } from '../../../tests/support/requirements.ts'
import { TcpProxy } from '../../../tests/support/tcp-proxy.ts'
import { systemClock } from '../src/base/clock.ts'
import { SetupError, StoreFault } from '../src/base/faults.ts'
import { openServerStore } from '../src/store/open-server.ts'
import type { Store } from '../src/store/store.ts'
import { TestClock } from './support/authority.ts'
import { ADMIN, startServerProcess } from './support/server-process.ts'
import { addSession, attempt, BY, rules, signedIn } from './store-contract/samples.ts'

describeWith('postgres', 'the store on PostgreSQL', () => {
  let postgres: Postgres
  beforeAll(async () => {
    postgres = await startPostgres()
  })
  afterAll(() => postgres[Symbol.asyncDispose]())

  const open = (databaseUrl: string, clock = new TestClock()): Promise<Store> =>
    openServerStore({ dataDir: '', databaseUrl }, { clock, onEvent: () => {} })

  /** Locks rows, and lets them go at the end of the block. */
  async function holding(url: string, ...statements: string[]) {
    const client = new Client({ connectionString: url })
    // The server ends the connection of a transaction that is idle for too long.
    client.on('error', () => {})
    await client.connect()
    await client.query('BEGIN')
    for (const statement of statements) await client.query(statement)
    return {
      client,
      [Symbol.asyncDispose]: async () => {
        await client.query('ROLLBACK').catch(() => {})
        await client.end()
      },
    }
  }

  test('has the time of the server, whatever the clock of the machine shows', async () => {
    await using database = await postgres.createDatabase()
    const store = await openServerStore(
      { dataDir: '', databaseUrl: database.url },
      { clock: systemClock, onEvent: () => {} },
    )
    const [row] = await database.query<{ now: string }>(
      'SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) AS now',
    )
    expect(store.clock).not.toBe(systemClock)
    expect(Math.abs(store.clock.nowMs() - Number(row?.now))).toBeLessThan(2_000)
    await store.close()
  })

  test('several nodes that start at once on an empty database apply its schema once', async () => {
    await using database = await postgres.createDatabase()
    const stores = await Promise.all(Array.from({ length: 6 }, () => open(database.url)))
    const [row] = await database.query('SELECT count(*) AS n FROM countersign_schema')
    expect(row).toEqual({ n: '1' })
    await Promise.all(stores.map((store) => store.close()))
  })

  test('tables of another program are an error that says what to do', async () => {
    await using database = await postgres.createDatabase()
    await database.query('CREATE TABLE accounts (id int)')
    const opened = open(database.url)
    await expect(opened).rejects.toThrow(SetupError)
    await expect(opened).rejects.toThrow(/schema of its own/)

    await database.query('CREATE SCHEMA countersign')
    const store = await open(`${database.url}?options=-csearch_path%3Dcountersign`)
    await signedIn(store)
    expect(await database.query('SELECT id FROM countersign.accounts')).toHaveLength(1)
    await store.close()
  })

  test('a server that cannot be reached is an error that names the setting', async () => {
    await expect(open('postgres://127.0.0.1:1/none')).rejects.toThrow(/Check DATABASE_URL/)
  })

  test('works behind PgBouncer in transaction mode, and finds new entries by its poll', async () => {
    await using database = await postgres.createDatabase()
    await using bouncer = await startPgBouncer(postgres, { poolSize: 2 })
    const store = await open(bouncer.urlOf(database))
    const direct = await open(database.url)
    await signedIn(store)
    for (let id = 0; id < 20; id += 1) await addSession(store, `more-${id}`)
    const rotated = await Promise.all(
      Array.from({ length: 20 }, (_, id) =>
        store.sessions.refresh(attempt(0, `more-${id}`), rules()),
      ),
    )
    expect(rotated.map(({ kind }) => kind)).toEqual(Array.from({ length: 20 }, () => 'rotated'))

    let entries = 0
    const unwatch = store.watch((mayHaveEntries) => {
      if (mayHaveEntries) entries += 1
    })
    await sleep(500)
    const before = entries
    await direct.sessions.end('more-0', { event: 'logout' }, BY)
    await expect.poll(() => entries, { timeout: 5_000 }).toBeGreaterThan(before)
    unwatch()
    await Promise.all([store.close(), direct.close()])
  })

  test('a session whose row is locked delays no other session', async () => {
    await using database = await postgres.createDatabase()
    const store = await open(database.url)
    await signedIn(store)
    await addSession(store, 'session-2')
    let slow: Promise<unknown>
    {
      await using _ = await holding(
        database.url,
        `SELECT 1 FROM sessions WHERE id = 'session-1' FOR UPDATE`,
      )
      slow = store.sessions.refresh(attempt(0), rules())
      const quick = await store.sessions.refresh(attempt(0, 'session-2'), rules())
      expect(quick.kind).toBe('rotated')
    }
    expect(await slow).toMatchObject({ kind: 'rotated' })
    await store.close()
  })

  test('a lock that another transaction does not release becomes a fault, and changes nothing', async () => {
    await using database = await postgres.createDatabase()
    const store = await open(database.url)
    await signedIn(store)
    {
      await using _ = await holding(
        database.url,
        `SELECT 1 FROM sessions WHERE id = 'session-1' FOR UPDATE`,
      )
      await expect(store.sessions.refresh(attempt(0), rules())).rejects.toThrow(StoreFault)
    }
    expect(await store.sessions.refresh(attempt(0), rules())).toMatchObject({ kind: 'rotated' })
    await store.close()
  })

  test('a deadlock is retried, and never taken for a reused token', async () => {
    await using database = await postgres.createDatabase()
    const store = await open(database.url)
    await signedIn(store)
    let refreshed: Promise<unknown>
    {
      await using other = await holding(
        database.url,
        // The store finds the deadlock first.
        `SET LOCAL deadlock_timeout = '60s'`,
        `SELECT 1 FROM sessions WHERE id = 'session-1' FOR UPDATE`,
      )
      refreshed = store.sessions.refresh(attempt(0), rules())
      // The refresh holds the lock of the account, and waits for the row.
      await expect.poll(() => waiting(database)).toBe(1)
      await other.client.query(`SELECT pg_advisory_xact_lock(hashtextextended('acct_1', 0))`)
    }
    expect(await refreshed).toMatchObject({ kind: 'rotated', session: { generation: 1 } })
    const state = await store.sessions.state('session-1')
    expect(state?.session.endedAt).toBeUndefined()
    await store.close()
  })

  async function waiting(database: { query(sql: string): Promise<unknown[]> }): Promise<number> {
    const rows = await database.query(
      `SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`,
    )
    return rows.length
  }

  test('a column that a newer version adds does not disturb statements of this one', async () => {
    await using database = await postgres.createDatabase()
    const store = await open(database.url)
    await signedIn(store)
    for (let n = 0; n < 8; n += 1) await store.sessions.state('session-1')
    await database.query('ALTER TABLE sessions ADD COLUMN added text')
    expect(await store.sessions.state('session-1')).toBeDefined()
    await store.close()
  })

  test('while the server is down calls fail as faults, and afterwards they work again', async () => {
    await using own = await startPostgres()
    await using database = await own.createDatabase()
    const store = await open(database.url)
    await signedIn(store)
    await own.kill()
    await expect(store.sessions.refresh(attempt(0), rules())).rejects.toThrow(StoreFault)
    await expect(store.sessions.state('session-1')).rejects.toThrow(StoreFault)
    await expect(store.check()).rejects.toThrow(StoreFault)
    await own.start()
    await expect
      .poll(
        () =>
          store.check().then(
            () => true,
            () => false,
          ),
        { timeout: 20_000 },
      )
      .toBe(true)
    expect(await store.sessions.refresh(attempt(0), rules())).toMatchObject({ kind: 'rotated' })
    await store.close()
  })

  test('connections that are ended while they open do not end the process', async () => {
    await using database = await postgres.createDatabase()
    const env = {
      DATABASE_URL: database.url,
      COUNTERSIGN_SECRET: 'the-secret-of-all-nodes-of-a-test-0123456789',
    }
    await using server = await startServerProcess({ env })
    const logIn = async (): Promise<number> => {
      const body = JSON.stringify(ADMIN)
      const headers = { 'content-type': 'application/json' }
      return (await fetch(`${server.url}/api/token/`, { method: 'POST', headers, body })).status
    }
    for (let round = 0; round < 60; round += 1) {
      const logIns = Promise.all(Array.from({ length: 4 }, logIn))
      await database.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'countersign'`,
      )
      for (const status of await logIns) expect([200, 503]).toContain(status)
    }
    expect(server.child.exitCode).toBeNull()
    await expect.poll(logIn).toBe(200)
  })

  test('while the server does not answer, calls fail at once after the first ones', async () => {
    await using database = await postgres.createDatabase()
    await using proxy = await TcpProxy.start(postgres.port)
    const store = await open(database.url.replace(`:${postgres.port}`, `:${proxy.port}`))
    const unwatch = store.watch(() => {})
    await signedIn(store)
    await proxy.cut('silence')
    await Promise.allSettled(Array.from({ length: 30 }, () => store.sessions.state('session-1')))
    const began = performance.now()
    for (let n = 0; n < 100; n += 1) {
      await expect(store.sessions.state('session-1')).rejects.toThrow(StoreFault)
    }
    expect(performance.now() - began).toBeLessThan(2_000)
    await proxy.restore()
    await expect
      .poll(() => store.sessions.refresh(attempt(0), rules()).catch(() => undefined), {
        timeout: 30_000,
      })
      .toMatchObject({ kind: expect.stringMatching(/rotated|repeated/) })
    unwatch()
    await store.close()
  })

  test('a paused transaction of another node is ended, so it stops the others for some seconds only', async () => {
    await using database = await postgres.createDatabase()
    const store = await open(database.url)
    await signedIn(store)
    await using _ = await holding(
      database.url,
      `SET LOCAL idle_in_transaction_session_timeout = 3000`,
      'SELECT pg_advisory_xact_lock(1129270867, 1)',
    )
    const began = performance.now()
    let faults = 0
    for (;;) {
      try {
        await store.tenants.create(
          { id: 't', name: 't', disabledAt: undefined, hardPosition: 0, createdAt: 0 },
          BY,
        )
        break
      } catch (fault) {
        expect(fault).toBeInstanceOf(StoreFault)
        faults += 1
      }
    }
    expect(performance.now() - began).toBeLessThan(20_000)
    expect(faults).toBeGreaterThan(0)
    await store.close()
  })
})
