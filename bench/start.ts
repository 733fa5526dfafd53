import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { freePort } from '../scripts/lib/processes.ts'
import { report, round, type Row } from './lib/report.ts'
import { LAUNCHER } from './lib/server.ts'
import { median, spread } from './lib/statistics.ts'

/** Measures the time from the start of the process to its first answer, and its memory when idle. */

const RUNS = 15
const IDLE_MS = 3_000
const POLL_MS = 2

const rows: Row[] = []
await measure('first start', () => undefined)
const later = await measure('later start', (dataDir) => startOnce(dataDir))
report('start', rows, { idle_mb: round(later.memoryMb), start_ms: round(later.startMs) })

async function measure(
  what: string,
  prepare: (dataDir: string) => unknown,
): Promise<{ startMs: number; memoryMb: number }> {
  const times: number[] = []
  const memory: number[] = []
  for (let i = 0; i < RUNS; i += 1) {
    const dataDir = mkdtempSync(join(tmpdir(), 'countersign-bench-'))
    await prepare(dataDir)
    const run = await startOnce(dataDir, { idle: i < 3 })
    times.push(run.startMs)
    if (run.memoryMb > 0) memory.push(run.memoryMb)
    rmSync(dataDir, { recursive: true, force: true })
  }
  rows.push({
    what,
    start_ms: round(median(times)),
    spread_percent: round(spread(times) * 100),
    idle_mb: round(median(memory)),
  })
  return { startMs: median(times), memoryMb: median(memory) }
}

async function startOnce(
  dataDir: string,
  options: { idle: boolean } = { idle: false },
): Promise<{ startMs: number; memoryMb: number }> {
  const port = await freePort()
  const started = performance.now()
  const child = spawn(process.execPath, [LAUNCHER, 'start'], {
    cwd: dataDir,
    env: { ...process.env, PORT: String(port), COUNTERSIGN_DATA_DIR: dataDir },
    stdio: 'ignore',
  })
  const ended = new Promise((resolve) => child.once('close', resolve))
  while (!(await answers(port))) await sleep(POLL_MS)
  const startMs = performance.now() - started
  if (options.idle) await sleep(IDLE_MS)
  const status = readFileSync(`/proc/${child.pid}/status`, 'utf8')
  const memoryMb = options.idle ? (Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024) / 1e6 : 0
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
