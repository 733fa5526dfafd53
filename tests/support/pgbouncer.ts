import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { Client } from 'pg'

import { freePort } from '../../scripts/lib/processes.ts'
import { LeftBehind } from './left-behind.ts'
import { LoggedProcess } from './logged-process.ts'
import { asNobody, makeFolder, removeFolder } from './postgres-files.ts'
import type { Postgres } from './postgres.ts'

/**
 * A real PgBouncer in transaction mode. Between two transactions, a client may change to another connection of the
 * server: `LISTEN`, settings of a session, its advisory locks and named prepared statements do not work. (Named prepared
 * statements need PgBouncer 1.21; Debian 12 has 1.18.)
 */
export interface PgBouncer extends AsyncDisposable {
  readonly port: number
  /** The URL of a database behind it. Default: `postgres`. */
  urlOf(database?: { readonly name: string }): string
  kill(): Promise<void>
  start(): Promise<void>
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void
}

export interface PgBouncerOptions {
  /** Connections to the server for each database. Default: 5, so that clients share them. */
  readonly poolSize?: number
}

// An absolute path: Debian installs it in a folder that is not in everybody's PATH.
const PGBOUNCER = '/usr/sbin/pgbouncer'

/** Starts PgBouncer in front of a PostgreSQL, for all its databases. */
export async function startPgBouncer(
  postgres: Pick<Postgres, 'port'>,
  { poolSize = 5 }: PgBouncerOptions = {},
): Promise<PgBouncer> {
  const port = await freePort()
  const folder = makeFolder(false)
  const ini = join(folder, 'pgbouncer.ini')
  writeFileSync(ini, configuration(port, postgres.port, poolSize))
  const server = new LoggedProcess(asNobody('KILL', [PGBOUNCER, ini]), join(folder, 'log'))
  const leftBehind = new LeftBehind(folder)
  const urlOf = (database = { name: 'postgres' }): string =>
    `postgres://postgres@127.0.0.1:${port}/${database.name}`
  const bouncer: PgBouncer = {
    port,
    urlOf,
    // Its own console answers without the server.
    start: () => server.start(() => connectOnce(urlOf({ name: 'pgbouncer' }))),
    kill: async () => void (await server.end('SIGKILL')),
    signal: (signal) => server.send(signal),
    async [Symbol.asyncDispose]() {
      await server.end('SIGKILL')
      removeFolder(folder)
      leftBehind.release()
    },
  }
  try {
    await bouncer.start()
    return bouncer
  } catch (error) {
    await bouncer[Symbol.asyncDispose]()
    throw error
  }
}

function configuration(port: number, serverPort: number, poolSize: number): string {
  return `[databases]
* = host=127.0.0.1 port=${serverPort} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = ${poolSize}
max_client_conn = 1000
server_login_retry = 1
ignore_startup_parameters = extra_float_digits,options
`
}

async function connectOnce(url: string): Promise<void> {
  const client = new Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  await client.end()
}
