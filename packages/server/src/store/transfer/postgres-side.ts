import { setTimeout as sleep } from 'node:timers/promises'

import { Client, type QueryResult } from 'pg'

import { SetupError } from '../../base/faults.ts'
import { migrations } from '../postgres/migrations.ts'
import { hasImport, migrate, readSchemaAt, unreachable } from '../postgres/migrate.ts'
import { clientConfig, createPool, NODE_NAME } from '../postgres/pool.ts'
import type { SqlValue } from '../sql/database.ts'
import { pageSql, type Progress, type Side, type Target, type Values } from './side.ts'
import {
  IMPORT_TABLE,
  NUMBERED,
  TABLES,
  WITH_FIRST_ROW,
  type Numbered,
  type Table,
} from './tables.ts'

/** Counting the rows of a large table takes a while. */
const ANSWER_MS = 600_000
/** How long the lock of the source waits for transactions that still run. */
const LOCK_MS = 10_000
/** A server that has just stopped is listed for a moment. */
const GONE_MS = 3_000

const TYPES = { text: 'text[]', integer: 'bigint[]', bytes: 'bytea[]' } as const

const LIMITS = `SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0;
  SET LOCAL lock_timeout = ${LOCK_MS}`

class PostgresSide implements Side {
  readonly name = 'PostgreSQL'
  protected readonly client: Client

  constructor(client: Client) {
    this.client = client
  }

  async count({ name }: Table): Promise<number> {
    return Number((await this.first(`SELECT count(*) AS n FROM ${name}`))?.['n'])
  }

  async page(table: Table, after: Values | undefined, limit: number): Promise<readonly Values[]> {
    const { sql, values } = pageSql(table, after, limit)
    const types = table.key.map(({ type }) => TYPES[type].slice(0, -2))
    let marks = 0
    const text = sql.replaceAll('?', () => `$${(marks += 1)}::${types[marks - 1]}`)
    const found: QueryResult<SqlValue[]> = await this.client.query({
      text,
      values: [...values],
      rowMode: 'array',
    })
    return found.rows
  }

  async numbered(table: Numbered): Promise<number> {
    const sequence = await this.#sequenceOf(table)
    const row = await this.first(`SELECT last_value, is_called FROM ${sequence}`)
    return row?.['is_called'] === true ? Number(row['last_value']) : 0
  }

  protected async setNumber(table: Numbered, number: number): Promise<void> {
    const sequence = await this.#sequenceOf(table)
    await this.client.query('SELECT setval($1::regclass, greatest($2::bigint, 1), $2 > 0)', [
      sequence,
      number,
    ])
  }

  async #sequenceOf(table: Numbered): Promise<string> {
    const row = await this.first(
      `SELECT pg_get_serial_sequence('${table}', '${NUMBERED[table]}') AS name`,
    )
    return String(row?.['name'])
  }

  protected async first(sql: string): Promise<Record<string, unknown> | undefined> {
    return (await this.client.query<Record<string, unknown>>(sql)).rows[0]
  }

  async close(): Promise<void> {
    await this.client.end().catch(() => {})
  }
}

/**
 * Opens a PostgreSQL as the source. All its tables are locked against changes until it is closed. Throws a `SetupError`
 * while servers or commands are connected, or if its schema is not that of this version.
 */
export function openPostgresSource(url: string): Promise<Side> {
  return connected(url, async (client) => {
    const { version, newest } = await readSchemaAt(url)
    if (version !== newest) {
      const advice =
        version > newest
          ? 'Use the version that wrote it.'
          : 'Upgrade it first: countersign migrate'
      throw new SetupError(
        `The PostgreSQL database has schema ${version}, and this version needs ${newest}. ${advice}`,
      )
    }
    await assertAlone(client)
    // Locked first: the snapshot begins with the first statement after that, so it has every change.
    await client.query(`BEGIN ISOLATION LEVEL REPEATABLE READ; ${LIMITS}`)
    await client.query(`LOCK TABLE ${TABLES.join(', ')} IN SHARE MODE`)
    return new PostgresSide(client)
  })
}

/**
 * Opens a PostgreSQL database as the target. It must be empty, or contain the unfinished import that is continued. Throws
 * a `SetupError` if servers are connected to it.
 */
export function openPostgresTarget(url: string): Promise<Target> {
  return connected(url, async (client) => {
    await assertAlone(client)
    return new PostgresTarget(client, url)
  })
}

class PostgresTarget extends PostgresSide implements Target {
  readonly #url: string

  constructor(client: Client, url: string) {
    super(client)
    this.#url = url
  }

  async progress(): Promise<Progress | undefined> {
    if (!(await hasImport(this.client))) return undefined
    const schema = await this.first('SELECT version FROM countersign_schema')
    if (schema?.['version'] !== migrations.length) {
      throw new SetupError(
        'Another version of Countersign has begun the import into this PostgreSQL database. Empty the database, then run this command again.',
      )
    }
    const row = await this.first('SELECT * FROM countersign_import')
    if (row === undefined) throw new Error('the progress of the import is missing')
    return {
      source: String(row['source']),
      table: String(row['table_name']),
      lastKey: typeof row['last_key'] === 'string' ? row['last_key'] : undefined,
      rowCount: Number(row['row_count']),
    }
  }

