import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { expect, test } from 'vitest'

import type { Pair } from './support/authority.ts'
import { expectWholeLog, readChainStart } from './support/chain.ts'
import { query } from './support/database.ts'
import { HttpClient } from './support/http-client.ts'
import { sized } from './support/long.ts'
import { ADMIN, freePort, startServerProcess } from './support/server-process.ts'
import { claimsOf } from './support/forge.ts'

const ROUNDS = sized(20, 50)
const CLIENTS = 8
/** The server lives this long under load before it is killed. */
const LIFE_MS_MAX = 150

interface HonestClient {
  /** The last refresh token that it received. It retries with this one when an answer is missing. */
  token: string
  /** Whether its logout was answered. A crash must not undo it. */
  isLoggedOut: boolean
  /** Whether its logout was not answered. The session may then be live or ended. */
  isUnsure: boolean
}

const credentials = { username: ADMIN.username, password: ADMIN.password }

/** Refreshes as fast as possible until the server is killed. Returns the number of rotations. */
async function refreshUntilGone(client: HonestClient, http: HttpClient): Promise<number> {
  for (let rotations = 0; ; rotations += 1) {
    const answer = await http
      .post('/api/token/refresh/', { refresh: client.token })
      .catch(() => null)
    if (answer === null) return rotations
    expect(answer).toMatchObject({ status: 200 })
    client.token = (JSON.parse(answer.text) as Pair).refresh
  }
}

/** Logs in and out until the server is killed. Returns the state of each session. */
async function logOutUntilGone(http: HttpClient): Promise<HonestClient[]> {
  const all: HonestClient[] = []
  for (;;) {
    const pair = await http.login(credentials).catch(() => null)
    if (pair === null) return all
    const client = { token: pair.refresh, isLoggedOut: false, isUnsure: true }
    all.push(client)
    const body = { refresh: client.token }
    const answer = await http.post('/api/token/blacklist/', body).catch(() => null)
    if (answer === null) return all
    expect(answer).toMatchObject({ status: 200, text: '{}' })
    client.isLoggedOut = true
  }
}

/** Asserts that the store has everything about each client that was answered before the crash. */
function expectNothingLost(dataDir: string, clients: readonly HonestClient[]): void {
  expect(query(dataDir, 'PRAGMA integrity_check')).toEqual([{ integrity_check: 'ok' }])
  const rows = new Map(
    query(dataDir, 'SELECT id, generation, ended_at FROM sessions').map((row) => [row['id'], row]),
  )
  for (const client of clients) {
    const { sid, gen } = claimsOf(client.token)
    const row = rows.get(String(sid))
    const ahead = Number(row?.['generation']) - Number(gen)
    // One ahead: the rotation was committed, but the server was killed before it answered.
    expect([0, 1]).toContain(ahead)
    if (client.isLoggedOut) expect(row?.['ended_at']).not.toBeNull()
    else if (!client.isUnsure) expect(row?.['ended_at']).toBeNull()
  }
}

test(`${ROUNDS} kills under load lose nothing that was answered`, async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'countersign-crash-'))
  const port = await freePort()
  const clients: HonestClient[] = []
  let others: HonestClient[] = []
  let rotations = 0
  let logOuts = 0
  let chainStart: Buffer | undefined

  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      await using server = await startServerProcess({ dataDir, port })
      chainStart ??= readChainStart(dataDir)
      expectNothingLost(dataDir, [...clients, ...others])
      expectWholeLog(dataDir, chainStart)

      const http = new HttpClient(server.url)
      while (clients.length < CLIENTS) {
        const { refresh: token } = await http.login(credentials)
        clients.push({ token, isLoggedOut: false, isUnsure: false })
      }
      for (const { token } of others.filter(({ isLoggedOut }) => isLoggedOut)) {
        expect((await http.post('/api/token/refresh/', { refresh: token })).status).toBe(401)
      }

      const load = Promise.all([
        Promise.all(clients.map((client) => refreshUntilGone(client, http))),
        Promise.all([logOutUntilGone(http), logOutUntilGone(http)]),
      ])
      const killing = sleep(Math.random() * LIFE_MS_MAX).then(() => server.stop('SIGKILL'))
      const [counts, loggedOut] = await load
      await killing
      http.close()
      rotations += counts.reduce((sum, count) => sum + count, 0)
      others = loggedOut.flat()
      logOuts += others.filter(({ isLoggedOut }) => isLoggedOut).length
    }

    await using server = await startServerProcess({ dataDir, port })
    expectNothingLost(dataDir, [...clients, ...others])
    expect(expectWholeLog(dataDir, chainStart!)).toBeGreaterThanOrEqual(logOuts)
    expect(query(dataDir, `SELECT * FROM audit WHERE event LIKE 'refresh_%'`)).toEqual([])
    const http = new HttpClient(server.url)
    for (const { token } of clients) {
      expect((await http.post('/api/token/refresh/', { refresh: token })).status).toBe(200)
    }
    http.close()
  } finally {
    rmSync(dataDir, { recursive: true, force: true })
  }
  // Without enough load the test would prove nothing.
  expect(rotations).toBeGreaterThan(10 * ROUNDS)
  expect(logOuts).toBeGreaterThan(ROUNDS)
})
