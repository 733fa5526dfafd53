import { Client } from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'

import { startPgBouncer, type PgBouncer } from './pgbouncer.ts'
import { startPostgres, type Postgres } from './postgres.ts'
import { describeWith } from './requirements.ts'

describeWith('pgbouncer', 'PgBouncer in transaction mode', () => {
  let postgres: Postgres
  let bouncer: PgBouncer
  const clients: Client[] = []

  beforeAll(async () => {
    postgres = await startPostgres()
    bouncer = await startPgBouncer(postgres, { poolSize: 2 })
  })
  beforeEach(() => async () => {
    await Promise.all(clients.splice(0).map((client) => client.end().catch(() => {})))
  })
  afterAll(async () => {
    await bouncer?.[Symbol.asyncDispose]()
    await postgres?.[Symbol.asyncDispose]()
  })

  async function connect(database?: { name: string }): Promise<Client> {
    const client = new Client({ connectionString: bouncer.urlOf(database) })
    client.on('error', () => {})
    clients.push(client)
    await client.connect()
    return client
  }

  test('more clients than connections share these, each transaction on one', async () => {
    await using database = await postgres.createDatabase()
    const ten = await Promise.all(Array.from({ length: 10 }, () => connect(database)))
    const pids = await Promise.all(
      ten.map(async (client) => {
        await client.query('BEGIN')
        const inside = [0, 1].map(() => client.query('SELECT pg_backend_pid() AS pid'))
        const [first, second] = (await Promise.all(inside)).map(({ rows }) => rows[0].pid as number)
        await client.query('COMMIT')
        expect(first).toBe(second)
        return first
      }),
    )
    expect(new Set(pids).size).toBeLessThanOrEqual(2)
  })

  test('a named prepared statement is not there on another connection', async () => {
    const [one, two] = [await connect(), await connect()]
    const statement = { name: 'named', text: 'SELECT 1 AS one' }
    await one.query(statement)
    // The other client gets the same connection, and its own statement has the same name.
    await expect(two.query(statement)).rejects.toThrow('prepared statement "named" already exists')
  })

  test('works again after PostgreSQL or PgBouncer was killed and started', async () => {
    const client = await connect()
    await postgres.kill()
    await postgres.start()
    const select = (): Promise<unknown> =>
      client.query('SELECT 1 AS one').then(
        ({ rows }) => rows,
        () => undefined,
      )
    await expect
      .poll(async () => (await select()) ?? (await connect()).query('SELECT 1'))
      .toBeTruthy()
    await bouncer.kill()
    await expect(connect()).rejects.toThrow('ECONNREFUSED')
    await bouncer.start()
    expect((await (await connect()).query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }])
  })
})
