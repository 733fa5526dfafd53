import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { freePort } from '../../../../scripts/lib/processes.ts'

const LAUNCHER = fileURLToPath(new URL('../../bin/countersign.cjs', import.meta.url))

export const ADMIN = { username: 'admin', password: 'a long test password' } as const

export { freePort }

export interface ServerProcess extends AsyncDisposable {
  readonly url: string
  readonly dataDir: string
  readonly child: ChildProcess
  /** Its whole output so far. */
  output(): string
  /** Sends a signal, waits for the end and returns the exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>
}

export interface ServerProcessOptions {
  readonly env?: Readonly<Record<string, string>>
  /** Uses the data of an earlier server, and keeps it at the end. */
  readonly dataDir?: string
  readonly port?: number
  /** The path that answers 200 when the server has started. Default: `/readyz`. */
  readonly until?: string
}

/** Starts `countersign start` as a process and waits until it answers. */
export async function startServerProcess(
  options: ServerProcessOptions = {},
): Promise<ServerProcess> {
  const port = options.port ?? (await freePort())
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'countersign-test-'))
  let output = ''
  const child = spawn(process.execPath, [LAUNCHER, 'start'], {
    cwd: tmpdir(),
    env: {
      PATH: process.env['PATH'],
      PORT: String(port),
      COUNTERSIGN_DATA_DIR: dataDir,
      COUNTERSIGN_ADMIN_PASSWORD: ADMIN.password,
      COUNTERSIGN_ARGON2_MEMORY_KIB: '8192',
      COUNTERSIGN_ARGON2_PASSES: '1',
      COUNTERSIGN_THROTTLE: 'off',
      ...options.env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)))
  const kill = (): boolean => child.kill('SIGKILL')
  process.once('exit', kill)
  child.once('exit', () => process.off('exit', kill))
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8')
    stream.on('data', (text: string) => (output += text))
  }
  const url = `http://127.0.0.1:${port}`
  await untilReady(
    `${url}${options.until ?? '/readyz'}`,
    () => child.exitCode ?? child.signalCode,
    () => output,
  )
  return {
    url,
    dataDir,
    child,
    output: () => output,
    stop(signal = 'SIGTERM') {
      child.kill(signal)
      return ended
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await ended
      if (options.dataDir === undefined) rmSync(dataDir, { recursive: true, force: true })
    },
  }
}

/** A busy machine may need much longer than the usual second. */
const READY_MS_MAX = 60_000

async function untilReady(url: string, ended: () => unknown, output: () => string): Promise<void> {
  const late = performance.now() + READY_MS_MAX
  while (performance.now() < late && ended() === null) {
    try {
      if ((await fetch(url)).ok) return
    } catch {
      // Not listening yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  throw new Error(`The server did not become ready:\n${output()}`)
}
