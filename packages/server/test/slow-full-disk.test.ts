import { execFileSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { canMount } from './support/mounts.ts'
import { ADMIN, startServerProcess, type ServerProcess } from './support/server-process.ts'

let disk: string
const dataDir = (): string => join(disk, 'data')
const ballast = (): string => join(disk, 'ballast')
const freeBytes = (): number => statfsSync(disk).bavail * statfsSync(disk).bsize

/** Fills the disk, except for some bytes. */
function fill(exceptBytes = 0): void {
  const file = openSync(ballast(), 'w')
  try {
    while (freeBytes() > exceptBytes) writeSync(file, Buffer.alloc(4_096))
  } finally {
    closeSync(file)
  }
}

async function post(
  url: string,
  path: string,
  body: unknown,
): Promise<{ readonly status: number; readonly tokens: { access: string; refresh: string } }> {
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(`${url}${path}`, {
    method: 'POST',
    headers,
    body: JSON.stringify(body),
  })
  return { status: response.status, tokens: (await response.json()) as never }
}

const logIn = (url: string): ReturnType<typeof post> => post(url, '/api/token/', ADMIN)
const statusOf = async (url: string): Promise<number> => (await fetch(url)).status

/** The issuer of its tokens does not depend on the port. */
function start(until?: string): Promise<ServerProcess> {
  const env = { COUNTERSIGN_PUBLIC_URL: 'http://localhost:8000' }
  return startServerProcess({ dataDir: dataDir(), env, ...(until === undefined ? {} : { until }) })
}

/** Starts and stops a server, so that the database has its whole size. Returns the tokens of a session. */
async function prepare(): Promise<{ access: string; refresh: string }> {
  await using it = await start()
  const { tokens } = await logIn(it.url)
  expect(await it.stop()).toBe(0)
  return tokens
}

describe.skipIf(!canMount())('a full disk', () => {
  beforeEach(() => {
    disk = mkdtempSync(join(tmpdir(), 'countersign-full-'))
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m,mode=700', 'tmpfs', disk])
  })
  afterEach(() => {
    execFileSync('umount', ['--lazy', disk])
    rmSync(disk, { recursive: true, force: true })
  })

  test('room that the write-ahead log has used is used again', async () => {
    let { refresh } = await prepare()
    await using it = await start()
    fill(256 * 1024)
    // Each refresh needs about 8 KiB of the log, so the room is enough for 32 of them.
    let failures = 0
    for (let n = 0; n < 300; n += 1) {
      const { status, tokens } = await post(it.url, '/api/token/refresh/', { refresh })
      if (status === 200) ({ refresh } = tokens)
      else {
        expect(status).toBe(503)
        failures += 1
        // Without room that is used again, all but the first 32 would fail.
        expect(failures).toBeLessThan(150)
        await expect.poll(() => statusOf(`${it.url}/readyz`), { timeout: 10_000 }).toBe(200)
      }
    }
    expect(failures).toBeGreaterThan(0)
  })

  test('a server that starts on a full disk serves keys, tokens and reads, and writes when there is room', async () => {
    const { access } = await prepare()
    fill()
    expect(freeBytes()).toBe(0)
    // It is never ready, so this waits until it is alive.
    await using it = await start('/healthz')
    expect(await statusOf(`${it.url}/.well-known/jwks.json`)).toBe(200)
    expect((await post(it.url, '/api/token/verify/', { token: access })).status).toBe(200)
    const headers = { authorization: `Bearer ${access}` }
    expect((await fetch(`${it.url}/auth/me`, { headers })).status).toBe(200)
    expect((await logIn(it.url)).status).toBe(503)
    expect(await statusOf(`${it.url}/readyz`)).toBe(503)
    rmSync(ballast())
    await expect.poll(async () => (await logIn(it.url)).status, { timeout: 10_000 }).toBe(200)
    await expect.poll(() => statusOf(`${it.url}/readyz`), { timeout: 10_000 }).toBe(200)
  })
})
