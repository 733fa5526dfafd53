import { setTimeout as sleep } from 'node:timers/promises'

import { afterEach, expect, test } from 'vitest'

import { startRedisCluster } from '../support/redis-cluster.ts'
import { startRedisWithSentinels } from '../support/redis-sentinel.ts'
import { startRedis, untilTrue } from '../support/redis.ts'
import { describeWith } from '../support/requirements.ts'
import { TcpProxy } from '../support/tcp-proxy.ts'
import { clusterUrl, openNodes, PASSWORD, sentinelUrl, type Nodes } from './support.ts'

/** Wrong passwords for one account from one address: ten at once, then nearly none. */
const TRIES_MAX = 10
const THROTTLE = `source=${TRIES_MAX}/24h,address=999999/1h,account=999999/1h,login=999999/1s`
/** No answer may take longer, even if Redis hangs. */
const ANSWER_MS = 1_500

interface Answer {
  readonly kind: 'right' | 'wrong'
  readonly status: number
  readonly ms: number
  readonly isBefore: boolean
}

/** Logs in with right and wrong passwords before and while something fails, and after, until attempts are throttled. */
async function duringLogIns(it: Nodes, fault: () => Promise<unknown>): Promise<readonly Answer[]> {
  const answers: Answer[] = []
  let isBefore = true
  const over = new AbortController()
  const log = async (kind: Answer['kind'], at: number): Promise<void> => {
    for (let round = 0; !over.signal.aborted; round += 1) {
      const node = it.nodes[(round + at) % 2]!
      const wasBefore = isBefore
      const from = performance.now()
      const password = kind === 'right' ? PASSWORD : 'wrong'
      const address = kind === 'right' ? '203.0.113.7' : '198.51.100.7'
      const { status } = await node.logIn('alice', password, address)
      answers.push({ kind, status, ms: performance.now() - from, isBefore: wasBefore })
      await sleep(5)
    }
  }
  const loops = [log('right', 0), log('wrong', 0), log('wrong', 1)]
  try {
    // A busy machine is slow without a fault too.
    await expect
      .poll(() => answers.filter(({ kind }) => kind === 'right').length)
      .toBeGreaterThan(3)
    isBefore = false
    await fault()
    await sleep(1_000)
    await expect
      .poll(() => answers.filter(({ status }) => status === 429).length)
      .toBeGreaterThan(3)
  } finally {
    over.abort()
    await Promise.all(loops)
  }
  return answers
}

/** Every answer is right or asks to wait, and comes soon. Each store of counters lets its tries through at most once. */
function expectSound(answers: readonly Answer[], countersMax = 2): void {
  const of = (kind: Answer['kind']): number[] =>
    answers.filter((each) => each.kind === kind).map(({ status }) => status)
  const slowestOf = (before: boolean): number =>
    Math.max(...answers.filter(({ isBefore }) => isBefore === before).map(({ ms }) => ms))
  const slowest = slowestOf(false)
  const tally = (statuses: readonly number[]): object =>
    Object.fromEntries(
      [...new Set(statuses)].map((s) => [s, statuses.filter((x) => x === s).length]),
    )
  console.log({
    right: tally(of('right')),
    wrong: tally(of('wrong')),
    slowestMs: Math.round(slowest),
  })
  expect(of('right').filter((status) => ![200, 429, 503].includes(status))).toEqual([])
  expect(of('wrong').filter((status) => ![401, 429, 503].includes(status))).toEqual([])
  expect(of('right')).toContain(200)
  expect(of('wrong')).toContain(429)
  const checked = of('wrong').filter((status) => status === 401).length
  expect(checked).toBeLessThanOrEqual(TRIES_MAX * countersMax)
  expect(slowest).toBeLessThan(ANSWER_MS + 2 * slowestOf(true))
}

function untilEvent(it: Nodes, event: string, times = 1): Promise<void> {
  return expect
    .poll(() => it.nodes.every(({ events }) => events.filter((e) => e === event).length >= times))
    .toBe(true)
}

/** Waits until Redis is used by both nodes, as far as their logs say. */
async function untilRecovered(it: Nodes): Promise<void> {
  const last = (): readonly unknown[] =>
    it.nodes.map(({ events }) => events.findLast((event) => event.startsWith('redis_')))
  await expect.poll(last).toEqual(['redis_recovered', 'redis_recovered'])
}

let closing: AsyncDisposable[] = []
afterEach(async () => {
  for (const each of closing.toReversed()) await each[Symbol.asyncDispose]()
  closing = []
})

function kept<T extends AsyncDisposable>(thing: T): T {
  closing.push(thing)
  return thing
}

async function open(redisUrl: string): Promise<Nodes> {
  return kept(await openNodes({ redisUrl, throttle: THROTTLE }))
}

let addresses = 0

/** Sends wrong passwords from a new address until the answer is 429. Returns how many were checked. */
async function countTries(it: Nodes): Promise<number> {
  addresses += 1
  for (let tries = 0; tries < 100; tries += 1) {
    const { status } = await it.nodes[tries % 2]!.logIn('alice', 'wrong', `192.0.2.${addresses}`)
    if (status === 429) return tries
    expect(status).toBe(401)
  }
  throw new Error('nothing was throttled')
}

