import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'

import { createPasswordHasher } from '../packages/server/src/accounts/passwords.ts'
import { createSystemRandom } from '../packages/server/src/base/random.ts'
import { HttpConnection } from './lib/http-connection.ts'
import { report, round, type Row } from './lib/report.ts'
import { startServer } from './lib/server.ts'
import { median, quantile, spread } from './lib/statistics.ts'

/**
 * Compares logins over HTTP with the bare password hash, with the same parameters and in turns. The
 * difference is the cost of the server besides the hash, which is unavoidable.
 */

const ROUNDS = 5
const ROUND_SEC = 4
const CONNECTIONS = 16
const ARGON2 = { memoryKib: 19_456, passes: 2, lanes: 1 }
const CREDENTIALS = '{"username":"admin","password":"only for benchmarks"}'

const dataDir = mkdtempSync(join(tmpdir(), 'countersign-bench-'))
const rows: Row[] = []
try {
  await using server = await startServer({ node: process.execPath, dataDir })
  const hashRates: number[] = []
  const loginRates: number[] = []
  const latencies: number[] = []
  await logIn(server.port, 1, [])
  for (let i = 0; i < ROUNDS; i += 1) {
    hashRates.push(await hashBare())
    loginRates.push(await logIn(server.port, ROUND_SEC, latencies))
  }
  latencies.sort((a, b) => a - b)
  rows.push(
    { what: 'bare hash', per_sec: round(median(hashRates)), spread_percent: percent(hashRates) },
    {
      what: 'login',
      per_sec: round(median(loginRates)),
      spread_percent: percent(loginRates),
      median_ms: round(quantile(latencies, 0.5)),
      p99_ms: round(quantile(latencies, 0.99)),
    },
  )
  const ratios = loginRates.map((rate, i) => rate / (hashRates[i] ?? Number.NaN))
  report('login', rows, { login_of_hash_limit: round(median(ratios)) })
} finally {
  rmSync(dataDir, { recursive: true, force: true })
}

/** Returns verifications per second, with as many at once as the server runs. */
async function hashBare(): Promise<number> {
  const concurrency = availableParallelism()
  const hasher = createPasswordHasher({
    parameters: ARGON2,
    concurrency,
    waitMsMax: Infinity,
    elapsed: () => performance.now(),
    random: createSystemRandom(),
    decoySecret: Buffer.alloc(32),
  })
  const hash = (await hasher.hash('only for benchmarks')) ?? ''
  let done = 0
  const started = performance.now()
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      while (performance.now() - started < ROUND_SEC * 1000) {
        await hasher.verify(hash, 'only for benchmarks', 'admin')
        done += 1
      }
    }),
  )
  return done / ((performance.now() - started) / 1000)
}

async function logIn(port: number, seconds: number, latencies: number[]): Promise<number> {
  let done = 0
  const started = performance.now()
  await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      const connection = await HttpConnection.open(port)
      while (performance.now() - started < seconds * 1000) {
        const sent = performance.now()
        const { status, body } = await connection.post('/api/token/', CREDENTIALS)
        if (status !== 200) throw new Error(`a login answered ${status}: ${body}`)
        latencies.push(performance.now() - sent)
        done += 1
      }
      connection.close()
    }),
  )
  return done / ((performance.now() - started) / 1000)
}

function percent(rates: readonly number[]): number {
  return round(spread(rates) * 100)
}
