import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { Client, type QueryResultRow } from 'pg'

import { descendantsOf, isRunning } from '../../scripts/lib/process-tree.ts'
import { freePort } from '../../scripts/lib/processes.ts'
import { LeftBehind } from './left-behind.ts'
import { LoggedProcess } from './logged-process.ts'
import { asNobody, createCluster, makeFolder, programPath, removeFolder } from './postgres-files.ts'

/** A database of its own for one test. It is dropped at the end. */
export interface Database extends AsyncDisposable {
  readonly name: string
  readonly url: string
  query<Row extends QueryResultRow>(sql: string, values?: unknown[]): Promise<Row[]>
}

/** A real PostgreSQL. Ends with this process, even if that is killed. */
export interface Postgres extends AsyncDisposable {
  /** The database `postgres`, as its superuser. */
  readonly url: string
  readonly port: number
  /** The folder of its Unix socket, `data` and `log`. */
  readonly folder: string
  /** Creates an empty database, or a copy of `template`, to which nobody may be connected. */
  createDatabase(options?: { readonly template?: string }): Promise<Database>
  /** Asks the database `postgres`, in a connection of its own. */
  query<Row extends QueryResultRow>(sql: string, values?: unknown[]): Promise<Row[]>
  /** Kills all its processes with SIGKILL. */
  kill(): Promise<void>
  /** Starts it again with the same data on the same port. Does nothing if it runs. */
  start(): Promise<void>
  /** `fast` rolls back open transactions and ends cleanly. `immediate` ends like a crash. */
  stop(mode?: 'fast' | 'immediate'): Promise<void>
  /** Freezes all its processes, or lets them continue. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void
}

export interface PostgresOptions {
  /** Commits wait for the disk. Default: false, which is faster; data survives `kill` but no power failure. */
  readonly durable?: boolean
  /** The only processor core that it uses. */
  readonly core?: number
  /** More settings of postgresql.conf. */
  readonly settings?: Readonly<Record<string, string>>
  /** Keeps its data in a new folder inside this one, for example on a disk that the test fills. */
  readonly inside?: string
}

const SETTINGS = {
  listen_addresses: '127.0.0.1',
  max_connections: '200',
  // Otherwise killed servers leave files in /dev/shm.
  dynamic_shared_memory_type: 'mmap',
  max_wal_size: '128MB',
  min_wal_size: '32MB',
}
const UNSAFE = { fsync: 'off', full_page_writes: 'off' }

/** Starts an empty PostgreSQL of its own, for tests that kill, stop or configure it. */
export async function startPostgres(options: PostgresOptions = {}): Promise<Postgres> {
  const folder = makeFolder(options.durable ?? false, options.inside)
  try {
    await createCluster(folder)
    return await runCluster(folder, options)
  } catch (error) {
    removeFolder(folder)
    throw error
  }
}

let shared: Promise<Postgres> | undefined
let databases = 0

/**
 * Returns the PostgreSQL that all tests of this process share. A test creates a database of its own in it, and does not
 * stop it.
 */
export function sharedPostgres(): Promise<Postgres> {
  return (shared ??= startPostgres())
}

/** Starts the server of an existing `folder/data`, and removes the folder at the end. */
export async function runCluster(folder: string, options: PostgresOptions): Promise<Postgres> {
  const port = await freePort()
  const server = new Server(folder, port, options)
  try {
    await server.start()
    return server
  } catch (error) {
    await server[Symbol.asyncDispose]()
    throw error
  }
}

class Server implements Postgres {
  readonly folder: string
  readonly port: number
  readonly url: string
  readonly #process: LoggedProcess
  readonly #leftBehind: LeftBehind
  #isFrozen = false

  constructor(folder: string, port: number, { durable = false, core, settings }: PostgresOptions) {
    this.folder = folder
    this.port = port
    this.url = this.#urlOf('postgres')
    this.#leftBehind = new LeftBehind(folder)
    const all = { ...SETTINGS, ...(durable ? {} : UNSAFE), ...settings }
    const command = [
      ...(core === undefined ? [] : ['/usr/bin/taskset', '-c', String(core)]),
      programPath('postgres'),
      `-D${join(folder, 'data')}`,
      `-k${folder}`,
      `-p${port}`,
      ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ]
    // SIGQUIT is an immediate shutdown: the postmaster ends its children and frees its shared memory.
    this.#process = new LoggedProcess(asNobody('QUIT', command), join(folder, 'log'))
  }

  async start(): Promise<void> {
    await this.#process.start(() => this.query('SELECT'))
  }

  query<Row extends QueryResultRow>(sql: string, values?: unknown[]): Promise<Row[]> {
    return ask<Row>(this.url, sql, values)
  }

  async createDatabase(options: { readonly template?: string } = {}): Promise<Database> {
    // Also unique on a replica that was promoted, which has the databases of its primary.
    const name = `test_${++databases}`
    const url = this.#urlOf(name)
    await this.query(`CREATE DATABASE ${name} TEMPLATE ${options.template ?? 'template1'}`)
    return {
      name,
      url,
      query: (sql, values) => ask(url, sql, values),
      [Symbol.asyncDispose]: async () => {
        if (this.#process.pid === undefined) return // It is removed with the server.
        await this.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
      },
    }
  }

  async kill(): Promise<void> {
    const pid = this.#process.pid
    if (pid === undefined) return
    // A stopped postmaster starts no more processes. The others survive it for a moment.
    process.kill(pid, 'SIGSTOP')
    const children = descendantsOf(pid)
    for (const child of children) send(child, 'SIGKILL')
    await this.#process.end('SIGKILL')
    while (children.some(isRunning)) await sleep(5)
    this.#setFrozen([])
  }

  async stop(mode: 'fast' | 'immediate' = 'fast'): Promise<void> {
    await this.#process.end(mode === 'fast' ? 'SIGINT' : 'SIGQUIT')
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    const pid = this.#process.pid
    if (pid === undefined) throw new Error('PostgreSQL does not run')
    process.kill(pid, signal)
    const children = descendantsOf(pid)
    for (const child of children) send(child, signal)
    this.#setFrozen(signal === 'SIGSTOP' ? [pid, ...children] : [])
  }

  #setFrozen(pids: readonly number[]): void {
    this.#isFrozen = pids.length > 0
    this.#leftBehind.frozen(pids)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isFrozen) await this.stop('immediate')
    await this.kill()
    removeFolder(this.folder)
    this.#leftBehind.release()
  }

  #urlOf(database: string): string {
    return `postgres://postgres@127.0.0.1:${this.port}/${database}`
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It has ended.
  }
}

async function ask<Row extends QueryResultRow>(
  url: string,
  sql: string,
  values: unknown[] = [],
): Promise<Row[]> {
  const client = new Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  try {
    return (await client.query<Row>(sql, values)).rows
  } finally {
    await client.end().catch(() => {})
  }
}
