import { spawn, type ChildProcess } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'

/**
 * Returns a port of 127.0.0.1 that nobody else takes before a server of this process or of its children listens on it.
 * The port is below those that systems give to outgoing connections. Until this process ends, its UDP port of the same
 * number is taken, which tells other processes that call this function.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    const port = randomInt(FIRST_PORT, PORTS_END)
    if (await claim(port)) return port
  }
  throw new Error(`No port from ${FIRST_PORT} to ${PORTS_END - 1} is free.`)
}

/** Linux gives outgoing connections ports from 32768, other systems from 49152. */
const FIRST_PORT = 20_000
const PORTS_END = 32_768
const TRIES_MAX = 1_000

/** Takes the UDP port. Returns false if it is taken, or if a server listens on the TCP port. */
async function claim(port: number): Promise<boolean> {
  const claimed = createSocket('udp4').unref()
  try {
    claimed.bind({ port, address: '127.0.0.1', exclusive: true })
    await once(claimed, 'listening')
    const probe = createServer().listen(port, '127.0.0.1')
    await once(probe, 'listening')
    probe.close()
    await once(probe, 'close')
    return true
  } catch {
    claimed.close()
    return false
  }
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
