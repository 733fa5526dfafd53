import type { DatabaseSync } from 'node:sqlite'

import { migrations } from './migrations.ts'

// `ANALYZE` creates these, and they influence only which index SQLite chooses.
const STATISTICS: ReadonlySet<string> = new Set([
  'table sqlite_stat1 sqlite_stat1 CREATE TABLE sqlite_stat1(tbl,idx,stat)',
  'table sqlite_stat4 sqlite_stat4 CREATE TABLE sqlite_stat4(tbl,idx,neq,nlt,ndlt,sample)',
])

/**
 * Throws an `Error` that says why a file is not an intact database of Countersign. Its tables, indices, views and
 * triggers must be exactly those of its schema version: a trigger that somebody added to a backup would run with every
 * later write. Call it before anything else reads or writes the file.
 */
export function checkBackup(db: DatabaseSync): void {
  // Functions in the schema of a hostile file must not run while it is checked.
  db.exec('PRAGMA trusted_schema = OFF')
  const version = Number(db.prepare('PRAGMA user_version').get()?.['user_version'])
  if (version > migrations.length) {
    throw new Error('it was written by a newer version of Countersign')
  }
  if (!(version >= 1)) throw new Error('it has no schema version of Countersign')
  checkObjects(db, version)
  const { quick_check: found } = db.prepare('PRAGMA quick_check(1)').get() ?? {}
  if (found !== 'ok') throw new Error(`it is damaged (${String(found)})`)
  const { count } = db.prepare('SELECT count(*) AS count FROM revocation_head').get() ?? {}
  if (count !== 1) throw new Error('the head of its revocation log is missing')
}

function checkObjects(db: DatabaseSync, version: number): void {
  const expected = objectsOfVersion(version)
  const present = objectsIn(db)
  for (const [object, name] of present) {
    if (expected.has(object) || STATISTICS.has(object)) continue
    throw new Error(`it contains the ${name}, which is not part of this schema`)
  }
  for (const [object, name] of expected) {
    if (!present.has(object)) throw new Error(`it does not contain the ${name}`)
  }
}

function objectsOfVersion(version: number): ReadonlyMap<string, string> {
  const { DatabaseSync: Database } = process.getBuiltinModule('node:sqlite')
  const db = new Database(':memory:')
  try {
    for (const migration of migrations.slice(0, version)) db.exec(migration)
    return objectsIn(db)
  } finally {
    db.close()
  }
}

/** All objects of a schema with their SQL without comments, and how to name each in a message. */
function objectsIn(db: DatabaseSync): ReadonlyMap<string, string> {
  const rows = db.prepare('SELECT type, name, tbl_name, sql FROM sqlite_schema').all()
  return new Map(
    rows.map(({ type, name, tbl_name: table, sql }) => [
      `${String(type)} ${String(name)} ${String(table)} ${withoutComments(String(sql))}`,
      `${String(type)} ${JSON.stringify(name)}`,
    ]),
  )
}

// Quoted text comes first: a comment cannot begin inside it, and its spaces count.
const QUOTED_OR_BLANK =
  /'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|(?:--[^\n]*|\/\*[^]*?\*\/|\s)+/g

/**
 * SQLite keeps comments as they were written. A comment that was reworded since a backup was made changes nothing in
 * its tables.
 */
function withoutComments(sql: string): string {
  return sql.replaceAll(QUOTED_OR_BLANK, (part) => (/^['"`[]/.test(part) ? part : ' '))
}
