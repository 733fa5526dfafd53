import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { Redis } from 'ioredis'

import { freePort } from '../../scripts/lib/processes.ts'
import { LeftBehind } from './left-behind.ts'
import { LoggedProcess } from './logged-process.ts'

/** A real Redis that stores no data on disk. Ends with this process, even if that is killed. */
export interface RunningRedis extends AsyncDisposable {
  readonly url: string
  readonly port: number
  /** A client for the test. */
  readonly client: Redis
  kill(): Promise<void>
  /** Starts it again on the same port, empty. In a cluster it keeps its place. Does nothing if it runs. */
  start(): Promise<void>
  /** Kills it and at once starts an empty one in its place. */
  replace(): Promise<void>
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void
}

export interface RedisOptions {
  /** Lines of redis.conf. */
  readonly settings?: readonly string[]
  /** Runs as Sentinel. */
  readonly isSentinel?: boolean
}

// An absolute path: PATH may contain another Redis.
const REDIS_SERVER = '/usr/bin/redis-server'
/** A failover takes seconds, and on a busy machine much longer. */
const UNTIL_MS_MAX = 120_000

export async function startRedis(options: RedisOptions = {}): Promise<RunningRedis> {
  const redis = new Server(await freePort(), options)
  try {
    await redis.start()
    return redis
  } catch (error) {
    await redis[Symbol.asyncDispose]()
    throw error
  }
}

/** Starts several servers at once, and ends them all if one fails. */
export async function startAll(
  starts: readonly Promise<RunningRedis>[],
): Promise<readonly RunningRedis[]> {
  const outcomes = await Promise.allSettled(starts)
  const started = outcomes.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
  const failed = outcomes.find((each) => each.status === 'rejected')
  if (failed === undefined) return started
  await endAll(started)
  throw failed.reason
}

/** Ends several servers at once. */
export async function endAll(servers: readonly RunningRedis[]): Promise<void> {
  await Promise.all(servers.map((each) => each[Symbol.asyncDispose]()))
}

class Server implements RunningRedis {
  readonly port: number
  readonly url: string
  readonly client: Redis
  readonly #folder = mkdtempSync(join(tmpdir(), 'countersign-redis-'))
  readonly #leftBehind = new LeftBehind(this.#folder)
  readonly #process: LoggedProcess

  constructor(port: number, { settings = [], isSentinel = false }: RedisOptions) {
    this.port = port
    this.url = `redis://127.0.0.1:${port}/0`
    this.client = new Redis(this.url, { lazyConnect: true, retryStrategy: () => 50 })
    this.client.on('error', () => {})
    const own = [`port ${port}`, 'bind 127.0.0.1', `dir ${this.#folder}`]
    const memoryOnly = isSentinel ? [] : ['save ""']
    const conf = join(this.#folder, 'redis.conf')
    writeFileSync(conf, [...own, ...memoryOnly, ...settings, ''].join('\n'))
    const command = [REDIS_SERVER, conf, ...(isSentinel ? ['--sentinel'] : [])]
    this.#process = new LoggedProcess(
      ['/usr/bin/setpriv', ['--pdeathsig', 'KILL', ...command]],
      join(this.#folder, 'log'),
    )
  }

  async start(): Promise<void> {
    await this.#process.start(() => this.client.ping())
  }

  async kill(): Promise<void> {
    await this.#process.end('SIGKILL')
  }

  async replace(): Promise<void> {
    await this.kill()
    await this.start()
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#process.send(signal)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.disconnect()
    await this.kill()
    rmSync(this.#folder, { recursive: true, force: true })
    this.#leftBehind.release()
  }
}

/** The place of a server in a replication, as the server itself reports it. */
export interface RedisRole {
  readonly isPrimary: boolean
  /** The port of its primary, if it is a replica. */
  readonly primaryPort: number | undefined
  /** Whether a replica has the data of its primary and follows it. True for a primary. */
  readonly isConnected: boolean
}

/** Asks a server for its role. Throws if it does not answer. */
export async function roleOf(redis: RunningRedis): Promise<RedisRole> {
  const [kind, , port, state] = (await redis.client.call('ROLE')) as unknown[]
  if (kind === 'master') return { isPrimary: true, primaryPort: undefined, isConnected: true }
  return { isPrimary: false, primaryPort: Number(port), isConnected: state === 'connected' }
}

/** Waits until a condition holds. While servers fail, a check may throw. */
export async function untilTrue(check: () => Promise<boolean>): Promise<void> {
  const late = performance.now() + UNTIL_MS_MAX
  while (!(await check().catch(() => false))) {
    if (performance.now() > late) throw new Error(`never became true: ${check.toString()}`)
    await sleep(25)
  }
}
