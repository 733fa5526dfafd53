import { existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'

import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { queryOne } from './support/database.ts'
import { ADMIN, startServerProcess, type ServerProcess } from './support/server-process.ts'

// The server while its disk is frozen, its database is locked, or a file of the database is gone.

const HOOK = fileURLToPath(new URL('support/disk.ts', import.meta.url))

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-disk-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const frozen = (): string => join(folder, 'frozen')
const crash = (): string => join(folder, 'crash')

function start(env: Readonly<Record<string, string>> = {}): Promise<ServerProcess> {
  return startServerProcess({
    env: { NODE_OPTIONS: `--import ${HOOK}`, FROZEN: frozen(), CRASH: crash(), ...env },
  })
}

interface Timed {
  readonly status: number
  readonly retryAfter: string | null
  readonly body: string
  readonly ms: number
}

async function timed(url: string, init: RequestInit = {}): Promise<Timed> {
  const began = performance.now()
  const response = await fetch(url, init)
  const body = await response.text()
  const retryAfter = response.headers.get('retry-after')
  return { status: response.status, retryAfter, body, ms: performance.now() - began }
}

function post(it: ServerProcess, path: string, body: unknown): Promise<Timed> {
  const headers = { 'content-type': 'application/json' }
  return timed(`${it.url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
}

const logIn = (it: ServerProcess): Promise<Timed> => post(it, '/api/token/', ADMIN)

/** Asks again and again for what needs no disk, until `until` settles. Returns the slowest answer in milliseconds. */
async function slowestWithoutDisk(it: ServerProcess, until: Promise<unknown>): Promise<number> {
  const state = { isOver: false }
  const over = until.finally(() => (state.isOver = true))
  let slowest = 0
  while (!state.isOver) {
    for (const path of ['/healthz', '/.well-known/jwks.json']) {
      const answer = await timed(`${it.url}${path}`)
      expect(answer.status).toBe(200)
      slowest = Math.max(slowest, answer.ms)
    }
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  await over
  return slowest
}

test('while the disk is frozen, keys and health answer, new writes fail at once, and the first one ends well', async () => {
  await using it = await start()
  const { refresh } = JSON.parse((await logIn(it)).body) as { refresh: string }
  writeFileSync(frozen(), '')
  // This refresh waits for the disk, and its result is kept.
  const first = post(it, '/api/token/refresh/', { refresh })
  // A log-in now could begin together with the refresh, and would wait, too.
  await expect.poll(() => it.output()).toContain('"event":"store_stalled"')
  const writes = Promise.all(Array.from({ length: 20 }, () => logIn(it)))
  expect(await slowestWithoutDisk(it, writes)).toBeLessThan(500)
  for (const each of await writes) {
    expect(each).toMatchObject({ status: 503, retryAfter: expect.any(String) })
    expect(each.ms).toBeLessThan(900)
  }
  expect((await timed(`${it.url}/readyz`)).status).toBe(503)
  rmSync(frozen())
  expect((await first).status).toBe(200)
  await expect.poll(async () => (await logIn(it)).status, { timeout: 10_000 }).toBe(200)
  // Calls that failed because they had not begun have changed nothing: one refresh, one rotation.
  const { n } = queryOne(it.dataDir, 'SELECT max(generation) AS n FROM sessions')
  expect(n).toBe(1)
  expect(it.output()).toContain('"event":"store_recovered"')
})

test('while another process locks the database, log-ins fail soon, also many at once', async () => {
  await using it = await start()
  const db = new DatabaseSync(join(it.dataDir, 'countersign.db'))
  db.exec('BEGIN IMMEDIATE')
  const began = performance.now()
  const writes = Promise.all(Array.from({ length: 20 }, () => logIn(it)))
  expect(await slowestWithoutDisk(it, writes)).toBeLessThan(500)
  // One log-in waits for half a second. One after the other, they would take ten.
  expect(performance.now() - began).toBeLessThan(5_000)
  for (const { status } of await writes) expect(status).toBe(503)
  db.exec('ROLLBACK')
  db.close()
  expect((await logIn(it)).status).toBe(200)
})

test('a thread of the database that crashes is started again, and the process lives on', async () => {
  await using it = await start()
  const { refresh } = JSON.parse((await logIn(it)).body) as { refresh: string }
  writeFileSync(crash(), '')
  expect(await post(it, '/api/token/refresh/', { refresh })).toMatchObject({ status: 503 })
  expect(existsSync(crash())).toBe(false)
  expect((await timed(`${it.url}/healthz`)).status).toBe(200)
  await expect
    .poll(async () => (await post(it, '/api/token/refresh/', { refresh })).status, {
      timeout: 20_000,
    })
    .toBe(200)
  expect(it.output()).toContain('"event":"store_stopped"')
  expect(it.output()).toContain('"event":"store_recovered"')
  expect(await it.stop()).toBe(0)
})

describe('a database file that is gone', () => {
  test.each([
    ['moved away', 'countersign.db', undefined],
    ['replaced', 'countersign.db', 'other'],
    ['without its write-ahead log', 'countersign.db-wal', undefined],
  ])(
    '%s: the server acknowledges no write, reports it, and serves keys',
    async (_, name, other) => {
      await using it = await start()
      const { refresh } = JSON.parse((await logIn(it)).body) as { refresh: string }
      const [path, away] = [join(it.dataDir, name), join(folder, 'away')]
      if (other !== undefined) writeFileSync(join(folder, other), '')
      renameSync(path, away)
      if (other !== undefined) renameSync(join(folder, other), path)
      // At once, not only after the next look at the files.
      expect((await logIn(it)).status).toBe(503)
      expect((await post(it, '/api/token/refresh/', { refresh })).status).toBe(503)
      await expect.poll(async () => (await timed(`${it.url}/readyz`)).status).toBe(503)
      expect((await timed(`${it.url}/.well-known/jwks.json`)).status).toBe(200)
      await expect.poll(() => it.output()).toContain('"event":"store_lost"')
      // It was only a mistake.
      rmSync(path, { force: true })
      renameSync(away, path)
      await expect.poll(async () => (await logIn(it)).status).toBe(200)
    },
  )

  test('a removed lock file lets no second server in', async () => {
    await using it = await start()
    const lock = join(it.dataDir, 'countersign.lock')
    for (let round = 0; round < 3; round += 1) {
      rmSync(lock, { force: true })
      await expect(start({ COUNTERSIGN_DATA_DIR: it.dataDir })).rejects.toThrow(
        /Another server (or command )?is (running on|using) the data/,
      )
    }
    expect((await logIn(it)).status).toBe(200)
  })
})
