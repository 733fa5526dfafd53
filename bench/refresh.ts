import { rmSync, statSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

import { fetchNode } from '../scripts/lib/nodes.ts'
import { HttpConnection } from './lib/http-connection.ts'
import { report, round, type Row } from './lib/report.ts'
import { currentTokens, seedSessions } from './lib/seed.ts'
import { measureSignatureUs, pinSelf, startServer, type BenchServer } from './lib/server.ts'
import { median, quantile, spread } from './lib/statistics.ts'

/**
 * Measures chained refreshes: 5,000 sessions, each refreshed again and again with its newest token, over
 * kept-alive connections and with durable commits. The server has one core, and the load generator the other. One row
 * gives the server two cores, of which it shares one with the load generator on a machine with two.
 */

const CHAINED = 5_000
const WARM_UP_SEC = 2
const ROUND_SEC = 4
const ROUNDS = 3
const NODE_26 = '26.10.0'

interface Case {
  readonly node: string
  readonly sessions: number
  readonly connections: number
  /** The cores of the server, such as `0,1`. */
  readonly cores: string
}

const ONE_CORE = '0'

/** The second core is one that the load generator does not use, if the machine has one. */
function twoCores(): string {
  return cpus().length > 2 ? '0,2' : '0,1'
}

pinSelf(1)
const quick = process.argv.includes('--quick')
const node26 = quick ? undefined : fetchNode(NODE_26)
const measured: Row[] = []
for (const sessions of quick ? [10_000] : [10_000, 1_000_000]) {
  const dataDir = await seedSessions(sessions)
  try {
    const one = { sessions, cores: ONE_CORE, connections: [8, 64] }
    for (const node of [process.execPath, ...(node26 === undefined ? [] : [node26])]) {
      measured.push(...(await measureServer(dataDir, { ...one, node })))
    }
    if (sessions > 10_000) continue
    const two = { node: process.execPath, sessions, cores: twoCores(), connections: [64] }
    measured.push(...(await measureServer(dataDir, two)))
  } finally {
    rmSync(dataDir, { recursive: true, force: true })
  }
}
const rowOf = (sessions: number, cores: number): Row | undefined =>
  measured.find(
    (row) =>
      row['sessions'] === sessions && row['connections'] === 64 && row['server_cores'] === cores,
  )
const main = rowOf(10_000, 1)
const large = rowOf(1_000_000, 1)
const two = rowOf(10_000, 2)
report('refresh', measured, {
  ...(large === undefined
    ? {}
    : { refresh_million_of_small: round(Number(large['per_sec']) / Number(main?.['per_sec'])) }),
  refresh_two_cores_of_one: round(Number(two?.['per_sec']) / Number(main?.['per_sec'])),
  refresh_two_cores_per_second: Number(two?.['per_sec']),
  refresh_per_second: Number(main?.['per_sec']),
})

async function measureServer(
  dataDir: string,
  {
    node,
    sessions,
    cores,
    connections: counts,
  }: Omit<Case, 'connections'> & { readonly connections: readonly number[] },
): Promise<Row[]> {
  const signatureUs = measureSignatureUs(node, 0)
  await using server = await startServer({ node, dataDir, cores })
  const tokens = await currentTokens(dataDir, `http://localhost:${server.port}`, CHAINED)
  const result: Row[] = []
  for (const connections of counts) {
    const row = await measure(server, dataDir, tokens, { node, sessions, connections, cores })
    result.push({ ...row, bare_es256_us: round(signatureUs) })
  }
  return result
}

async function measure(
  server: BenchServer,
  dataDir: string,
  tokens: string[],
  { node, sessions, connections, cores }: Case,
): Promise<Row> {
  await load(server.port, tokens, connections, WARM_UP_SEC)
  const before = { ...sizeOf(dataDir), cpu: server.cpuSec() }
  const rates: number[] = []
  const latencies: number[] = []
  let requests = 0
  for (let i = 0; i < ROUNDS; i += 1) {
    const started = performance.now()
    const taken = await load(server.port, tokens, connections, ROUND_SEC)
    rates.push(taken.length / ((performance.now() - started) / 1000))
    requests += taken.length
    for (const each of taken) latencies.push(each)
  }
  const after = { ...sizeOf(dataDir), cpu: server.cpuSec() }
  latencies.sort((a, b) => a - b)
  return {
    node: node === process.execPath ? process.version : `v${NODE_26}`,
    sessions,
    connections,
    server_cores: cores.split(',').length,
    per_sec: Math.round(median(rates)),
    spread_percent: round(spread(rates) * 100),
    median_ms: round(quantile(latencies, 0.5)),
    p99_ms: round(quantile(latencies, 0.99)),
    cpu_us: round(((after.cpu - before.cpu) * 1e6) / requests),
    rows_grown: after.rows - before.rows,
    bytes_grown: after.bytes - before.bytes,
  }
}

/** Refreshes for that long and returns the milliseconds of each request. Throws for any status but 200. */
async function load(
  port: number,
  tokens: string[],
  connections: number,
  seconds: number,
): Promise<number[]> {
  const latencies: number[] = []
  const until = performance.now() + seconds * 1000
  await Promise.all(
    Array.from({ length: connections }, async (_, worker) => {
      const connection = await HttpConnection.open(port)
      for (let i = worker; performance.now() < until; i += connections) {
        if (i >= tokens.length) i = worker
        const sent = performance.now()
        const { status, body } = await connection.post(
          '/api/token/refresh/',
          `{"refresh":"${tokens[i]}"}`,
        )
        latencies.push(performance.now() - sent)
        if (status !== 200) throw new Error(`a refresh answered ${status}: ${body}`)
        tokens[i] = body.slice(body.lastIndexOf(':"') + 2, -2)
      }
      connection.close()
    }),
  )
  return latencies
}

function sizeOf(dataDir: string): { rows: number; bytes: number } {
  const path = join(dataDir, 'countersign.db')
  const db = new DatabaseSync(path, { readOnly: true })
  const rows = ['accounts', 'sessions', 'revocations', 'audit', 'keys']
    .map((table) => Number(db.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.['n']))
    .reduce((sum, n) => sum + n, 0)
  db.close()
  return { rows, bytes: statSync(path).size }
}
