import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import fc from 'fast-check'
import { expect, test } from 'vitest'

import { TestClock } from '../../packages/server/test/support/authority.ts'
import { connectRedis, type RedisConnection } from '../../packages/server/src/redis/connect.ts'
import { openStore } from '../../packages/server/src/store/open.ts'
import { createRedisThrottles } from '../../packages/server/src/store/redis/throttles.ts'
import type { ThrottleStore } from '../../packages/server/src/store/store.ts'
import type { TakeResult, ThrottleBucket } from '../../packages/server/src/store/throttle.ts'
import { sharedPostgres } from '../support/postgres.ts'
import { clusterUrl, sentinelUrl, startLegacyRedis } from './support.ts'
import { startRedisCluster } from '../support/redis-cluster.ts'
import { startRedisWithSentinels } from '../support/redis-sentinel.ts'
import { startRedis, type RunningRedis } from '../support/redis.ts'
import { describeWith } from '../support/requirements.ts'

/** The rule, without a store: the time at which each bucket will be empty. */
class Model {
  readonly #emptyAt = new Map<string, number>()

  take(buckets: readonly ThrottleBucket[], now: number): TakeResult {
    const waits = buckets.map(({ intervalMs, triesMax, ...bucket }) => {
      const filled = this.#filled({ intervalMs, triesMax, ...bucket }, now)
      return Math.max(0, filled + intervalMs - triesMax * intervalMs)
    })
    const retryAfterMs = Math.max(0, ...waits)
    if (retryAfterMs > 0) return { ok: false, retryAfterMs }
    for (const bucket of buckets) {
      this.#emptyAt.set(bucket.key, now + this.#filled(bucket, now) + bucket.intervalMs)
    }
    return { ok: true }
  }

  giveBack(buckets: readonly ThrottleBucket[]): void {
    for (const { key, intervalMs } of buckets) {
      const emptyAt = this.#emptyAt.get(key)
      if (emptyAt !== undefined) this.#emptyAt.set(key, emptyAt - intervalMs)
    }
  }

  /** A bucket that is fuller than its limit means that the clock was set back. It counts as empty. */
  #filled({ key, triesMax, intervalMs }: ThrottleBucket, now: number): number {
    const filled = Math.max(0, (this.#emptyAt.get(key) ?? 0) - now)
    return filled > triesMax * intervalMs ? 0 : filled
  }
}

const BUCKETS: readonly ThrottleBucket[] = [
  { key: 'one', triesMax: 1, intervalMs: 700 },
  { key: 'two', triesMax: 3, intervalMs: 1_000 },
  { key: 'three', triesMax: 10, intervalMs: 90_000 },
  { key: 'four', triesMax: 999, intervalMs: 1 },
]

type Step =
  | { readonly kind: 'take' | 'giveBack'; readonly of: readonly ThrottleBucket[] }
  | { readonly kind: 'wait'; readonly ms: number }

const some = fc.subarray([...BUCKETS], { minLength: 1 })
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('take' as const), of: some }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('giveBack' as const), of: some }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      ms: fc.oneof(fc.integer({ min: 0, max: 2_000 }), fc.integer({ min: 0, max: 200_000 })),
    }),
  },
)

/** Runs the same random steps on a store and on the model. Each run has buckets of its own. */
async function compare(store: ThrottleStore, clock: TestClock, runs: number): Promise<void> {
  let run = 0
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const model = new Model()
      run += 1
      const own = ({ key, ...bucket }: ThrottleBucket): ThrottleBucket => ({
        ...bucket,
        key: `${run}-${key}`,
      })
      for (const each of steps) {
        if (each.kind === 'wait') {
          clock.advanceMs(each.ms)
          continue
        }
        const buckets = each.of.map(own)
        if (each.kind === 'take') {
          expect(await store.take(buckets)).toEqual(model.take(buckets, clock.nowMs()))
        } else {
          model.giveBack(buckets)
          await store.giveBack(buckets)
        }
      }
    }),
    { numRuns: runs },
  )
}

