import { setImmediate, setTimeout as sleep } from 'node:timers/promises'

import { Client } from 'pg'
import { expect, test } from 'vitest'

import { startRedisCluster } from '../support/redis-cluster.ts'
import { startRedisWithSentinels } from '../support/redis-sentinel.ts'
import { startRedis } from '../support/redis.ts'
import { describeWith } from '../support/requirements.ts'
import {
  clusterUrl,
  ISSUER,
  openNodes,
  PASSWORD,
  sentinelUrl,
  type Node,
  type Nodes,
} from './support.ts'

/** The poll of the database. Redis must be much faster. */
const POLL_MS = 250

/** Revokes a session at one node. Returns how long after the answer the other one rejects its token. */
async function spreadMs(from: Node, to: Node): Promise<number> {
  const answer = await from.logIn('alice', PASSWORD, '203.0.113.7')
  const { access, refresh } = (await answer.json()) as { access: string; refresh: string }
  expect(to.authority.verify(access).ok).toBe(true)
  const request = new Request(`${ISSUER}/api/token/blacklist/`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ refresh }),
  })
  const revoked = await from.authority.fetch(request)
  expect(revoked.status).toBe(200)
  const atMs = performance.now()
  while (to.authority.verify(access).ok) await setImmediate()
  return performance.now() - atMs
}

interface Distribution {
  readonly median: number
  readonly p95: number
  readonly max: number
}

async function measure(it: Nodes, title: string, times: number): Promise<Distribution> {
  const [one, other] = it.nodes
  const all: number[] = []
  for (let at = 0; at < times; at += 1) {
    all.push(await (at % 2 === 0 ? spreadMs(one, other) : spreadMs(other, one)))
  }
  const sorted = all.toSorted((a, b) => a - b)
  const at = (share: number): number =>
    Math.round(sorted[Math.floor(share * (times - 1))]! * 10) / 10
  const found = { median: at(0.5), p95: at(0.95), max: at(1) }
  console.log(title, found)
  return found
}

/** Counts the notifications of PostgreSQL. */
async function listen(url: string): Promise<AsyncDisposable & { readonly count: () => number }> {
  const client = new Client(url)
  let count = 0
  client.on('notification', () => (count += 1))
  await client.connect()
  await client.query('LISTEN countersign_log')
  return { count: () => count, [Symbol.asyncDispose]: () => client.end() }
}

async function open(redisUrl?: string): Promise<Nodes> {
  const it = await openNodes({ redisUrl, throttle: 'off' })
  // The first messages go through PostgreSQL, until a node has heard itself.
  await sleep(1_500)
  return it
}

describeWith('redis', 'a revocation reaches the other node', () => {
  test('by Redis at once, without a notification of PostgreSQL, and by PostgreSQL when Redis is dead', async () => {
    await using redis = await startRedis()
    await using it = await open(redis.url)
    await using listener = await listen(it.databaseUrl)
    const byRedis = await measure(it, 'by Redis', 60)
    expect(byRedis.median).toBeLessThan(POLL_MS / 5)
    expect(listener.count()).toBeLessThan(5)
    await redis.kill()
    const dead = await measure(it, 'Redis is dead', 20)
    expect(dead.p95).toBeLessThan(POLL_MS + 50)
    expect(listener.count()).toBeGreaterThan(10)
    await redis.start()
    await untilQuiet(it, listener)
    expect((await measure(it, 'Redis is back', 20)).median).toBeLessThan(POLL_MS / 5)
  })

  test('by the poll at the latest, while Redis hangs', async () => {
    await using redis = await startRedis()
    await using it = await open(redis.url)
    redis.signal('SIGSTOP')
    const frozen = await measure(it, 'Redis hangs', 20)
    redis.signal('SIGCONT')
    expect(frozen.p95).toBeLessThan(POLL_MS + 50)
  })

  test('with Sentinels, also after a failover', async () => {
    await using sentinels = await startRedisWithSentinels()
    await using it = await open(sentinelUrl(sentinels))
    await using listener = await listen(it.databaseUrl)
    expect((await measure(it, 'Sentinels', 20)).median).toBeLessThan(POLL_MS / 5)
    await sentinels.killPrimary()
    await untilQuiet(it, listener)
    expect((await measure(it, 'after a failover', 20)).median).toBeLessThan(POLL_MS / 5)
  })

  test('in a cluster, also after a failover', async () => {
    await using cluster = await startRedisCluster()
    await using it = await open(clusterUrl(cluster))
    await using listener = await listen(it.databaseUrl)
    expect((await measure(it, 'cluster', 20)).median).toBeLessThan(POLL_MS / 5)
    await cluster.killPrimary(await cluster.primaryOf('{throttle}'))
    await untilQuiet(it, listener)
    expect((await measure(it, 'after a failover', 20)).median).toBeLessThan(POLL_MS / 5)
  })
})

/** Waits until revocations need no notification of PostgreSQL. */
function untilQuiet(it: Nodes, listener: { readonly count: () => number }): Promise<void> {
  return expect
    .poll(async () => {
      const before = listener.count()
      await spreadMs(it.nodes[0], it.nodes[1])
      await spreadMs(it.nodes[1], it.nodes[0])
      await sleep(50)
      return listener.count() - before
    })
    .toBe(0)
}
