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
/**
 * How much the server answers in a round before it is killed: the first rounds end at once, the last one at these
 * numbers. Counting answers and not time gives slow machines the same load as fast ones.
 */
const ROTATIONS_MAX = 200
const LOG_OUTS_MAX = 3
/** The kill comes up to this much later, so that it can hit any step of a request. */
const JITTER_MS_MAX = 10

interface HonestClient {
  /** The last refresh token that it received. It retries with this one when an answer is missing. */
  token: string
  /** Its log-out was answered. Nothing may undo it. */
  isLoggedOut: boolean
  /** Its log-out was not answered. The session may be live or not. */
  isUnsure: boolean
}

const credentials = { username: ADMIN.username, password: ADMIN.password }

/** What the server answered in one round. */
interface Load {
  rotations: number
  logOuts: number
}

/** Refreshes as fast as possible until the server is killed. */
async function refreshUntilGone(client: HonestClient, http: HttpClient, load: Load): Promise<void> {
  for (;;) {
    const answer = await http
      .post('/api/token/refresh/', { refresh: client.token })
      .catch(() => null)
    if (answer === null) return
    expect(answer).toMatchObject({ status: 200 })
    client.token = (JSON.parse(answer.text) as Pair).refresh
    load.rotations += 1
  }
}

/** Logs in and out until the server is killed. Gives the state of each session. */
async function logOutUntilGone(http: HttpClient, load: Load): Promise<HonestClient[]> {
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
    load.logOuts += 1
  }
}

/** Resolves when the server has answered a share of the load, from 0 to 1. */
async function untilAnswered(load: Load, share: number): Promise<void> {
  while (load.rotations < share * ROTATIONS_MAX || load.logOuts < share * LOG_OUTS_MAX) {
    await sleep(1)
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

      const load: Load = { rotations: 0, logOuts: 0 }
      const killing = untilAnswered(load, round / (ROUNDS - 1))
        .then(() => sleep(Math.random() * JITTER_MS_MAX))
        .then(() => server.stop('SIGKILL'))
      const [, loggedOut] = await Promise.all([
        Promise.all(clients.map((client) => refreshUntilGone(client, http, load))),
        Promise.all([logOutUntilGone(http, load), logOutUntilGone(http, load)]),
      ])
      await killing
      http.close()
      rotations += load.rotations
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
