import type { ChildProcess } from 'node:child_process'
import { parseArgs } from 'node:util'

import { systemClock } from '../packages/server/src/base/clock.ts'
import { openStore, type StoreSettings } from '../packages/server/src/store/open.ts'
import { ask, createGuardsClient, sleep, startChild, type Credentials } from './lib/children.ts'
import { HttpConnection } from './lib/http-connection.ts'
import { report, round, type Row } from './lib/report.ts'
import { openSite, type Site } from './lib/revocation-site.ts'
import type { SeededPair } from './lib/seed.ts'
import { pinSelf } from './lib/server.ts'

/**
 * Measures the time from a committed revocation to the first refusal of each guard. At most ten complete
 * guards run in separate processes, each with a token of every session. The others are connections that share
 * one signature check in each process. The authority has one core. All guards and the clients that log out
 * share the other. Revocations of the first seconds are not counted, because a dozen processes compile their
 * code then.
 *
 * With `--nodes N`, the guards are spread over several nodes on one PostgreSQL, and everything shares all cores.
 */

const COMPLETE_MAX = 10
const FEED_PROCESSES = 2
const SETTLE_MS = 1_500
const WARM_SEC = 2
const CALM_MS = 200
/** A logout that is answered 503 is repeated after this time. */
const BUSY_MS = 250
/** Answers 503 of the present case. */
let busy = 0

/**
 * The rate of the figures of several nodes. At 50 a second, three nodes, PostgreSQL, the guards and the clients need more
 * than the two cores of the machine.
 */
const NODES_PER_SEC = 10

const { values, positionals } = parseArgs({
  options: { quick: { type: 'boolean' }, nodes: { type: 'string' } },
  allowPositionals: true,
})
const seconds = values.quick === true ? 3 : 8
/** `--nodes 3`: this many nodes on one PostgreSQL. Undefined: one authority with the embedded store. */
const nodeCount = values.nodes === undefined ? undefined : Number(values.nodes)
/** `npm run bench -- revocation 1 50`: only this number of guards, with this many revocations a second. */
const [onlyGuards, onlyPerSec] = positionals.map(Number)
const allGuards = nodeCount === undefined ? [1, 100, 1_000] : [1_000]
const allPerSec = nodeCount === undefined ? [1, 50, 1_000] : [1, 50, NODES_PER_SEC]
const cases = (onlyGuards === undefined ? allGuards : [onlyGuards]).flatMap((guards) =>
  (onlyPerSec === undefined ? allPerSec : [onlyPerSec]).map((perSec) => ({ guards, perSec })),
)

interface Case {
  readonly guards: number
  readonly perSec: number
}

// Nodes and their database share all cores with the guards.
if (nodeCount === undefined) pinSelf(1)
const rows: Row[] = []
for (const each of cases) rows.push(await measure(each))
const largest = rows.at(-1)
const figures = { max_ms: Number(largest?.['max_ms']), p99_ms: Number(largest?.['p99_ms']) }
if (nodeCount === undefined) {
  report('revocation', rows, {
    revocation_max_ms: figures.max_ms,
    revocation_p99_ms: figures.p99_ms,
  })
} else {
  report('revocation-nodes', rows, {
    revocation_nodes_max_ms: figures.max_ms,
    revocation_nodes_p99_ms: figures.p99_ms,
  })
}

async function measure({ guards, perSec }: Case): Promise<Row> {
  const warm = perSec * WARM_SEC
  const revocations = warm + Math.max(4, perSec * seconds)
  busy = 0
  await using site = await openSite(revocations, nodeCount)
  const { issuer, urls, pairs } = site
  const credentials = await createGuardsClient(site.settings)
  const complete = Math.min(guards, COMPLETE_MAX)
  const services = await Promise.all(
    Array.from({ length: complete }, (_, index) =>
      startChild('revocation-guard.ts', {
        issuer,
        ...credentials,
        url: urls[index % urls.length],
        tokens: pairs.map(({ access }) => access),
      }),
    ),
  )
  const feeds = await startFeeds(site, credentials, guards - complete)
  await logOutAll(site, pairs.slice(0, warm), perSec)
  // Deliveries under way belong to earlier writes. Only later ones count.
  await sleep(CALM_MS)
  const countFrom = Date.now()
  for (const feed of feeds) feed.send({ countFrom })
  await sleep(CALM_MS)
  const cpuBefore = site.cpuSec()
  const started = performance.now()
  await logOutAll(site, pairs.slice(warm), perSec)
  const elapsedSec = (performance.now() - started) / 1000
  const cpu = (site.cpuSec() - cpuBefore) / elapsedSec
  await sleep(SETTLE_MS)
  return collect(site, { guards, perSec, warm, services, feeds, cpu, elapsedSec })
}

