import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

import { freePort, startProgram, type Started } from '../../scripts/lib/processes.ts'

const root = resolve(import.meta.dirname, '../..')
export const LAUNCHER = join(root, 'packages/server/bin/countersign.cjs')

export interface BenchServer extends Started {
  readonly port: number
  /** Returns the CPU time of the process in user and kernel mode, in seconds. */
  cpuSec(): number
  memoryMb(): number
}

/** Runs `countersign start` on a data directory, bound to cores if they are given, such as `0` or `0,1`. */
export async function startServer(options: {
  node: string
  dataDir: string
  cores?: string
  /** More settings. */
  env?: Readonly<Record<string, string>>
  /** A module that the process loads first. */
  probe?: { readonly module: string; readonly env: Readonly<Record<string, string>> }
}): Promise<BenchServer> {
  const port = await freePort()
  const pin = options.cores === undefined ? [] : ['taskset', '-c', options.cores]
  const probe = options.probe === undefined ? [] : ['--import', options.probe.module]
  const started = await startProgram({
    command: [...pin, options.node, ...probe, LAUNCHER, 'start'],
    cwd: options.dataDir,
    env: {
      PORT: String(port),
      COUNTERSIGN_DATA_DIR: options.dataDir,
      COUNTERSIGN_ADMIN_PASSWORD: 'only for benchmarks',
      COUNTERSIGN_LOG_LEVEL: 'error',
      // All load comes from one address and one account.
      COUNTERSIGN_THROTTLE: 'off',
      ...options.env,
      ...options.probe?.env,
    },
    readyUrl: `http://127.0.0.1:${port}/readyz`,
  })
  const pid = started.child.pid ?? 0
  return {
    ...started,
    port,
    cpuSec: () => readCpuSec(pid),
    memoryMb: () => readMemoryMb(pid),
  }
}

/** Returns the CPU time of a process, in seconds (proc(5): fields 14 and 15 of stat, in ticks of 10 ms). */
export function readCpuSec(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) / 100
}

function readMemoryMb(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return (Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024) / 1e6
}

/**
 * Returns how many microseconds one bare ES256 signature takes on this core now. Every refresh contains one.
 * On a shared machine it shows how fast the core was during the measurement.
 */
export function measureSignatureUs(node: string, core: number): number {
  const program = `
    const { generateKeyPairSync, sign } = require('node:crypto')
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const text = Buffer.alloc(560, 65)
    for (let i = 0; i < 5_000; i += 1) sign('sha256', text, privateKey)
    const before = performance.now()
    for (let i = 0; i < 20_000; i += 1) sign('sha256', text, privateKey)
    console.log((performance.now() - before) / 20)`
  return Number(execFileSync('taskset', ['-c', String(core), node, '-e', program]).toString())
}

/** Binds this process and its future children to one core. */
export function pinSelf(core: number): void {
  execFileSync('taskset', ['-a', '-c', '-p', String(core), String(process.pid)], {
    stdio: 'ignore',
  })
}
