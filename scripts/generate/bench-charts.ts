import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'

import type { GeneratedFile } from '../generate.ts'
import { renderBarChart, type Bar, type BarChart } from '../lib/bar-chart.ts'
import { groupBy } from '../lib/group-by.ts'

/** docs/images/bench-*.svg, from the results that `npm run bench` writes to bench/results. */

/** A row of a benchmark. Each benchmark has its own names. */
type Row = Readonly<Record<string, number | string>>

/** The part of a results file that the charts show. */
interface Results {
  readonly measuredAt: string
  readonly machine: {
    readonly cpu: string
    readonly cores: number
    readonly memoryGib: number
    readonly node: string
  }
  readonly rows: readonly Row[]
}

const root = resolve(import.meta.dirname, '../..')

/** The major version of Node that the server runs on. */
const NODE_MAJOR = '24'

const charts: Readonly<Record<string, (name: string) => BarChart>> = {
  refresh: drawRefresh,
  revocation: drawRevocation,
  route: drawRoute,
  'jwt-verify': () => drawJwt('verify'),
  'jwt-sign': () => drawJwt('sign'),
  memory: drawMemory,
  start: drawStart,
  peers: drawPeers,
}

/** One file for each chart. */
export const files: readonly GeneratedFile[] = Object.entries(charts).map(([name, draw]) => ({
  path: `docs/images/bench-${name}.svg`,
  render: () => renderBarChart(draw(name)),
}))

function drawRefresh(name: string): BarChart {
  const results = readResults(name)
  const rows = results.rows.filter((row) => isOurNode(row['node']))
  const groups = [...groupBy(rows, (row) => numberOf(row, 'sessions'))].map(([sessions, own]) => ({
    heading: `${formatNumber(sessions)} sessions in the database`,
    bars: own.map((row) => ({
      label: `${row['connections']} connections${row['server_cores'] === 2 ? ', two cores' : ''}`,
      value: numberOf(row, 'per_sec'),
      text: `${formatNumber(numberOf(row, 'per_sec'))}/s, median ${row['median_ms']} ms, p99 ${row['p99_ms']} ms`,
      tone: 'ours' as const,
    })),
  }))
  return {
    title: 'Refreshes per second',
    subtitle:
      'POST /api/token/refresh/ over HTTP, each one durable on disk (SQLite). Longer is better.',
    groups,
    notes: notesOf(results, spreadPercent(rows)),
    scaleByGroup: false,
  }
}

function drawRevocation(name: string): BarChart {
  const results = readResults(name)
  const rows = results.rows.filter((row) => numberOf(row, 'guards') >= 100)
  const groups = rows.map((row) => ({
    heading: `${formatNumber(numberOf(row, 'guards'))} guards, ${formatRate(numberOf(row, 'per_sec'))}`,
    bars: [
      bar('median', row, 'median_ms', 'ms', 'ours'),
      bar('99th percentile', row, 'p99_ms', 'ms', 'second'),
      bar('slowest', row, 'max_ms', 'ms', 'other'),
    ],
  }))
  const lost = rows.reduce((sum, row) => sum + numberOf(row, 'lost'), 0)
  const deliveries = rows.reduce((sum, row) => sum + numberOf(row, 'deliveries'), 0)
  return {
    title: 'From a revocation to its effect in every guard',
    subtitle:
      'Milliseconds from the request that revokes until a guard rejects. Shorter is better.',
    groups,
    notes: notesOf(
      results,
      `${formatNumber(deliveries)} deliveries, ${lost} lost. All guards connect to one authority.`,
    ),
    scaleByGroup: false,
  }
}

const ROUTE_BARS = [
  ['bare_per_sec', 'without a guard', 'second'],
  ['guard_per_sec', 'with the guard', 'ours'],
  ['own_per_sec', '', 'other'],
] as const

/** The usual JWT package of each framework. */
const ROUTE_PEERS: Readonly<Record<string, string>> = {
  express: 'express-jwt',
  fastify: '@fastify/jwt',
  hono: 'hono/jwt',
}

function drawRoute(name: string): BarChart {
  const results = readResults(name)
  const groups = results.rows.map((row) => ({
    heading: `${row['framework']}, ${row['alg']}`,
    bars: ROUTE_BARS.map(([key, label, tone]) =>
      bar(
        label === '' ? (ROUTE_PEERS[String(row['framework'])] ?? 'peer') : label,
        row,
        key,
        '/s',
        tone,
      ),
    ),
  }))
  return {
    title: 'Requests per second that a route keeps when it is guarded',
    subtitle:
      'Each token is sent many times, and the guard has verified it once. Longer is better.',
    groups,
    notes: notesOf(
      results,
      `Spread of the rounds: at most ± ${formatSpread(results.rows, 'spread')} of the median.`,
    ),
    scaleByGroup: false,
  }
}

const JWT_BARS = [
  ['ours', '@countersign/jwt', 'ours'],
  ['fast_jwt', 'fast-jwt', 'other'],
  ['jsonwebtoken', 'jsonwebtoken', 'other'],
  ['jose_1', 'jose', 'other'],
  ['jose_16', 'jose, 16 at once', 'other'],
] as const