/**
 * Checks that all nodes count in the same place. On a busy machine, and just after a failover, an answer of Redis may be
 * late. Then some attempts are counted in the database.
 */
async function expectCounting(it: Nodes): Promise<void> {
  const counted = async (): Promise<number> => {
    const tries = await countTries(it)
    expect(tries).toBeLessThanOrEqual(2 * TRIES_MAX)
    return tries
  }
  await expect.poll(counted, { interval: 1_000 }).toBe(TRIES_MAX)
}

describeWith('redis', 'two nodes with a Redis', () => {
  test('count attempts together, and go on in the database when Redis is killed', async () => {
    const redis = kept(await startRedis())
    const it = await open(redis.url)
    await expectCounting(it)
    expect((await redis.client.keys('countersign:{throttle}:*')).length).toBeGreaterThan(0)
    expectSound(await duringLogIns(it, () => redis.kill()))
    await untilEvent(it, 'redis_unavailable')
    await expectCounting(it)
    expectSound(await duringLogIns(it, () => redis.start()))
    await untilEvent(it, 'redis_recovered')
    await expectCounting(it)
    expect((await redis.client.keys('countersign:{throttle}:source:*')).length).toBeGreaterThan(0)
  })

  test('start and count without a Redis', async () => {
    const redis = kept(await startRedis())
    await redis.kill()
    const it = await open(redis.url)
    await expectCounting(it)
    expect(it.nodes.map(({ events }) => events.includes('redis_unavailable'))).toEqual([true, true])
  })

  test('answer while Redis hangs, and use it again afterwards', async () => {
    const redis = kept(await startRedis())
    const it = await open(redis.url)
    const answers = await duringLogIns(it, async () => {
      redis.signal('SIGSTOP')
      await sleep(4_000)
    })
    expectSound(answers)
    await expectCounting(it)
    expectSound(await duringLogIns(it, async () => redis.signal('SIGCONT')))
    await untilEvent(it, 'redis_recovered')
    await expectCounting(it)
  })

  test('answer while the network drops everything, and while Redis is slow', async () => {
    const redis = kept(await startRedis())
    const proxy = kept(await TcpProxy.start(redis.port))
    const it = await open(`redis://127.0.0.1:${proxy.port}`)
    const cut = await duringLogIns(it, async () => {
      await proxy.cut('silence')
      await sleep(3_000)
    })
    expectSound(cut)
    expectSound(await duringLogIns(it, () => proxy.restore()))
    await untilEvent(it, 'redis_recovered')
    proxy.slow(300)
    expect(await countTries(it)).toBeLessThanOrEqual(2 * TRIES_MAX)
    await untilEvent(it, 'redis_unavailable', 2)
    expectSound(await duringLogIns(it, async () => {}))
  })

  test('a flush loses counters and lets nobody in', async () => {
    const redis = kept(await startRedis())
    const it = await open(redis.url)
    expectSound(await duringLogIns(it, () => redis.client.flushall()))
    expectSound(await duringLogIns(it, () => redis.replace()), 3)
    await untilEvent(it, 'redis_recovered')
    expect((await it.nodes[0].logIn('alice', 'wrong', '198.51.100.9')).status).toBe(401)
  })

  test('a Redis that refuses writes, or holds other data, is not used', async () => {
    const redis = kept(await startRedis())
    const it = await open(redis.url)
    await redis.client.config('SET', 'min-replicas-to-write', '1')
    await expectCounting(it)
    await untilEvent(it, 'redis_unavailable')
    await redis.client.config('SET', 'min-replicas-to-write', '0')
    await untilEvent(it, 'redis_recovered')
    await expectCounting(it)
    const [key] = await redis.client.keys('countersign:{throttle}:address:*')
    await redis.client.del(key!)
    await redis.client.lpush(key!, 'x')
    await redis.client.set('countersign:{throttle}:unrelated', 'x')
    for (let at = 0; at < 5; at += 1) {
      const { status } = await it.nodes[0].logIn('alice', 'wrong', '198.51.100.2')
      expect([401, 429]).toContain(status)
    }
  })

  test('follow a failover of Sentinels', async () => {
    const sentinels = kept(await startRedisWithSentinels())
    const it = await open(sentinelUrl(sentinels))
    await expectCounting(it)
    expectSound(await duringLogIns(it, () => sentinels.killPrimary()))
    await untilEvent(it, 'redis_recovered')
    await expectCounting(it)
    for (const node of sentinels.nodes) await node.start()
    await sentinels.untilComplete()
    // A primary that hangs keeps its connections.
    const frozen = await sentinels.primary()
    expectSound(
      await duringLogIns(it, async () => {
        frozen.signal('SIGSTOP')
        await untilTrue(async () => (await sentinels.primary()) !== frozen)
      }),
      3,
    )
    await untilRecovered(it)
    await expectCounting(it)
    frozen.signal('SIGCONT')
    await expectCounting(it)
  })

  test('follow a failover of a cluster', async () => {
    const cluster = kept(await startRedisCluster())
    const it = await open(clusterUrl(cluster))
    await expectCounting(it)
    const primary = await cluster.primaryOf('{throttle}')
    expectSound(await duringLogIns(it, () => cluster.killPrimary(primary)))
    await untilRecovered(it)
    await expectCounting(it)
  })
})
