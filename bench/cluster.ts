import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

import { startPostgres, type Database, type Postgres } from '../tests/support/postgres.ts'
import { takeTurn, type Operation, type System } from './lib/cluster-load.ts'
import { startCountingProxy } from './lib/counting-proxy.ts'
import { hashPassword } from './lib/password.ts'
import { COUNTING, countStatements, cpuSecOf, readWork } from './lib/postgres-work.ts'
import { report, round, type Row } from './lib/report.ts'
import { pickSessions, seedPostgres } from './lib/seed-postgres.ts'
import { currentPairs, pairsOf, seedSessions } from './lib/seed.ts'
import { startServer, type BenchServer } from './lib/server.ts'
import { median, quantile, spread } from './lib/statistics.ts'

/**
 * Compares one node and two nodes on PostgreSQL with the embedded store, in turns. All commits are durable. Nodes,
 * database and load share all cores of the machine. A last part counts statements, round trips and bytes of the
 * write-ahead log for each operation.
 */

const ISSUER = 'http://localhost:8000'
const SECRET = 'only for benchmarks: a secret of all nodes'
const CHAINED = 5_000
/** More sessions, which are logged out. */
const LOGOUTS = 10_000
const WARM_UP_MS = 1_000

const quick = process.argv.includes('--quick')
/** `npm run bench -- cluster 1000000`: only with this many sessions. */
const given = process.argv.filter((each) => /^\d+$/.test(each)).map(Number)
const sizes = given.length > 0 ? given : quick ? [10_000] : [10_000, 1_000_000]
const rounds = quick ? 3 : 5
const turnMs = quick ? 3_000 : 4_000
const logoutMs = 1_000

const CASES: readonly { readonly operation: Operation; readonly connections: number }[] = [
  { operation: 'refresh', connections: 64 },
  { operation: 'refresh', connections: 8 },
  { operation: 'login', connections: 4 },
  { operation: 'logout', connections: 16 },
]

const passwordHash = await hashPassword()
const rows: Row[] = []
for (const sessions of sizes) rows.push(...(await measureSize(sessions)))
const find = (system: string): Row | undefined =>
  rows.find(
    (row) =>
      row['system'] === system && row['operation'] === 'refresh' && row['connections'] === 64,
  )
report('cluster', rows, {
  cluster_two_nodes_refresh_per_second: Number(find('postgres, 2 nodes')?.['per_sec']),
  cluster_of_sqlite: Number(find('postgres, 1 node')?.['of_sqlite']),
  cluster_refresh_per_second: Number(find('postgres, 1 node')?.['per_sec']),
})

async function measureSize(sessions: number): Promise<Row[]> {
  await using parts = new AsyncDisposableStack()
  const dataDir = await seedSessions(sessions + LOGOUTS)
  parts.defer(() => rmSync(dataDir, { recursive: true, force: true }))
  const file = new DatabaseSync(join(dataDir, 'countersign.db'))
  file.prepare('UPDATE accounts SET password_hash = ?').run(passwordHash)
  file.close()
  const embedded = parts.use(await startNode(dataDir, {}))

  const postgres = parts.use(
    await startPostgres({
      durable: true,
      settings: { max_wal_size: '1GB', min_wal_size: '80MB', ...COUNTING },
    }),
  )
  const database = parts.use(await postgres.createDatabase())
  await database.query('CREATE EXTENSION pg_stat_statements')
  await countStatements(database, false)
  const nodes: BenchServer[] = []
  const startOn = async (port: number): Promise<BenchServer> => {
    const url = new URL(database.url)
    url.port = String(port)
    return parts.use(await startNode(dataDir, { DATABASE_URL: url.href }))
  }
  for (let n = 0; n < 2; n += 1) nodes.push(await startOn(postgres.port))
  await seedPostgres(database, { sessions: sessions + LOGOUTS, passwordHash })

  const inPostgres = await tokensOf(database)
  const pairs = await currentPairs(dataDir, ISSUER, CHAINED + LOGOUTS)
  const embeddedTokens = pairs.map(({ refresh }) => refresh)
  const systems: System[] = [
    {
      name: 'sqlite',
      nodes: [embedded],
      chained: embeddedTokens.splice(0, CHAINED),
      logouts: embeddedTokens,
    },
    { name: 'postgres, 1 node', nodes: nodes.slice(0, 1), ...inPostgres },
    { name: 'postgres, 2 nodes', nodes, ...inPostgres },
  ]
  const result: Row[] = []
  for (const each of CASES) {
    result.push(...(await compare(systems, { ...each, sessions, postgres })))
  }
  await using proxy = await startCountingProxy(postgres.port)
  const counted = { name: 'counted', nodes: [await startOn(proxy.port)], ...inPostgres }
  await countStatements(database, true)
  for (const row of result.filter(({ system }) => system === 'postgres, 1 node')) {
    const operation = row['operation'] as Operation
    const connections = Number(row['connections'])
    await takeTurn(counted, operation, connections, 500)
    const before = { ...(await readWork(postgres, database)), trips: proxy.roundTrips }
    const turn = await takeTurn(counted, operation, connections, lengthOf(operation))
    const trips = proxy.roundTrips - before.trips
    const after = await readWork(postgres, database)
    const done = turn.latencies.length
    Object.assign(row, {
      statements: round((after.statements - before.statements) / done),
      round_trips: round(trips / done),
      wal_bytes: Math.round((after.walBytes - before.walBytes) / done),
      hot_percent: percentOf(after.hotUpdates - before.hotUpdates, after.updates - before.updates),
    })
  }
  return result
}

