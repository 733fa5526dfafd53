import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { startPostgres } from '../tests/support/postgres.ts'
import { startRedis, type RunningRedis } from '../tests/support/redis.ts'
import { HttpConnection } from './lib/http-connection.ts'
import { report, round, type Row } from './lib/report.ts'
import { startServer } from './lib/server.ts'

/**
 * Measures what logins, refreshes and logouts cost Redis: processor time, commands, bytes on the wire, and the memory
 * that they leave. One node uses it for throttling, for messages between nodes, and for the mirror. Each login comes
 * from an address of its own, which is the most that throttling can store.
 */

const TIMES = process.argv.includes('--quick') ? 500 : 5_000
const CONNECTIONS = 8

/** The work of a Redis since its start. */
interface Work {
  readonly cpuUs: number
  readonly commands: number
  readonly bytes: number
  readonly memory: number
}

const rows: Row[] = []
const dataDir = mkdtempSync(join(tmpdir(), 'countersign-bench-'))
try {
  await using postgres = await startPostgres()
  await using database = await postgres.createDatabase()
  await using redis = await startRedis()
  await using server = await startServer({
    node: process.execPath,
    dataDir,
    env: {
      DATABASE_URL: database.url,
      REDIS_URL: redis.url,
      COUNTERSIGN_SECRET: 'only for benchmarks: a secret of all nodes',
      COUNTERSIGN_ARGON2_MEMORY_KIB: '8192',
      COUNTERSIGN_ARGON2_PASSES: '1',
      // All logins are to one account.
      COUNTERSIGN_THROTTLE: 'login=999999/1s',
      COUNTERSIGN_TRUSTED_PROXIES: '127.0.0.1',
    },
  })
  const connections = await Promise.all(
    Array.from({ length: CONNECTIONS }, () => HttpConnection.open(server.port)),
  )
  const tokens: string[] = []
  const post = async (n: number, path: string, body: object): Promise<string> => {
    const from = `X-Forwarded-For: 10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`
    const connection = connections[n % CONNECTIONS]!
    const answer = await connection.postWith(path, JSON.stringify(body), from)
    if (answer.status !== 200) throw new Error(`${path} answered ${answer.status}: ${answer.body}`)
    return answer.body
  }
  const refreshOf = (body: string): string => (JSON.parse(body) as { refresh: string }).refresh
  const operations: Readonly<Record<string, (n: number) => Promise<void>>> = {
    login: async (n) => {
      const credentials = { username: 'admin', password: 'only for benchmarks' }
      tokens[n] = refreshOf(await post(n, '/api/token/', credentials))
    },
    refresh: async (n) => {
      tokens[n] = refreshOf(await post(n, '/api/token/refresh/', { refresh: tokens[n] }))
    },
    logout: async (n) => {
      await post(n, '/api/token/blacklist/', { refresh: tokens[n] })
    },
  }
  for (const [operation, run] of Object.entries(operations)) {
    rows.push({ operation, ...(await measure(redis, run)) })
  }
  for (const connection of connections) connection.close()
  const figures = Object.fromEntries(
    rows.map((row) => [`redis_cpu_us_of_a_${row['operation']}`, Number(row['cpu_us'])]),
  )
  report('redis', rows, figures)
} finally {
  rmSync(dataDir, { recursive: true, force: true })
}

/** Runs an operation many times. Returns what one of them cost Redis. */
async function measure(redis: RunningRedis, run: (n: number) => Promise<void>): Promise<Row> {
  const before = await readWork(redis)
  const worker = async (first: number): Promise<void> => {
    for (let n = first; n < TIMES; n += CONNECTIONS) await run(n)
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, (_, first) => worker(first)))
  const after = await readWork(redis)
  const each = (name: keyof Work): number => round((after[name] - before[name]) / TIMES)
  return {
    times: TIMES,
    cpu_us: each('cpuUs'),
    commands: each('commands'),
    wire_bytes: each('bytes'),
    memory_bytes: each('memory'),
  }
}

async function readWork({ client }: RunningRedis): Promise<Work> {
  const info = await client.info()
  const field = (name: string): number => Number(new RegExp(`^${name}:(.*)`, 'm').exec(info)?.[1])
  return {
    cpuUs: (field('used_cpu_user') + field('used_cpu_sys')) * 1e6,
    commands: field('total_commands_processed'),
    bytes: field('total_net_input_bytes') + field('total_net_output_bytes'),
    memory: field('used_memory'),
  }
}
