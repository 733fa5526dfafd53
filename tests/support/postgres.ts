import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { Client, type QueryResultRow } from 'pg'

import { descendantsOf, isRunning } from '../../scripts/lib/process-tree.ts'
import { freePort } from '../../scripts/lib/processes.ts'
import { LeftBehind } from './left-behind.ts'
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
  /** More settings of postgresql.conf. */
  readonly settings?: Readonly<Record<string, string>>
}

/** A busy machine may need much longer than the usual 0.2 seconds. */
const READY_MS_MAX = 60_000
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
  const folder = makeFolder(options.durable ?? false)
  try {
    await createCluster(folder)
    return await runCluster(folder, options)
  } catch (error) {
    removeFolder(folder)
    throw error
  }
}

let shared: Promise<Postgres> | undefined

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
  readonly #command: readonly string[]
  #child: ChildProcess | undefined
  readonly #leftBehind: LeftBehind
  #isFrozen = false
  #databases = 0

  constructor(folder: string, port: number, { durable = false, settings }: PostgresOptions) {
    this.folder = folder
    this.port = port
    this.url = this.#urlOf('postgres')
    this.#leftBehind = new LeftBehind(folder)
    const all = { ...SETTINGS, ...(durable ? {} : UNSAFE), ...settings }
    this.#command = [
      programPath('postgres'),
      ...['-D', join(folder, 'data'), '-k', folder, '-p', String(port)],
      ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ]
  }

  async start(): Promise<void> {
    if (this.#pid() !== undefined) return
    const log = openSync(join(this.folder, 'log'), 'a')
    // SIGQUIT is an immediate shutdown: the postmaster ends its children and frees its shared memory.
    const [program, args] = asNobody('QUIT', this.#command)
    this.#child = spawn(program, args, { cwd: '/', stdio: ['ignore', log, log] })
    closeSync(log)
    await this.#untilReady(performance.now() + READY_MS_MAX)
  }

  async #untilReady(late: number): Promise<void> {
    while (this.#pid() !== undefined && performance.now() < late) {
      try {
        await this.query('SELECT')
        return
      } catch {
        await sleep(10)
      }
    }
    await this.kill()
    throw new Error(`PostgreSQL did not start:\n${readFileSync(join(this.folder, 'log'), 'utf8')}`)
  }

  query<Row extends QueryResultRow>(sql: string, values?: unknown[]): Promise<Row[]> {
    return ask<Row>(this.url, sql, values)
  }

  async createDatabase(options: { readonly template?: string } = {}): Promise<Database> {
    const name = `test_${++this.#databases}`
    const url = this.#urlOf(name)
    await this.query(`CREATE DATABASE ${name} TEMPLATE ${options.template ?? 'template1'}`)
    return {
      name,
      url,
      query: (sql, values) => ask(url, sql, values),
      [Symbol.asyncDispose]: async () => {
        if (this.#pid() === undefined) return // It is removed with the server.
        await this.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
      },
    }
  }

  async kill(): Promise<void> {
    const pid = this.#pid()
    if (pid === undefined) return
    // A stopped postmaster starts no more processes. The others survive it for a moment.
    process.kill(pid, 'SIGSTOP')
    const all = [pid, ...descendantsOf(pid)]
    for (const each of all) send(each, 'SIGKILL')
    await this.#ended()
    while (all.some(isRunning)) await sleep(5)
    this.#setFrozen([])
  }

  async stop(mode: 'fast' | 'immediate' = 'fast'): Promise<void> {
    const pid = this.#pid()
    if (pid === undefined) return
    process.kill(pid, mode === 'fast' ? 'SIGINT' : 'SIGQUIT')
    await this.#ended()
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    const pid = this.#pid()
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

  /** The postmaster, or undefined if it does not run. */
  #pid(): number | undefined {
    const child = this.#child
    return child?.exitCode === null && child.signalCode === null ? child.pid : undefined
  }

  async #ended(): Promise<void> {
    if (this.#child !== undefined && this.#pid() !== undefined) await once(this.#child, 'exit')
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