interface Measured extends Case {
  /** How many of the first revocations are not counted. */
  readonly warm: number
  readonly services: readonly ChildProcess[]
  readonly feeds: readonly ChildProcess[]
  readonly cpu: number
  readonly elapsedSec: number
}

async function collect(site: Site, measured: Measured): Promise<Row> {
  const { pairs } = site
  const { guards, perSec, warm, services, feeds, cpu, elapsedSec } = measured
  const counted = pairs.length - warm
  const committedAt = await readCommits(site.settings)
  const histogram = new Map<number, number>()
  let delivered = 0
  const count = (ms: number, times: number): void => {
    histogram.set(ms, (histogram.get(ms) ?? 0) + times)
    delivered += times
  }
  for (const service of services) {
    const { refusedAt } = await ask<{ refusedAt: number[] }>(service)
    for (const [index, { sid }] of pairs.entries()) {
      if (index < warm) continue
      const [at, from] = [refusedAt[index] ?? 0, committedAt.get(sid)]
      if (at !== 0 && from !== undefined) count(at - from, 1)
    }
  }
  for (const feed of feeds) {
    const result = await ask<{ histogram: [number, number][] }>(feed)
    for (const [ms, times] of result.histogram) count(ms, times)
  }
  const at = (share: number): number => quantileOf(histogram, delivered, share)
  return {
    ...(nodeCount === undefined ? {} : { nodes: nodeCount }),
    guards,
    per_sec: perSec,
    reached_per_sec: round(counted / elapsedSec),
    median_ms: at(0.5),
    p99_ms: at(0.99),
    max_ms: at(1),
    deliveries: delivered,
    lost: guards * counted - delivered,
    busy,
    authority_cpu_percent: Math.round(cpu * 100),
  }
}

function quantileOf(histogram: ReadonlyMap<number, number>, total: number, share: number): number {
  let seen = 0
  const sorted = [...histogram].toSorted(([a], [b]) => a - b)
  for (const [ms, times] of sorted) {
    seen += times
    if (seen >= total * share) return ms
  }
  return sorted.at(-1)?.[0] ?? 0
}

async function startFeeds(
  { issuer, urls }: Site,
  { clientId, clientSecret }: Credentials,
  connections: number,
): Promise<readonly ChildProcess[]> {
  if (connections === 0) return []
  const authorization = `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`
  return Promise.all(
    Array.from({ length: FEED_PROCESSES }, (_, index) =>
      startChild('revocation-feeds.ts', {
        issuer,
        urls: urls.map((url) => `${url.replace('http', 'ws')}/revocations/feed`),
        authorization,
        connections: Math.floor((connections + index) / FEED_PROCESSES),
      }),
    ),
  )
}

/** Logs out one session after the other, at this rate. */
async function logOutAll(
  { ports }: Site,
  pairs: readonly SeededPair[],
  perSec: number,
): Promise<void> {
  const lanes = Math.min(16, pairs.length)
  const started = performance.now()
  await Promise.all(
    Array.from({ length: lanes }, async (_, lane) => {
      const connection = await HttpConnection.open(ports[lane % ports.length] ?? 0)
      for (let index = lane; index < pairs.length; index += lanes) {
        await sleep(started + (index * 1000) / perSec - performance.now())
        const body = JSON.stringify({ refresh: pairs[index]?.refresh })
        for (;;) {
          const { status } = await connection.post('/api/token/blacklist/', body)
          if (status === 200) break
          if (status !== 503) throw new Error(`a logout answered ${status}`)
          busy += 1
          await sleep(BUSY_MS)
        }
      }
      connection.close()
    }),
  )
}

async function readCommits(settings: StoreSettings): Promise<ReadonlyMap<string, number>> {
  const store = await openStore(settings, { exclusive: false, clock: systemClock })
  const { entries } = await store.revocations.tail(0, -1)
  await store.close()
  return new Map(entries.map(({ subject, at }) => [subject, at]))
}