function drawJwt(what: 'sign' | 'verify'): BarChart {
  const results = readResults('jwt')
  const rows = results.rows.filter((row) => isOurNode(row['node']) && row['what'] === what)
  const groups = rows.map((row) => ({
    heading: String(row['alg']),
    bars: JWT_BARS.filter(([key]) => typeof row[key] === 'number').map(([key, label, tone]) =>
      bar(label, row, key, '/s', tone),
    ),
  }))
  return {
    title: what === 'verify' ? 'Tokens verified per second' : 'Tokens signed per second',
    subtitle:
      'Bars compare within an algorithm. jose works in threads: 16 at once use both cores. Longer is better.',
    groups,
    notes: notesOf(
      results,
      `Half of the rounds are within ± ${formatSpread(rows, 'spread')} of the median.`,
    ),
    scaleByGroup: true,
  }
}

function drawMemory(name: string): BarChart {
  const results = readResults(name)
  const rows = results.rows.filter((row) => row['pages'] === 'as they come')
  const label = (row: Row): string => `${formatNumber(numberOf(row, 'entries'))} entries`
  return {
    title: 'Revocations in the memory of a guard',
    subtitle:
      'A guard keeps each revocation as long as a token from before it can live. Shorter is better.',
    groups: [
      {
        heading: 'Memory of the tables',
        bars: rows.map((row) => bar(label(row), row, 'tables_mib', 'MiB', 'ours')),
      },
      {
        heading: 'Time of a look-up that finds nothing, as for most tokens',
        bars: rows.map((row) => bar(label(row), row, 'miss_ns', 'ns', 'second')),
      },
    ],
    notes: notesOf(results, 'One run. Transparent huge pages as the system sets them.'),
    scaleByGroup: true,
  }
}

function drawStart(name: string): BarChart {
  const results = readResults(name)
  return {
    title: 'Start of the authority',
    subtitle: 'From the command to the first answer. Shorter is better.',
    groups: [
      {
        heading: 'Time',
        bars: results.rows.map((row) => bar(String(row['what']), row, 'start_ms', 'ms', 'ours')),
      },
      {
        heading: 'Memory when idle',
        bars: results.rows.map((row) => bar(String(row['what']), row, 'idle_mb', 'MB', 'second')),
      },
    ],
    notes: notesOf(results, spreadPercent(results.rows)),
    scaleByGroup: true,
  }
}

/** The operations of `npm run bench -- peers`, with their headings. */
const PEER_GROUPS = {
  refresh: 'Refresh, or renewal of the session',
  login: 'Login with the default password hash',
  'protected route': 'Protected route',
} as const

function drawPeers(name: string): BarChart {
  const results = readResults(name)
  const groups = Object.entries(PEER_GROUPS).map(([operation, heading]) => ({
    heading,
    bars: results.rows.filter((row) => row['operation'] === operation).map(barOfPeer),
  }))
  return {
    title: 'Compared with other projects, on one core each',
    subtitle: 'Requests per second over HTTP. Bars compare within an operation. Longer is better.',
    groups,
    notes: notesOf(results, spreadPercent(results.rows)),
    scaleByGroup: true,
  }
}

function barOfPeer(row: Row): Bar {
  const system = String(row['system'])
  const tone = system === 'countersign' ? 'ours' : 'other'
  const { text, ...drawn } = bar(system, row, 'per_sec', '/s', tone)
  return { ...drawn, text: row['variant'] === '' ? text : `${text}, ${row['variant']}` }
}

function bar(label: string, row: Row, key: string, unit: string, tone: Bar['tone']): Bar {
  const value = numberOf(row, key)
  return {
    label,
    value,
    text: `${formatNumber(value)}${unit.startsWith('/') ? '' : ' '}${unit}`,
    tone,
  }
}

function readResults(name: string): Results {
  // `npm run bench` wrote it. `numberOf` checks the members of its rows.
  return JSON.parse(readFileSync(resolve(root, `bench/results/${name}.json`), 'utf8')) as Results
}

function numberOf(row: Row, key: string): number {
  const value = row[key]
  if (typeof value !== 'number') throw new TypeError(`a result has no number "${key}"`)
  return value
}

function isOurNode(version: unknown): boolean {
  return String(version).replace(/^v/, '').startsWith(`${NODE_MAJOR}.`)
}

function notesOf({ machine, measuredAt }: Results, spread: string): string[] {
  const { cpu, cores, memoryGib, node } = machine
  return [
    `${cpu.replaceAll('(R)', '')}, ${cores} cores, ${memoryGib} GiB, Node ${node.replace(/^v/, '')}, ${measuredAt.slice(0, 10)}.`,
    spread,
  ]
}

function spreadPercent(rows: readonly Row[]): string {
  const most = Math.max(...rows.map((row) => numberOf(row, 'spread_percent')))
  return `Spread of the rounds: at most ± ${Math.round(most)} % of the median.`
}

/** Returns the largest spread of the rows that have it, as a fraction of their median. */
function formatSpread(rows: readonly Row[], key: string): string {
  return `${Math.round(100 * Math.max(...rows.map((row) => numberOf(row, key))))} %`
}

function formatRate(perSec: number): string {
  return `${formatNumber(perSec)} ${perSec === 1 ? 'revocation' : 'revocations'} per second`
}

/** Formats a number with a comma between thousands, and no more digits than the benchmark has measured. */
function formatNumber(value: number): string {
  const [whole = '', fraction] = String(value).split('.')
  const grouped = whole.replaceAll(/\B(?=(\d{3})+$)/g, ',')
  return fraction === undefined ? grouped : `${grouped}.${fraction}`
}
