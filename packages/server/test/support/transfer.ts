import { join } from 'node:path'
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'

import { copyDatabase, type Compared } from '../../src/store/transfer/copy.ts'
import { openPostgresSource, openPostgresTarget } from '../../src/store/transfer/postgres-side.ts'
import type { Side, Target } from '../../src/store/transfer/side.ts'
import { openSqliteSource, openSqliteTarget } from '../../src/store/transfer/sqlite-side.ts'
import { describeTables, type Column } from '../../src/store/transfer/tables.ts'

/** Copies the embedded database of a directory to PostgreSQL. */
export async function toPostgres(dataDir: string, url: string): Promise<readonly Compared[]> {
  return copy(openSqliteSource(dataDir), () => openPostgresTarget(url))
}

/** Copies PostgreSQL to an embedded database. */
export async function toSqlite(url: string, dataDir: string): Promise<readonly Compared[]> {
  return copy(await openPostgresSource(url), async () => openSqliteTarget(dataDir))
}

async function copy(source: Side, open: () => Promise<Target>): Promise<readonly Compared[]> {
  try {
    const target = await open()
    try {
      return await copyDatabase(source, target, { onStart: () => {}, onProgress: () => {} })
    } finally {
      await target.close()
    }
  } finally {
    await source.close()
  }
}

/** All rows of an embedded database, and the numbers that it gives next. */
export function contentsOf(dataDir: string): Readonly<Record<string, unknown>> {
  const db = new DatabaseSync(join(dataDir, 'countersign.db'), { readOnly: true })
  try {
    const rows = describeTables().map(({ name, key }) => [
      name,
      db.prepare(`SELECT * FROM ${name} ORDER BY ${key.map((each) => each.name).join(', ')}`).all(),
    ])
    const numbers = db.prepare('SELECT name, seq FROM sqlite_sequence ORDER BY name').all()
    return Object.fromEntries([...rows, ['numbers', numbers]])
  } finally {
    db.close()
  }
}

/**
 * Adds rows to all tables that have none, without the rules of the store, so that each column of each table has a value
 * somewhere. Texts have characters of all kinds.
 */
export function fillEmptyTables(dataDir: string): void {
  const db = new DatabaseSync(join(dataDir, 'countersign.db'))
  try {
    db.exec('PRAGMA foreign_keys = OFF')
    for (const { name, columns } of describeTables()) {
      if (db.prepare(`SELECT 1 FROM ${name} LIMIT 1`).get() !== undefined) continue
      const names = columns.map((column) => column.name).join(', ')
      const marks = columns.map(() => '?').join(', ')
      const insert = db.prepare(`INSERT INTO ${name} (${names}) VALUES (${marks})`)
      const referred = db.prepare('SELECT "from", "table", "to" FROM pragma_foreign_key_list(?)')
      const parents = new Map(
        referred.all(name).map((row) => {
          const found = db
            .prepare(`SELECT ${String(row['to'])} AS id FROM ${String(row['table'])} LIMIT 3`)
            .all()
          return [row['from'], found.map(({ id }) => String(id))]
        }),
      )
      const isSingle = columns.some((column) => column.name === 'id' && column.type === 'integer')
      for (const n of isSingle ? [1] : [1, 2, 3])
        insert.run(...columns.map((each) => parents.get(each.name)?.[n - 1] ?? value(each, n)))
    }
  } finally {
    db.close()
  }
}

const TEXTS = ['', 'plain', 'quote " and \' and \\ and {NULL}', 'Zoë 👩‍👩‍👧 \u0001 \n line']

function value({ name, type }: Column, n: number): SQLInputValue {
  if (type === 'integer') return /_at$|position|until|step/.test(name) ? 1_700_000_000_000 + n : n
  if (type === 'bytes') return new Uint8Array([0, 255, 92, n])
  return `${name} ${n} ${TEXTS[n]}`
}

/** Writes accounts and sessions without the rules of the store: ten sessions for each account. */
export function fillSessions(dataDir: string, count: number): void {
  const db = new DatabaseSync(join(dataDir, 'countersign.db'))
  try {
    db.exec('PRAGMA synchronous = OFF; PRAGMA journal_mode = WAL')
    db.exec(`
      WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ${count / 10} - 1)
      INSERT INTO accounts (id, username, username_key, password_hash, roles, hard_position, created_at)
      SELECT 'acct_' || i, 'user' || i, 'user' || i, hex(randomblob(48)), '["reader"]', 0, 1700000000000 FROM n;
      WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ${count} - 1)
      INSERT INTO sessions (id, account_id, client_id, seed, generation, created_at, rotated_at,
        expires_at, ends_at, signed_in_position, refresh_kid, address, user_agent)
      SELECT hex(randomblob(11)), 'acct_' || (i / 10), 'first-party', randomblob(16), i % 50,
        1700000000000, 1700000000000 + i, 1900000000000, 1900000000000, 0, hex(randomblob(16)),
        '203.0.113.' || (i % 250), 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'
      FROM n;`)
  } finally {
    db.close()
  }
}
