import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { startPostgres, type Database } from '../tests/support/postgres.ts'
import { HttpConnection } from './lib/http-connection.ts'
import { report, round, type Row } from './lib/report.ts'
import { startServer } from './lib/server.ts'

/**
 * Measures the rows that a login, a refresh and a logout leave in PostgreSQL, and the bytes of a row of each of these
 * tables with its indexes. Real rows are multiplied, with other ids, accounts and times, to half a million.
 */

const TIMES = 50
const ROWS = process.argv.includes('--quick') ? 50_000 : 500_000
const RANDOM_ID = `rtrim(translate(encode(uuid_send(gen_random_uuid()), 'base64'), '+/', '-_'), '=')`
const DAYS_30_MS = 30 * 86_400_000

/** Multiplies one real row to `$1` rows, as they would have been written over 30 days. */
const MULTIPLY: Readonly<Record<string, string>> = {
  sessions: `
    INSERT INTO sessions (id, account_id, client_id, seed, generation, created_at, rotated_at, expires_at, ends_at,
      signed_in_position, refresh_kid, address, user_agent, authenticated_at, amr, second_factor)
    SELECT ${RANDOM_ID}, 'acct_' || ${RANDOM_ID}, client_id, uuid_send(gen_random_uuid()), i % 12, created_at + t,
      rotated_at + t, expires_at + t, ends_at + t, i, refresh_kid, address, user_agent, authenticated_at + t, amr, second_factor
    FROM (SELECT * FROM sessions LIMIT 1) s, ${times()}`,
  audit: `
    INSERT INTO audit (at, actor, event, outcome, account_id, session_id, address, detail)
    SELECT at + t, 'acct_' || r, event, outcome, 'acct_' || r, CASE WHEN session_id IS NULL THEN NULL ELSE ${RANDOM_ID} END, address, detail
    FROM (SELECT * FROM audit WHERE event = 'login' LIMIT 1) a, (SELECT i, t, ${RANDOM_ID} AS r FROM ${times()} OFFSET 0) AS m`,
  revocations: `
    INSERT INTO revocations (position, kind, subject, hard, at, chain)
    SELECT 1000000 + i, kind, ${RANDOM_ID}, hard, at + t, sha256(uuid_send(gen_random_uuid()))
    FROM (SELECT * FROM revocations LIMIT 1) e, ${times()}`,
  accounts: `
    INSERT INTO accounts (id, username, username_key, password_hash, roles, hard_position, created_at)
    SELECT 'acct_' || ${RANDOM_ID}, 'user' || i || '@example.com', 'user' || i || '@example.com', password_hash, roles, 0, created_at + t
    FROM (SELECT * FROM accounts LIMIT 1) a, ${times()}`,
}

function times(): string {
  return `(SELECT i, CAST(i AS bigint) * ${Math.floor(DAYS_30_MS / ROWS)} AS t FROM generate_series(1, ${ROWS}) AS i) AS n`
}

const rows: Row[] = []
const figures: Record<string, number> = {}
const dataDir = mkdtempSync(join(tmpdir(), 'countersign-bench-'))
try {
  await using postgres = await startPostgres()
  await using database = await postgres.createDatabase()
  const env = {
    DATABASE_URL: database.url,
    COUNTERSIGN_SECRET: 'only for benchmarks: a secret of all nodes',
    COUNTERSIGN_ARGON2_MEMORY_KIB: '8192',
    COUNTERSIGN_ARGON2_PASSES: '1',
  }
  {
    await using server = await startServer({ node: process.execPath, dataDir, env })
    const connection = await HttpConnection.open(server.port)
    const tokens: string[] = []
    const post = async (path: string, body: object): Promise<string> => {
      const answer = await connection.post(path, JSON.stringify(body))
      if (answer.status !== 200)
        throw new Error(`${path} answered ${answer.status}: ${answer.body}`)
      return answer.body
    }
    const refreshOf = (body: string): string => (JSON.parse(body) as { refresh: string }).refresh
    await count(database, 'login', async () => {
      const credentials = { username: 'admin', password: 'only for benchmarks' }
      tokens.push(refreshOf(await post('/api/token/', credentials)))
    })
    await count(database, 'refresh', async (n) => {
      tokens[n] = refreshOf(await post('/api/token/refresh/', { refresh: tokens[n] }))
    })
    await count(database, 'logout', async (n) => {
      await post('/api/token/blacklist/', { refresh: tokens[n] })
    })
    connection.close()
  }
  for (const [table, multiply] of Object.entries(MULTIPLY))
    rows.push(await measure(database, table, multiply))
  report('rows', rows, figures)
} finally {
  rmSync(dataDir, { recursive: true, force: true })
}

/** Counts the rows that an operation leaves in each table. */
async function count(
  database: Database,
  operation: string,
  run: (n: number) => Promise<void>,
): Promise<void> {
  const before = await countAll(database)
  for (let n = 0; n < TIMES; n += 1) await run(n)
  const after = await countAll(database)
  for (const [table, all] of after) {
    const each = round((all - (before.get(table) ?? 0)) / TIMES)
    if (each !== 0) rows.push({ what: `rows of a ${operation}`, table, rows: each })
  }
}

async function countAll(database: Database): Promise<ReadonlyMap<string, number>> {
  const tables = await database.query<{ name: string }>(
    `SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'`,
  )
  const counts = new Map<string, number>()
  for (const { name } of tables) {
    const [row] = await database.query<{ n: string }>(`SELECT count(*) AS n FROM ${name}`)
    counts.set(name, Number(row?.n))
  }
  return counts
}

async function measure(database: Database, table: string, multiply: string): Promise<Row> {
  // Foreign keys are not checked: the rows name accounts that do not exist.
  await database.query(`SET session_replication_role = replica; ${multiply}`)
  await database.query(`VACUUM ANALYZE ${table}`)
  const [row] = await database.query<{ heap: string; indexes: string; n: string }>(
    `SELECT pg_table_size('${table}') AS heap, pg_indexes_size('${table}') AS indexes, count(*) AS n FROM ${table}`,
  )
  const [heap, indexes] = [
    Number(row?.heap) / Number(row?.n),
    Number(row?.indexes) / Number(row?.n),
  ]
  figures[`bytes_of_${table}_row`] = Math.round(heap + indexes)
  return {
    what: 'bytes of a row',
    table,
    rows: Number(row?.n),
    table_bytes: Math.round(heap),
    index_bytes: Math.round(indexes),
    bytes: Math.round(heap + indexes),
  }
}
