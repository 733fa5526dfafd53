import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { quantile } from '../../bench/lib/statistics.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { Done } from './load.ts'

/** The state of all nodes and of the database at one moment, and what clients saw since the sample before. */
export interface Sample {
  readonly atSec: number
  /** The largest of the nodes. */
  readonly rssMb: number
  readonly heapMb: number
  /** Open files and sockets of a process. */
  readonly handles: number
  readonly connections: number
  /** Milliseconds. 0 if nothing happened. */
  readonly refreshP50: number
  readonly refreshP99: number
  readonly loginP99: number
  readonly logoutP99: number
  readonly refreshes: number
  readonly logins: number
  readonly logouts: number
  readonly mailedCodes: number
  readonly verified: number
  readonly roleChanges: number
  readonly busy: number
  readonly failures: number
  /** The size of each table with its indexes, in kB, and its live rows. */
  readonly tables: Readonly<Record<string, { readonly kb: number; readonly rows: number }>>
}

/** Takes a sample. `heapFolder` is where the nodes write the sizes of their heaps. */
export async function takeSample(
  cluster: Cluster,
  { atSec, heapFolder, done }: { atSec: number; heapFolder: string; done: Done },
): Promise<Sample> {
  const pids = cluster.nodes.map(({ pid }) => pid ?? 0)
  const [backends] = await cluster.query<{ n: number }>(
    `SELECT CAST(count(*) AS integer) AS n FROM pg_stat_activity
     WHERE datname = current_database() AND application_name = 'countersign'`,
  )
  const tables = await cluster.query<{ name: string; kb: number; rows: number }>(
    `SELECT relname AS name, CAST(pg_total_relation_size(relid) / 1024 AS integer) AS kb,
            CAST(n_live_tup AS integer) AS rows
     FROM pg_stat_user_tables WHERE n_tup_ins > 0 ORDER BY 2 DESC LIMIT 8`,
  )
  const { latencies } = done
  return {
    atSec: Math.round(atSec),
    rssMb: highest(pids.map(readRssMb)),
    heapMb: highest(pids.map((pid) => readHeapMb(heapFolder, pid))),
    handles: Math.max(...pids.map((pid) => readdirSync(`/proc/${pid}/fd`).length)),
    connections: backends?.n ?? 0,
    refreshP50: at(latencies.refresh, 0.5),
    refreshP99: at(latencies.refresh, 0.99),
    loginP99: at(latencies.login, 0.99),
    logoutP99: at(latencies.logout, 0.99),
    refreshes: latencies.refresh.length,
    logins: latencies.login.length,
    logouts: latencies.logout.length,
    mailedCodes: latencies['mailed code'].length,
    verified: done.verified,
    roleChanges: done.roleChanges,
    busy: done.busy,
    failures: done.failures.length,
    tables: Object.fromEntries(tables.map(({ name, kb, rows }) => [name, { kb, rows }])),
  }
}

function at(values: readonly number[], share: number): number {
  if (values.length === 0) return 0
  const sorted = values.toSorted((a, b) => a - b)
  return Math.round(quantile(sorted, share))
}

function highest(values: readonly number[]): number {
  return Math.round(Math.max(...values) * 10) / 10
}

function readRssMb(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
}

function readHeapMb(folder: string, pid: number): number {
  try {
    return Number(readFileSync(join(folder, String(pid)), 'utf8')) / 2 ** 20
  } catch {
    return 0 // It has written nothing yet.
  }
}
