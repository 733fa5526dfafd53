import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { Redis } from 'ioredis'

import { freePort } from '../../scripts/lib/processes.ts'

/** A real Redis that stores nothing on disk. */
export interface RunningRedis extends AsyncDisposable {
  readonly url: string
  readonly port: number
  /** A client for the test. */
  readonly client: Redis
  /** Kills it and starts an empty Redis on the same port. */
  kill(): Promise<void>
  start(): Promise<void>
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void
}

// An absolute path: PATH may contain another Redis.
const REDIS_SERVER = '/usr/bin/redis-server'

export async function startRedis(): Promise<RunningRedis> {
  const port = await freePort()
  const dir = mkdtempSync(join(tmpdir(), 'countersign-redis-'))
  const url = `redis://127.0.0.1:${port}/0`
  const client = new Redis(url, { lazyConnect: true, retryStrategy: () => 50 })
  client.on('error', () => {})
  let child: ReturnType<typeof spawn>
  let ended: Promise<void>

  async function start(): Promise<void> {
    const settings = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', dir]
    child = spawn(REDIS_SERVER, settings, { stdio: 'ignore' })
    ended = new Promise((resolve) => child.once('exit', () => resolve()))
    for (let tries = 0; tries < 2_400; tries++) {
      const answer = await client.ping().catch(() => undefined)
      if (answer === 'PONG') return
      await sleep(25)
    }
    throw new Error('Redis did not start')
  }
  async function kill(): Promise<void> {
    child.kill('SIGKILL')
    await ended
  }

  await start()
  return {
    url,
    port,
    client,
    kill,
    start,
    signal: (signal) => child.kill(signal),
    async [Symbol.asyncDispose]() {
      client.disconnect()
      await kill()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