  async begin({ source, table }: Progress): Promise<void> {
    const encoding = (await this.first('SHOW server_encoding'))?.['server_encoding']
    if (encoding !== 'UTF8') {
      throw new SetupError(
        `The PostgreSQL database has the encoding ${String(encoding)}. Create it with ENCODING 'UTF8'.`,
      )
    }
    const pool = createPool({ url: this.#url, connectionsMax: 1 })
    try {
      await migrate(pool)
    } finally {
      await pool.end()
    }
    await this.#transaction(async () => {
      // A server that starts now reads whether there is an import only after this transaction.
      await this.client.query(
        `LOCK TABLE countersign_schema IN ACCESS EXCLUSIVE MODE; LOCK TABLE ${TABLES.join(', ')}`,
      )
      await this.#assertEmpty()
      for (const each of WITH_FIRST_ROW) await this.client.query(`DELETE FROM ${each}`)
      await this.client.query(IMPORT_TABLE)
      await this.client.query(
        'INSERT INTO countersign_import (id, source, table_name, row_count) VALUES (1, $1, $2, 0)',
        [source, table],
      )
    })
  }

  async #assertEmpty(): Promise<void> {
    if (await hasImport(this.client)) {
      throw new SetupError('Another import into this PostgreSQL database has just begun.')
    }
    const first: ReadonlySet<string> = new Set(WITH_FIRST_ROW)
    for (const table of TABLES) {
      const where = table === 'revocation_head' ? 'WHERE position > 0' : ''
      if (first.has(table) && where === '') continue
      const row = await this.first(`SELECT 1 FROM ${table} ${where} LIMIT 1`)
      if (row === undefined) continue
      throw new SetupError(
        `The PostgreSQL database is not empty: the table "${table}" has rows. Name an empty database in DATABASE_URL.`,
      )
    }
  }

  async add(
    { name, columns }: Table,
    rows: readonly Values[],
    from: Progress,
    to: Progress,
  ): Promise<void> {
    const names = columns.map((column) => column.name).join(', ')
    const arrays = columns.map(({ type }, i) => `$${i + 1}::${TYPES[type]}`).join(', ')
    await this.#transaction(async () => {
      await this.client.query({
        name: `import_${name}`,
        text: `INSERT INTO ${name} (${names}) SELECT * FROM unnest(${arrays})`,
        values: columns.map((_, i) => arrayOf(rows, i)),
      })
      const noted = await this.client.query(
        `UPDATE countersign_import SET table_name = $1, last_key = $2, row_count = $3
         WHERE row_count = $4 AND table_name = $5`,
        [to.table, to.lastKey ?? null, to.rowCount, from.rowCount, from.table],
      )
      if (noted.rowCount !== 1) {
        throw new SetupError('Another import into this PostgreSQL database is running.')
      }
    })
  }

  async finish(numbers: Readonly<Record<Numbered, number>>): Promise<void> {
    // The server would choose plans for empty tables until its next automatic analysis.
    for (const table of TABLES) await this.client.query(`ANALYZE ${table}`)
    await this.#transaction(async () => {
      await this.setNumber('audit', numbers.audit)
      await this.setNumber('mails', numbers.mails)
      await this.client.query('DROP TABLE countersign_import')
    })
  }

  async #transaction(work: () => Promise<void>): Promise<void> {
    await this.client.query(`BEGIN; ${LIMITS}`)
    try {
      await work()
      await this.client.query('COMMIT')
    } catch (error) {
      await this.client.query('ROLLBACK').catch(() => {})
      throw error
    }
  }
}

/** Writes an array of PostgreSQL. The driver does this, too, but takes three times as long. */
function arrayOf(rows: readonly Values[], at: number): string {
  const parts = rows.map((row) => {
    const value = row[at] ?? null
    if (value === null) return 'NULL'
    if (typeof value === 'number') return String(value)
    if (typeof value === 'string') return `"${value.replace(/[\\"]/g, '\\$&')}"`
    return `"\\\\x${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')}"`
  })
  return `{${parts.join(',')}}`
}

/** Connects, and calls `open`. Errors become a `SetupError` that says what to do. */
async function connected<T>(url: string, open: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({
    ...clientConfig(url),
    query_timeout: ANSWER_MS,
    application_name: 'countersign migrate',
  })
  // A lost connection fails the statement that runs.
  client.on('error', () => {})
  try {
    await client.connect()
  } catch (error) {
    throw unreachable(error)
  }
  try {
    return await open(client)
  } catch (error) {
    await client.end().catch(() => {})
    throw error
  }
}

/** Rejects with a `SetupError` while servers or commands of Countersign are connected to the database. */
export async function assertNoServers(url: string): Promise<void> {
  const client = await connected(url, async (each) => {
    await assertAlone(each)
    return each
  })
  await client.end()
}

async function assertAlone(client: Client): Promise<void> {
  const until = performance.now() + GONE_MS
  for (;;) {
    const { rows } = await client.query<{ n: number }>(
      `SELECT count(*)::integer AS n FROM pg_stat_activity
       WHERE datname = current_database() AND application_name = $1 AND pid <> pg_backend_pid()`,
      [NODE_NAME],
    )
    const n = rows[0]?.n ?? 0
    if (n === 0) return
    if (performance.now() > until) {
      throw new SetupError(
        `Servers or commands of Countersign are connected to the PostgreSQL database (connections: ${n}). Stop them first, then run this command again. A connection pool in front of PostgreSQL keeps connections after that: name PostgreSQL itself in DATABASE_URL.`,
      )
    }
    await sleep(100)
  }
}
