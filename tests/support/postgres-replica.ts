import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

import { asNobody, makeFolder, programPath, removeFolder } from './postgres-files.ts'
import { runCluster, type Postgres } from './postgres.ts'

const run = promisify(execFile)

/** A copy of a PostgreSQL that follows it by streaming replication, and answers reads. */
export interface Replica extends Postgres {
  /** Its name in `synchronous_standby_names`, and the name of its slot. */
  readonly name: string
  /** Waits until it shows everything that the primary has committed before the call. */
  untilCaughtUp(): Promise<void>
  /** Makes it a primary, which accepts writes. Then another replica can follow it. */
  promote(): Promise<void>
}

export interface ReplicaOptions {
  /** Commits of the primary wait until this replica has written them. Default: false. */
  readonly synchronous?: boolean
  /** Where it connects to the primary, for example through a proxy. Default: the port of the primary. */
  readonly primaryPort?: number
  readonly durable?: boolean
  /** More settings of postgresql.conf. */
  readonly settings?: Readonly<Record<string, string>>
}

let replicas = 0

/** Starts a replica with a slot of its own. End it before its primary. */
export async function startReplica(
  primary: Postgres,
  options: ReplicaOptions = {},
): Promise<Replica> {
  const name = `replica_${++replicas}`
  const { synchronous = false, durable = false, settings } = options
  const folder = makeFolder(durable)
  try {
    await copyPrimary(folder, name, options.primaryPort ?? primary.port)
  } catch (error) {
    removeFolder(folder)
    throw error
  }
  // After a cut, it connects again at once, instead of after 5 s.
  const all = { wal_retrieve_retry_interval: '50ms', ...settings }
  const server = await runCluster(folder, { durable, settings: all })
  const end = server[Symbol.asyncDispose].bind(server)
  if (synchronous) await setSynchronous(primary, name)
  return Object.assign(server, {
    name,
    async untilCaughtUp() {
      const [row] = await primary.query<{ lsn: string }>('SELECT pg_current_wal_lsn() AS lsn')
      await until(server, `pg_last_wal_replay_lsn() >= '${row?.lsn}'`)
    },
    async promote() {
      await server.query('SELECT pg_promote()')
    },
    async [Symbol.asyncDispose]() {
      await end()
      // The primary may have ended. Otherwise it would keep its log for the slot, and wait for this replica.
      if (synchronous) await setSynchronous(primary, '').catch(() => {})
      await primary.query('SELECT pg_drop_replication_slot($1)', [name]).catch(() => {})
    },
  })
}

/**
 * Sets `synchronous_standby_names` of a running primary, for example to `ANY 1 (replica_1, replica_2)`. Waits until as
 * many synchronous replicas as the setting asks for are connected.
 */
export async function setSynchronous(primary: Postgres, names: string): Promise<void> {
  await primary.query(`ALTER SYSTEM SET synchronous_standby_names = '${names}'`)
  await primary.query('SELECT pg_reload_conf()')
  await until(primary, `current_setting('synchronous_standby_names') = '${names}'`)
  if (names === '') return
  const count = Number(/^(?:ANY|FIRST)?\s*(\d+)/i.exec(names)?.[1] ?? 1)
  const connected = "FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')"
  await until(primary, `(SELECT count(*) >= ${count} ${connected})`)
}

/** Waits until a condition is true, as SQL. */
async function until(server: Postgres, condition: string): Promise<void> {
  for (;;) {
    const [row] = await server.query<{ yes: boolean }>(`SELECT ${condition} AS yes`)
    if (row?.yes === true) return
    await sleep(10)
  }
}

async function copyPrimary(folder: string, name: string, port: number): Promise<void> {
  // --write-recovery-conf makes a replica of the copy, with this connection and this slot.
  const url = `postgres://postgres@127.0.0.1:${port}/?application_name=${name}`
  const slot = ['--create-slot', `--slot=${name}`, '--wal-method=stream', '--write-recovery-conf']
  const target = ['--no-sync', '--checkpoint=fast', `--pgdata=${join(folder, 'data')}`]
  const command = [programPath('pg_basebackup'), `--dbname=${url}`, ...slot, ...target]
  await run(...asNobody('KILL', command), { cwd: '/' })
}
