import { afterAll, beforeAll, expect, test } from 'vitest'

import type { Pair } from '../../packages/server/test/support/authority.ts'
import type { HttpClient } from '../../packages/server/test/support/http-client.ts'
import { sized } from '../../packages/server/test/support/long.ts'
import { ADMIN } from '../../packages/server/test/support/server-process.ts'
import { startCluster, type Cluster } from './cluster.ts'

const AT_ONCE = 50
const REFRESH_ROUNDS = sized(20, 200)

let it: Cluster
let http: HttpClient
beforeAll(async () => {
  it = await startCluster()
  http = it.client()
})
afterAll(() => it?.[Symbol.asyncDispose]())

test(`fifty refreshes of one token over three nodes return one successor, ${REFRESH_ROUNDS} times`, async () => {
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
