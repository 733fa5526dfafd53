import { createGuard, type Guard } from '@countersign/guard'
import { setImmediate as turn } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'

import type { Pair } from '../../packages/server/test/support/authority.ts'
import { HttpClient } from '../../packages/server/test/support/http-client.ts'
import { sized } from '../../packages/server/test/support/long.ts'
import { ADMIN } from '../../packages/server/test/support/server-process.ts'
import { describeWith } from '../support/requirements.ts'
import { startCluster, type Cluster } from './cluster.ts'

const AT_ONCE = 50
const REFRESH_ROUNDS = sized(20, 200)
const REVOCATIONS = sized(30, 300)

describeWith('postgres', 'three nodes on one database', () => {
  let it: Cluster
  let http: HttpClient
  beforeAll(async () => {
    it = await startCluster()
    http = it.client()
  })
  afterAll(() => it?.[Symbol.asyncDispose]())

  test(`fifty refreshes of one token return one successor, ${REFRESH_ROUNDS} times`, async () => {
    let { refresh: token } = await http.login(ADMIN)
    const state = (): Promise<object[]> => it.query('SELECT generation, ended_at FROM sessions')
    for (let round = 0; round < REFRESH_ROUNDS; round += 1) {
      expect(await state()).toEqual([{ generation: String(round), ended_at: null }])
      const answers = await Promise.all(
        Array.from({ length: AT_ONCE }, () => http.post('/api/token/refresh/', { refresh: token })),
      )
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
      const pairs = answers.map(({ text }) => JSON.parse(text) as Pair)
      expect(new Set(pairs.map(({ refresh }) => refresh)).size).toBe(1)
      expect(new Set(pairs.map(({ access }) => access)).size).toBe(AT_ONCE)
      token = pairs[0]!.refresh
    }
    expect(await state()).toEqual([{ generation: String(REFRESH_ROUNDS), ended_at: null }])
  })

  test('a log-out at one node is known to guards of the other nodes', async () => {
    const account = await it.createServiceAccount()
    const guards = it.nodes.map(({ url }) =>
      createGuard({ issuer: it.issuer, feed: { ...account, url } }),
    )
    const [first, ...others] = guards
    const client = new HttpClient(it.nodes[0]!.url)
    try {
      await Promise.all(guards.map((guard) => guard.ready()))
      const times: number[] = []
      for (let n = 0; n < REVOCATIONS; n += 1) {
        const { access, refresh } = await client.login(ADMIN)
        for (const guard of [first!, ...others]) {
          await expect
            .poll(async () => (await guard.verify(access, { policy: 'strict' })).ok)
            .toBe(true)
        }
        const rejected = Promise.all(others.map((guard) => untilRejected(guard, access)))
        await client.post('/api/token/blacklist/', { refresh })
        const answeredAt = performance.now()
        // Negative: the guard knew before the client had the answer.
        times.push(...(await rejected).map((at) => at - answeredAt))
      }
      times.sort((a, b) => a - b)
      const at = (share: number): string => times[Math.ceil(share * times.length) - 1]!.toFixed(1)
      const shares = { min: 0.000_1, p50: 0.5, p95: 0.95, p99: 0.99, max: 1 }
      const text = Object.entries(shares).map(([name, share]) => `${name} ${at(share)}`)
      console.log(`after the answer, guards of other nodes reject in ms: ${text.join(', ')}`)
      // A lost notification costs a poll. Anything slower is a fault.
      expect(times.at(-1)).toBeLessThan(5_000)
    } finally {
      client.close()
      for (const guard of guards) guard.close()
    }
  })
})

async function untilRejected(guard: Guard, token: string): Promise<number> {
  for (const late = performance.now() + 30_000; performance.now() < late; await turn()) {
    const result = await guard.verify(token, { policy: 'strict' })
    if (!result.ok && result.code === 'session_ended') return performance.now()
  }
  throw new Error('The guard still accepts the token.')
}
