import { migrations } from '../sqlite/migrations.ts'

/** A column of a table that both engines have. */
export interface Column {
  readonly name: string
  readonly type: 'text' | 'integer' | 'bytes'
}

/** A table that both engines have. */
export interface Table {
  readonly name: string
  readonly columns: readonly Column[]
  /** The columns of its primary key. Both engines sort them alike: texts and bytes by their bytes. */
  readonly key: readonly Column[]
}

/** All tables that hold data, with tables before those that refer to them. */
export const TABLES = [
  'tenants',
  'accounts',
  'sessions',
  'memberships',
  'roles',
  'clients',
  'client_secrets',
  'revocation_head',
  'revocations',
  'lost_heads',
  'audit',
  'audit_start',
  'keys',
  'key_schedule',
  'throttles',
  'consumed',
  'consumed_start',
  'mail_codes',
  'mails',
  'invitations',
  'factors',
  'recovery_codes',
  'factor_guesses',
  'challenges',
  'trusted_devices',
  'passkey_scope',
  'applications',
  'application_secrets',
  'sso_records',
  'sso_refreshes',
  'sso_consents',
  'sso_logins',
  'sso_logouts',
  'sso_collected',
  'identities',
  'write_checks',
] as const

/** Tables that describe the database or its servers. They are not copied. */
export const NOT_COPIED: ReadonlySet<string> = new Set([
  'countersign_schema',
  'countersign_import',
  'nodes',
  'node_lead',
])

/** Tables that have one row in an empty database. The row of the source replaces it. */
export const WITH_FIRST_ROW = [
  'revocation_head',
  'audit_start',
  'consumed_start',
  'sso_collected',
  'write_checks',
] as const

/** The tables whose rows the database numbers, and the column with the number. */
export const NUMBERED = { audit: 'id', mails: 'number' } as const

/** A table whose rows the database numbers. */
export type Numbered = keyof typeof NUMBERED

/** Where an unfinished import keeps its progress, in the target. */
export const IMPORT_TABLE = `
  CREATE TABLE countersign_import (
    id         integer PRIMARY KEY CHECK (id = 1),
    source     text NOT NULL,
    table_name text NOT NULL,
    last_key   text,
    row_count  bigint NOT NULL
  )`

const TYPES: Readonly<Record<string, Column['type']>> = {
  TEXT: 'text',
  INTEGER: 'integer',
  BLOB: 'bytes',
}

/** Describes all tables of this release, by the schema of the embedded database. */
export function describeTables(): readonly Table[] {
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite')
  const db = new DatabaseSync(':memory:')
  try {
    for (const migration of migrations) db.exec(migration)
    return TABLES.map((name) => {
      const found = db.prepare('SELECT name, type, pk FROM pragma_table_info(?)').all(name)
      const columns = found.map((row) => ({
        name: String(row['name']),
        type: typeOf(row['type']),
        rank: Number(row['pk']),
      }))
      const key = columns.filter(({ rank }) => rank > 0).toSorted((a, b) => a.rank - b.rank)
      return { name, columns: columns.map(plain), key: key.map(plain) }
    })
  } finally {
    db.close()
  }
}

function plain({ name, type }: Column): Column {
  return { name, type }
}

function typeOf(declared: unknown): Column['type'] {
  const type = TYPES[String(declared)]
  if (type === undefined) throw new TypeError(`The type ${String(declared)} cannot be copied.`)
  return type
}
