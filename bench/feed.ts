import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { ChildProcess } from 'node:child_process'
import { join } from 'node:path'

import { ask, createGuardsClient, sleep, startChild } from './lib/children.ts'
import { HttpConnection } from './lib/http-connection.ts'
import { report, round, type Row } from './lib/report.ts'
import { currentPairs, seedSessions } from './lib/seed.ts'
import { pinSelf, startServer, type BenchServer } from './lib/server.ts'

/**
 * Opens the revocation feeds of ten thousand guards on one authority with one core, and keeps them open. It
 * counts the guards that hold a lease after 60 s. Then it measures, while sessions are logged out, the oldest
 * lease that any guard reached before its renewal, and the longest stall of the authority's event loop. The
 * guards share the other core. They are real connections, but check no signatures.
 */

const PROCESSES = 2
const OPEN_MS = 60_000
const LOGOUTS_PER_SEC = 1

const quick = process.argv.includes('--quick')
const guards = Number(process.argv.find((each) => /^\d+$/.test(each)) ?? 10_000)
const holdSec = quick ? 10 : 30

interface Report {
  readonly open: number
  readonly lost: number
  readonly leaseAgeMaxMs: number
  readonly echoMaxMs: number
  readonly echoes: number
  readonly askMs: number
}

pinSelf(1)
const logouts = holdSec * LOGOUTS_PER_SEC
const dataDir = await seedSessions(logouts)
try {
  const delays = join(dataDir, 'loop-delay')
  writeFileSync(delays, '')
  const { clientId, clientSecret } = await createGuardsClient({ dataDir })
  const module = join(import.meta.dirname, 'lib/loop-delay.ts')
  await using server = await startServer({
    node: process.execPath,
    dataDir,
    cores: '0',
    probe: { module, env: { LOOP_DELAY_FILE: delays } },
  })
  const url = `ws://localhost:${server.port}/revocations/feed`
  const authorization = `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`
  const cpuBefore = server.cpuSec()
  const started = performance.now()
  const children = await Promise.all(
    Array.from({ length: PROCESSES }, (_, index) =>
      startChild('feed-guards.ts', {
        url,
        authorization,
        guards: Math.floor((guards + index) / PROCESSES),
      }),
    ),
  )
  const opening = await untilOpen(children, started)
  const openingCpuSec = round(server.cpuSec() - cpuBefore)
  const opened = readFileSync(delays, 'utf8').split('\n').length
  for (const child of children) child.send('count')
  const row = await hold(server, children)
  const stalls = readFileSync(delays, 'utf8').trim().split('\n').map(Number)
  const stallMs = Math.max(...stalls.slice(1))
  report(
    'feed',
    [
      {
        guards,
        ...opening,
        opening_cpu_sec: openingCpuSec,
        ...row,
        loop_stall_max_ms: stallMs,
        while_opening_ms: Math.max(...stalls.slice(1, opened)),
      },
    ],
    {
      feed_guards_open_in_60s: Number(opening['open_in_60s']),
      feed_lease_age_max_ms: Number(row['lease_age_max_ms']),
      feed_loop_stall_max_ms: stallMs,
    },
  )
} finally {
  rmSync(dataDir, { recursive: true, force: true })
}

async function untilOpen(children: readonly ChildProcess[], started: number): Promise<Row> {
  for (;;) {
    const { open } = await sum(children)
    const elapsedMs = performance.now() - started
    if (open >= guards || elapsedMs >= OPEN_MS) {
      return { open_in_60s: open, opened_after_sec: round(elapsedMs / 1000) }
    }
    await sleep(Math.min(250, OPEN_MS - elapsedMs))
  }
}

/** Keeps the feeds open while sessions end. */
async function hold(server: BenchServer, children: readonly ChildProcess[]): Promise<Row> {
  const issuer = `http://localhost:${server.port}`
  const pairs = await currentPairs(dataDir, issuer, logouts)
  const connection = await HttpConnection.open(server.port)
  const cpuBefore = server.cpuSec()
  const started = performance.now()
  for (const [index, { refresh }] of pairs.entries()) {
    await sleep(started + (index * 1000) / LOGOUTS_PER_SEC - performance.now())
    const { status } = await connection.post('/api/token/blacklist/', JSON.stringify({ refresh }))
    if (status !== 200) throw new Error(`a logout answered ${status}`)
  }
  const elapsedSec = (performance.now() - started) / 1000
  const cpu = (server.cpuSec() - cpuBefore) / elapsedSec
  connection.close()
  const { open, lost, leaseAgeMaxMs, echoMaxMs, echoes, askMs } = await sum(children, 'end')
  return {
    open_at_end: open,
    lost,
    ask_ms: askMs,
    echoes_per_sec: Math.round(echoes / elapsedSec),
    echo_max_ms: Math.round(echoMaxMs),
    lease_age_max_ms: Math.round(leaseAgeMaxMs),
    authority_cpu_percent: Math.round(cpu * 100),
    authority_mb: Math.round(server.memoryMb()),
  }
}

async function sum(
  children: readonly ChildProcess[],
  question: 'report' | 'end' = 'report',
): Promise<Report> {
  const reports = await Promise.all(children.map((child) => ask<Report>(child, question)))
  return {
    open: reports.reduce((total, { open }) => total + open, 0),
    lost: reports.reduce((total, { lost }) => total + lost, 0),
    echoes: reports.reduce((total, { echoes }) => total + echoes, 0),
    leaseAgeMaxMs: Math.max(...reports.map((each) => each.leaseAgeMaxMs)),
    echoMaxMs: Math.max(...reports.map((each) => each.echoMaxMs)),
    askMs: Math.max(...reports.map((each) => each.askMs)),
  }
}