const never: ThrottleStore = {
  take: () => Promise.reject(new Error('the database was asked')),
  giveBack: () => Promise.reject(new Error('the database was asked')),
  purge: () => Promise.reject(new Error('the database was asked')),
}

async function withRedis(
  url: string,
  check: (throttles: ThrottleStore, clock: TestClock, redis: RedisConnection) => Promise<void>,
): Promise<void> {
  const redis = connectRedis(url)
  const clock = new TestClock()
  try {
    await expect.poll(() => redis.status).toBe('ready')
    const throttles = createRedisThrottles({ run: (work) => work(redis) }, clock, never)
    await check(throttles, clock, redis)
  } finally {
    redis.disconnect()
  }
}

test('the embedded database keeps the rule', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'countersign-throttle-'))
  const clock = new TestClock()
  const store = await openStore({ dataDir }, { exclusive: true, clock })
  await compare(store.throttles, clock, 30)
  await store.close()
  rmSync(dataDir, { recursive: true })
})

test('PostgreSQL keeps the rule', async () => {
  await using database = await (await sharedPostgres()).createDatabase()
  const clock = new TestClock()
  const settings = { dataDir: '', databaseUrl: database.url }
  const store = await openStore(settings, { exclusive: false, clock })
  await compare(store.throttles, clock, 30)
  await store.close()
})

describeWith('redis', 'the script in Redis keeps the rule', () => {
  const keepsRule = (url: string): Promise<void> =>
    withRedis(url, (throttles, clock) => compare(throttles, clock, 200))

  test('on one server, with RESP2 and RESP3', async () => {
    await using redis = await startRedis()
    for (const protocol of [2, 3]) {
      await redis.client.flushall()
      await keepsRule(`${redis.url}?protocol=${protocol}`)
    }
  })

  test.each([2, 3])('on a server that knows only RESP2, with protocol=%i', async (protocol) => {
    await using redis: RunningRedis = await startLegacyRedis()
    await expect(redis.client.call('HELLO', '3')).rejects.toThrow('unknown command')
    await keepsRule(`${redis.url}?protocol=${protocol}`)
  })

  test('with Sentinels', async () => {
    await using sentinels = await startRedisWithSentinels()
    await keepsRule(sentinelUrl(sentinels))
  })

  test('in a cluster, also for attempts at once', async () => {
    await using cluster = await startRedisCluster()
    await keepsRule(clusterUrl(cluster))
    await withRedis(clusterUrl(cluster), async (throttles) => {
      const buckets = ['a', 'b', 'c'].map((key) => ({ key, triesMax: 7, intervalMs: 90_000 }))
      const taken = await Promise.all(Array.from({ length: 30 }, () => throttles.take(buckets)))
      expect(taken.filter(({ ok }) => ok)).toHaveLength(7)
    })
  })

  test('whatever is stored at a key, the answer is a wait of at most one interval', async () => {
    await using redis = await startRedis()
    await withRedis(redis.url, async (throttles, clock) => {
      const bucket = { key: 'a', triesMax: 3, intervalMs: 1_000 }
      for (const value of [
        '',
        'x',
        'nan',
        'inf',
        '-inf',
        '-1',
        '1e300',
        String(clock.nowMs() + 3_000),
      ]) {
        await redis.client.set('countersign:{throttle}:a', value)
        const taken = await throttles.take([bucket])
        expect(taken.ok ? 0 : taken.retryAfterMs).toBeLessThanOrEqual(1_000)
      }
      await redis.client.del('countersign:{throttle}:a')
      await throttles.take([bucket])
      const ttl = await redis.client.pttl('countersign:{throttle}:a')
      expect(ttl).toBeGreaterThan(50_000)
      expect(ttl).toBeLessThanOrEqual(61_000)
    })
  })
})