/** Each logout uses up a session. */
function lengthOf(operation: Operation): number {
  return operation === 'logout' ? logoutMs : turnMs
}

function percentOf(part: number, whole: number): number | string {
  return whole === 0 ? '' : round((part * 100) / whole)
}

function startNode(dataDir: string, env: Readonly<Record<string, string>>): Promise<BenchServer> {
  const own = env['DATABASE_URL'] === undefined ? {} : { COUNTERSIGN_SECRET: SECRET }
  return startServer({
    node: process.execPath,
    dataDir,
    env: {
      COUNTERSIGN_PUBLIC_URL: ISSUER,
      ...own,
      ...env,
    },
  })
}

async function tokensOf(database: Database): Promise<Pick<System, 'chained' | 'logouts'>> {
  const ids = await pickSessions(database, CHAINED + LOGOUTS)
  const settings = { dataDir: '', databaseUrl: database.url }
  const pairs = await pairsOf({ settings, secret: SECRET, issuer: ISSUER }, ids)
  const tokens = pairs.map(({ refresh }) => refresh)
  return { chained: tokens.splice(0, CHAINED), logouts: tokens }
}

interface Case {
  readonly operation: Operation
  readonly connections: number
  readonly sessions: number
  readonly postgres: Postgres
}

/** Measures all systems in turns. The first one is the base of the others. */
async function compare(systems: readonly System[], it: Case): Promise<Row[]> {
  const { operation, connections, sessions, postgres } = it
  const ms = lengthOf(operation)
  for (const each of systems) await takeTurn(each, operation, connections, WARM_UP_MS)
  const measured = systems.map((system) => ({
    system,
    rates: [] as number[],
    ratios: [] as number[],
    latencies: [] as number[],
    nodeSec: 0,
    databaseSec: 0,
  }))
  for (let n = 0; n < rounds; n += 1) {
    for (const each of measured) {
      const { nodes } = each.system
      const nodeSec = (): number => nodes.reduce((sum, node) => sum + node.cpuSec(), 0)
      const before = { node: nodeSec(), database: cpuSecOf(postgres) }
      const { perSec, latencies } = await takeTurn(each.system, operation, connections, ms)
      each.nodeSec += nodeSec() - before.node
      each.databaseSec += cpuSecOf(postgres) - before.database
      each.rates.push(perSec)
      each.ratios.push(perSec / (measured[0]?.rates[n] ?? Number.NaN))
      for (const latency of latencies) each.latencies.push(latency)
    }
  }
  return measured.map(({ system, rates, ratios, latencies, nodeSec, databaseSec }) => {
    latencies.sort((a, b) => a - b)
    const isOnPostgres = system !== systems[0]
    return {
      system: system.name,
      operation,
      sessions,
      connections,
      per_sec: round(median(rates)),
      spread_percent: round(spread(rates) * 100),
      of_sqlite: round(median(ratios)),
      median_ms: round(quantile(latencies, 0.5)),
      p99_ms: round(quantile(latencies, 0.99)),
      node_cpu_us: round((nodeSec * 1e6) / latencies.length),
      database_cpu_us: isOnPostgres ? round((databaseSec * 1e6) / latencies.length) : 0,
    }
  })
}
