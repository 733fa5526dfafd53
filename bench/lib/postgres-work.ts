import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { descendantsOf } from '../../scripts/lib/process-tree.ts'
import type { Database, Postgres } from '../../tests/support/postgres.ts'

/** What a PostgreSQL has done since its start. The difference of two is the work in between. */
export interface Work {
  readonly cpuSec: number
  readonly walBytes: number
  readonly updates: number
  readonly hotUpdates: number
  /** Statements, if it counts them: see {@link countStatements}. */
  readonly statements: number
}

/** Settings for `startPostgres`, with which {@link countStatements} works. */
export const COUNTING = { shared_preload_libraries: 'pg_stat_statements' } as const

export async function readWork(postgres: Postgres, database: Database): Promise<Work> {
  // Each backend reports at most once a second what it has done.
  await new Promise((resolve) => setTimeout(resolve, 1_100))
  const [row] = await database.query<Record<string, string>>(`
    SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0') AS wal, t.n_tup_upd AS updates, t.n_tup_hot_upd AS hot, (SELECT coalesce(sum(calls), 0) FROM pg_stat_statements) AS statements
    FROM pg_stat_user_tables t
    WHERE t.relname = 'sessions'`)
  return {
    cpuSec: cpuSecOf(postgres),
    walBytes: Number(row?.['wal']),
    updates: Number(row?.['updates']),
    hotUpdates: Number(row?.['hot']),
    statements: Number(row?.['statements']),
  }
}

/** Counts statements from now on, or no longer. Counting costs time, so rates are measured without it. */
export async function countStatements(database: Database, isOn: boolean): Promise<void> {
  await database.query(`ALTER SYSTEM SET pg_stat_statements.track = ${isOn ? 'top' : 'none'}`)
  await database.query('SELECT pg_reload_conf()')
  // Each backend reads the setting before its next statement.
  await new Promise((resolve) => setTimeout(resolve, 200))
}

/** The CPU time of all its processes, also of those that have ended (proc(5): fields 14 to 17 of stat). */
export function cpuSecOf(postgres: Postgres): number {
  const [line = ''] = readFileSync(join(postgres.folder, 'data/postmaster.pid'), 'utf8').split('\n')
  const main = Number(line)
  const ticks = (pid: number, fields: readonly number[]): number => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
      return fields.reduce((sum, field) => sum + Number(stat[field]), 0)
    } catch {
      return 0 // It has ended, so the main process has its time.
    }
  }
  const running = descendantsOf(main).reduce((sum, pid) => sum + ticks(pid, [11, 12]), 0)
  return (running + ticks(main, [11, 12, 13, 14])) / 100
}
