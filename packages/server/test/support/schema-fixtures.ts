import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { migrations } from '../../src/store/postgres/migrations.ts'
import { programPath } from '../../../../tests/support/postgres-files.ts'
import type { Database } from '../../../../tests/support/postgres.ts'

const FOLDER = join(import.meta.dirname, '../fixtures')

/** The path of the dump of a version of the PostgreSQL schema, with rows in every table. */
export function fixturePath(version: number): string {
  return join(FOLDER, `postgres-schema-${version}.sql`)
}

/** The dump of every version. Throws if one is missing. */
export function readFixtures(): readonly (readonly [version: number, sql: string])[] {
  return migrations.map((_, i) => {
    const path = fixturePath(i + 1)
    if (!existsSync(path)) {
      throw new Error(
        `${path} is missing. Write it: WRITE_SCHEMA_FIXTURE=1 npx vitest run --project slow packages/server/test/slow-postgres-upgrade.test.ts`,
      )
    }
    return [i + 1, readFileSync(path, 'utf8')] as const
  })
}

/** Writes the dump of the newest version. The dumps of earlier versions are never written again. */
export function writeFixture(database: Database): void {
  const dump = execFileSync(
    programPath('pg_dump'),
    ['--inserts', '--no-owner', '--no-privileges', database.url],
    { encoding: 'utf8' },
  )
  writeFileSync(fixturePath(migrations.length), withoutNoise(dump))
}

/** Removes comments, commands of psql, and settings that another version of PostgreSQL may not have. */
function withoutNoise(dump: string): string {
  const lines = dump
    .split('\n')
    .filter((line) => !/^(?:--|\\|SET |SELECT pg_catalog\.set_config)/.test(line))
  return lines
    .join('\n')
    .replace(/\n{2,}/g, '\n')
    .trimStart()
}
