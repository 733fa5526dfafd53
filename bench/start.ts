import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { freePort } from '../scripts/lib/processes.ts'
import { report, round, type Row } from './lib/report.ts'
import { LAUNCHER } from './lib/server.ts'
import { median, spread } from './lib/statistics.ts'

/**
 * Measures the time from the start of the process to its first answer, and its memory when idle. A bare HTTP server on
 * the same Node runs in turn with it, because the speed of a machine changes from second to second.
 */

const RUNS = 15
const IDLE_MS = 3_000
const POLL_MS = 2

interface Run {
  readonly startMs: number
  readonly memoryMb: number
}

const BARE = `require('node:http')
  .createServer((_, answer) => answer.end('ok'))
  .listen(process.env.PORT, '127.0.0.1')`

const measured = { bare: [] as Run[], first: [] as Run[], later: [] as Run[] }
for (let i = 0; i < RUNS; i += 1) {
  const dataDir = mkdtempSync(join(tmpdir(), 'countersign-bench-'))
  const idle = i < 3
  measured.bare.push(await startOnce(dataDir, ['-e', BARE], idle))
  measured.first.push(await startOnce(dataDir, [LAUNCHER, 'start'], idle))
  measured.later.push(await startOnce(dataDir, [LAUNCHER, 'start'], idle))
  rmSync(dataDir, { recursive: true, force: true })
}
const [bare, first, later] = [measured.bare, measured.first, measured.later].map(summaryOf)
const rows: Row[] = [
  { what: 'first start', ...first },
  { what: 'later start', ...later },
  { what: 'bare Node', ...bare },
]
report('start', rows, {
  idle_mb: later!.idle_mb,
  start_ms: later!.start_ms,
  start_of_bare_node: round(later!.start_ms / bare!.start_ms),
})

function summaryOf(runs: readonly Run[]): {
  start_ms: number
  spread_percent: number
  idle_mb: number
} {
  const times = runs.map(({ startMs }) => startMs)
  const memory = runs.map(({ memoryMb }) => memoryMb).filter((each) => each > 0)
  return {
    start_ms: round(median(times)),
    spread_percent: round(spread(times) * 100),
    idle_mb: round(median(memory)),
  }
}

async function startOnce(dataDir: string, words: readonly string[], idle: boolean): Promise<Run> {
  const port = await freePort()
  const started = performance.now()
  const child = spawn(process.execPath, words, {
    cwd: dataDir,
    env: { ...process.env, PORT: String(port), COUNTERSIGN_DATA_DIR: dataDir },
    stdio: 'ignore',
  })
  const ended = new Promise((resolve) => child.once('close', resolve))
  while (!(await answers(port))) await sleep(POLL_MS)
  const startMs = performance.now() - started
  if (idle) await sleep(IDLE_MS)
  const status = readFileSync(`/proc/${child.pid}/status`, 'utf8')
  const memoryMb = idle ? (Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024) / 1e6 : 0
  child.kill('SIGTERM')
  await ended
  return { startMs, memoryMb }
}

async function answers(port: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${port}/readyz`)).ok
  } catch {
    return false
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
