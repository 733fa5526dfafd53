import { spawn, type ChildProcess } from 'node:child_process'
import { createServer, type AddressInfo } from 'node:net'

/** Returns a port of 127.0.0.1 that is free now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo
      probe.close(() => resolve(port))
    })
  })
}

export interface Started extends AsyncDisposable {
  readonly child: ChildProcess
  output(): string
}

export interface StartOptions {
  readonly command: readonly string[]
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  /** A URL that answers with a status below 500 when the program is ready. */
  readonly readyUrl: string
}

/** A busy machine may need much longer than the usual second. */
const READY_MS_MAX = 60_000
const READY_WAIT_MS = 25

/**
 * Starts a server program and waits at most a minute until it answers. Otherwise throws an error with its output.
 */
export async function startProgram(options: StartOptions): Promise<Started> {
  const [program = '', ...args] = options.command
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: { PATH: process.env['PATH'], ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const collect = (chunk: Buffer): void => {
    output += chunk.toString()
  }
  child.stdout.on('data', collect)
  child.stderr.on('data', collect)
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const kill = (): boolean => child.kill('SIGKILL')
  process.once('exit', kill)
  child.once('exit', () => process.off('exit', kill))
  const started: Started = {
    child,
    output: () => output,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      await ended
    },
  }
  const late = performance.now() + READY_MS_MAX
  while (performance.now() < late && child.exitCode === null) {
    try {
      if ((await fetch(options.readyUrl)).status < 500) return started
    } catch {
      // The program does not listen yet.
    }
    await new Promise((resolve) => setTimeout(resolve, READY_WAIT_MS))
  }
  await started[Symbol.asyncDispose]()
  throw new Error(`${program} ${args.join(' ')} did not become ready:\n${output}`)
}
