import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { launcher } from './support/command-line.ts'
import { ADMIN, freePort } from './support/server-process.ts'

let dataDir: string
let children: ChildProcess[] = []
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'countersign-log-'))
})
afterEach(() => {
  for (const child of children) child.kill('SIGKILL')
  children = []
  rmSync(dataDir, { recursive: true, force: true })
})

interface Started {
  readonly url: string
  readonly child: ChildProcess
  readonly ended: Promise<number | null>
}

/** Starts a server whose outputs go to `stdout` and `stderr`, and waits until it answers. */
async function start(
  stdout: number | 'pipe' | 'ignore',
  stderr: number | 'pipe',
  env: Readonly<Record<string, string>> = {},
): Promise<Started> {
  const port = await freePort()
  const child = spawn(launcher[0], [launcher[1], 'start'], {
    cwd: tmpdir(),
    env: {
      PATH: process.env['PATH'],
      PORT: String(port),
      COUNTERSIGN_DATA_DIR: dataDir,
      COUNTERSIGN_ADMIN_PASSWORD: ADMIN.password,
      ...env,
    },
    stdio: ['ignore', stdout, stderr],
  })
  children.push(child)
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
  const url = `http://127.0.0.1:${port}`
  await expect.poll(() => statusOf(`${url}/readyz`), { timeout: 30_000 }).toBe(200)
  return { url, child, ended }
}

async function statusOf(url: string): Promise<number | undefined> {
  try {
    return (await fetch(url)).status
  } catch {
    return undefined
  }
}

async function stop({ child, ended }: Started): Promise<number | null> {
  child.kill('SIGTERM')
  return ended
}

describe.skipIf(!existsSync('/dev/full'))('on a full disk', () => {
  test('the server answers requests, and stops', { timeout: 60_000 }, async () => {
    const full = openSync('/dev/full', 'w')
    const server = await start(full, full)
    closeSync(full)
    expect(await statusOf(`${server.url}/healthz`)).toBe(200)
    expect(await stop(server)).toBe(0)
  })

  test('a command whose output is lost fails', { timeout: 60_000 }, async () => {
    const full = openSync('/dev/full', 'w')
    const child = spawn(launcher[0], [launcher[1], '--version'], {
      stdio: ['ignore', full, 'pipe'],
    })
    closeSync(full)
    let errors = ''
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (errors += text))
    expect(await new Promise((resolve) => child.once('close', resolve))).toBe(1)
    expect(errors).toContain('The output could not be written: ENOSPC')
  })
})

test('with closed pipes, the server answers requests, and stops', { timeout: 60_000 }, async () => {
  const server = await start('pipe', 'pipe')
  server.child.stdout?.destroy()
  server.child.stderr?.destroy()
  for (let i = 0; i < 3; i += 1) expect(await statusOf(`${server.url}/healthz`)).toBe(200)
  expect(await stop(server)).toBe(0)
})

test('a full pipe does not keep the server from stopping', { timeout: 60_000 }, async () => {
  // The server logs a line for each of these origins: 400 kB, more than a pipe or a socket holds.
  const origins = Array.from({ length: 3_000 }, (_, n) => `https://app-${n}.example`)
  const env = { COUNTERSIGN_ORIGINS: origins.join(',') }
  const server = await start('ignore', 'pipe', env)
  expect(await statusOf(`${server.url}/healthz`)).toBe(200)
  expect(await stop(server)).toBe(0)
})

test('a file gets every line', { timeout: 60_000 }, async () => {
  const path = join(dataDir, 'log')
  const file = openSync(path, 'a')
  const server = await start('ignore', file)
  closeSync(file)
  expect(await stop(server)).toBe(0)
  const events = readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { event?: string }).event)
  expect(events).toEqual(['started', 'stopping', 'stopped'])
})

const FLOOD = `
  import { setTimeout as sleep } from 'node:timers/promises'
  const { createLogger } = await import(process.argv[1])
  const logger = createLogger('info')
  const text = 'x'.repeat(1_000)
  process.on('message', () => void logger.info({ event: 'after' }))
  for (let n = 0; n < 100_000; n += 1) {
    logger.info({ event: 'line', text })
    if (n % 1_000 === 0) await sleep(0)
  }
  process.send(process.memoryUsage().rss)
`

test('a pipe that nobody reads costs lines, not memory', { timeout: 60_000 }, async () => {
  const logger = new URL('../src/base/logger.ts', import.meta.url).href
  const child = spawn(process.execPath, ['--input-type=module', '--eval', FLOOD, logger], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  children.push(child)
  const rssBytes = await new Promise<number>((resolve) =>
    child.once('message', (bytes) => resolve(Number(bytes))),
  )
  // The program logged 100 MB. Node itself takes 50 MB to 100 MB.
  expect(rssBytes).toBeLessThan(150 * 2 ** 20)

  let output = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (output += text))
  await expect.poll(() => output, { timeout: 20_000 }).toContain('log_lines_lost')
  child.send('continue')
  await expect.poll(() => output, { timeout: 20_000 }).toContain('"event":"after"')
  child.disconnect()
  const lines = output
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { event: string; lines?: number })
  const written = lines.filter(({ event }) => event === 'line').length
  const lost = lines.reduce((sum, { lines: lostLines = 0 }) => sum + lostLines, 0)
  expect(written).toBeGreaterThan(0)
  expect(written + lost).toBe(100_000)
})
