import { setTimeout as sleep } from 'node:timers/promises'

import { expect, test } from 'vitest'

import { HttpClient } from '../../packages/server/test/support/http-client.ts'
import { sized } from '../../packages/server/test/support/long.ts'
import { ADMIN, startServerProcess } from '../../packages/server/test/support/server-process.ts'
import { HonestLoad } from './honest-load.ts'
import { Probe, worstOf } from './probe.ts'
import { recordFault } from './record.ts'

const LOGIN_CLIENTS = sized(100, 300)
const CONNECTIONS = sized(300, 1_500)
const LASTS_MS = sized(2_000, 6_000)

/** The password hashes of a real installation: about 20 ms each. */
const REAL_HASHES = { COUNTERSIGN_ARGON2_MEMORY_KIB: '19456', COUNTERSIGN_ARGON2_PASSES: '2' }

function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0)
}

test(`${LOGIN_CLIENTS} clients that log in all the time delay neither refreshes nor health checks`, async () => {
  await using server = await startServerProcess({ env: REAL_HASHES })
  const load = new HonestLoad(server.url, { refreshers: 4, loginClients: 0 })
  await load.start()
  const http = new HttpClient(server.url, LOGIN_CLIENTS)
  const state = { isOver: false }
  const loggedInMs: number[] = []
  const unexpected: string[] = []
  let refused = 0
  const clients = Array.from({ length: LOGIN_CLIENTS }, async () => {
    while (!state.isOver) {
      const from = performance.now()
      const answer = await http.post('/api/token/', ADMIN)
      if (answer.status === 200) loggedInMs.push(performance.now() - from)
      else if (answer.status === 503 && answer.headers['retry-after'] !== undefined) refused += 1
      else unexpected.push(`${answer.status} ${answer.text}`)
      if (answer.status !== 200) await sleep(100)
    }
  })
  const probe = new Probe(server.url, ['/healthz'])
  await sleep(LASTS_MS)
  const answers = await probe.stop()
  state.isOver = true
  await Promise.all(clients)
  await load.untilMore({ rotations: 20 })
  await load.stop()
  http.close()

  expect(unexpected).toEqual([])
  expect(loggedInMs.length).toBeGreaterThan(0)
  for (const { statuses } of answers) expect(Object.keys(statuses)).toEqual(['200'])
  expect(load.failed).toEqual({ busy: 0, unanswered: 0 })
  load.expectNothingLost(server.dataDir)
  await load.expectAnswersTrue()
  const refreshP99 = quantile(load.rotationMs, 0.99)
  load.close()
  recordFault('overload-logins', {
    fault: `${LOGIN_CLIENTS} clients log in all the time for ${LASTS_MS / 1000} s`,
    outcome: `${loggedInMs.length} logged in, the slowest after ${quantile(loggedInMs, 1)} ms; ${refused} got 503; refreshes p99 ${refreshP99} ms; health checks within ${worstOf(answers)} ms`,
  })
})

test(`${CONNECTIONS} new connections at once delay no health check, and none is reset`, async () => {
  await using server = await startServerProcess()
  const probe = new Probe(server.url, ['/healthz'])
  const from = performance.now()
  const statuses = await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      const http = new HttpClient(server.url, 1)
      try {
        return (await http.get('/.well-known/jwks.json')).status
      } finally {
        http.close()
      }
    }),
  )
  const answeredMs = Math.round(performance.now() - from)
  await sleep(200)
  const answers = await probe.stop()
  expect(new Set(statuses)).toEqual(new Set([200]))
  for (const each of answers) expect(Object.keys(each.statuses)).toEqual(['200'])
  recordFault('overload-connections', {
    fault: `${CONNECTIONS} clients connect at once`,
    outcome: `all answered within ${answeredMs} ms, none reset; new health checks within ${worstOf(answers)} ms`,
  })
})
