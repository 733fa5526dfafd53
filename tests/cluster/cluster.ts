import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { HttpClient } from '../../packages/server/test/support/http-client.ts'
import { runCommand, type CommandResult } from '../../packages/server/test/support/command-line.ts'
import { ADMIN } from '../../packages/server/test/support/server-process.ts'
import { freePort } from '../../scripts/lib/processes.ts'
import { MovableClock } from '../faults/clock.ts'
import { LeftBehind } from '../support/left-behind.ts'
import { startPostgres, type Postgres, type PostgresOptions } from '../support/postgres.ts'
import { startRedis, type RunningRedis } from '../support/redis.ts'
import { TcpProxy } from '../support/tcp-proxy.ts'
import { startNginx, type Nginx } from './nginx.ts'
import { prepareNode, type ClusterNode } from './node.ts'

export interface ClusterOptions {
  /** Default: 3. */
  readonly nodes?: number
  /** Uses this PostgreSQL, and leaves it running at the end. Default: one of its own. */
  readonly postgres?: Postgres
  readonly postgresOptions?: PostgresOptions
  /** Starts a Redis for all nodes. */
  readonly redis?: boolean
  /** Puts a network between each node and the database, which tests cut and slow down. */
  readonly proxies?: boolean
  /** Gives the first node a clock of its own. Needs faketime. */
  readonly ownClock?: boolean
  /** More settings of all nodes. */
  readonly env?: Readonly<Record<string, string>>
}

/** Several nodes on one database, behind nginx, all of them real. */
export interface Cluster extends AsyncDisposable {
  /** The public URL: nginx. */
  readonly url: string
  readonly issuer: string
  readonly nodes: readonly ClusterNode[]
  readonly nginx: Nginx
  readonly postgres: Postgres
  readonly databaseUrl: string
  readonly redis: RunningRedis | undefined
  /** The network between each node and the database, with `proxies`. */
  readonly proxies: readonly TcpProxy[]
  /** The clock of the first node, with `ownClock`. */
  readonly clock: MovableClock | undefined
  /** Asks the database. */
  query<Row extends object>(sql: string, values?: unknown[]): Promise<Row[]>
  /** Runs a command on the same database. Throws if it fails. */
  run(...words: readonly string[]): Promise<CommandResult>
  /** A client of nginx. `address` is where it connects from: 127.0.0.1 to 127.0.0.254. */
  client(address?: string): HttpClient
  /** A service account for guards. */
  createServiceAccount(): Promise<{ readonly clientId: string; readonly clientSecret: string }>
}

/** A secret that all nodes share, as they must. */
const SECRET = 'the-secret-of-all-nodes-of-a-test-0123456789'

/**
 * Starts PostgreSQL, nodes and nginx on free ports. All nodes start at once on the empty database. Nothing is left at the
 * end, also if this process is killed.
 */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-cluster-'))
  const leftBehind = new LeftBehind(folder)
  const parts = new AsyncDisposableStack()
  parts.defer(() => {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
    leftBehind.release()
  })
  try {
    return await startParts(folder, parts, options)
  } catch (error) {
    await parts.disposeAsync()
    throw error
  }
}

async function startParts(
  folder: string,
  parts: AsyncDisposableStack,
  options: ClusterOptions,
): Promise<Cluster> {
  const { nodes: count = 3, env = {} } = options
  const postgres = options.postgres ?? parts.use(await startPostgres(options.postgresOptions))
  const database = parts.use(await postgres.createDatabase())
  const redis = options.redis === true ? parts.use(await startRedis()) : undefined
  const clock = options.ownClock === true ? parts.use(new MovableClock()) : undefined
  const clients = new Set<HttpClient>()
  parts.defer(() => clients.forEach((client) => client.close()))
  const proxies: TcpProxy[] = []
  if (options.proxies === true) {
    for (let n = 0; n < count; n += 1) proxies.push(parts.use(await TcpProxy.start(postgres.port)))
  }

  const publicPort = await freePort()
  const issuer = `http://localhost:${publicPort}`
  const shared: Record<string, string> = {
    PATH: process.env['PATH'] ?? '',
    COUNTERSIGN_PUBLIC_URL: issuer,
    COUNTERSIGN_SECRET: SECRET,
    COUNTERSIGN_TRUSTED_PROXIES: '127.0.0.1',
    COUNTERSIGN_ADMIN_PASSWORD: ADMIN.password,
    COUNTERSIGN_ARGON2_MEMORY_KIB: '8192',
    COUNTERSIGN_ARGON2_PASSES: '1',
    COUNTERSIGN_THROTTLE: 'off',
    ...(redis === undefined ? {} : { REDIS_URL: redis.url }),
    ...env,
  }
  const nodes: ClusterNode[] = []
  for (let n = 0; n < count; n += 1) {
    const url = new URL(database.url)
    url.port = String(proxies[n]?.port ?? postgres.port)
    const own = n === 0 ? clock?.env : undefined
    const node = prepareNode({
      name: `node-${n + 1}`,
      folder,
      port: await freePort(),
      env: { ...shared, DATABASE_URL: url.href, ...own },
    })
    parts.defer(() => node.kill())
    nodes.push(node)
  }
  await Promise.all(nodes.map((node) => node.start()))
  const nodePorts = nodes.map(({ port }) => port)
  const nginx = parts.use(await startNginx({ folder, nodePorts, port: publicPort }))

  const run = async (...words: readonly string[]): Promise<CommandResult> => {
    const own = { ...shared, DATABASE_URL: database.url }
    const result = await runCommand(words, { dataDir: folder, env: own })
    if (result.code !== 0) throw new Error(`${words.join(' ')}: ${result.stderr}`)
    return result
  }
  return {
    url: nginx.url,
    issuer,
    nodes,
    nginx,
    postgres,
    databaseUrl: database.url,
    redis,
    proxies,
    clock,
    query: (sql, values) => database.query(sql, values),
    run,
    client(address) {
      const client = new HttpClient(nginx.url, 256, address)
      clients.add(client)
      return client
    },
    async createServiceAccount() {
      const { stdout } = await run('clients', 'create', `guards-${clients.size}-${Date.now()}`)
      return {
        clientId: /svc_[\w-]+/.exec(stdout)?.[0] ?? '',
        clientSecret: /Client secret: (\S+)/.exec(stdout)?.[1] ?? '',
      }
    },
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  }
}
