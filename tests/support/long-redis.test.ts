import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'

import { startRedisCluster, type RedisCluster } from './redis-cluster.ts'
import { startRedisWithSentinels, type RedisWithSentinels } from './redis-sentinel.ts'
import { startRedis } from './redis.ts'
import { describeWith } from './requirements.ts'

describeWith('redis', 'a Redis', () => {
  test('is empty after it was killed and started, or replaced', async () => {
    await using redis = await startRedis()
    for (const renew of [
      () => redis.client.flushall(),
      () => redis.replace(),
      async () => {
        await redis.kill()
        await redis.start()
      },
    ]) {
      await redis.client.set('a', '1')
      await renew()
      expect(await redis.client.get('a')).toBeNull()
    }
  })

  test('says why it does not start', async () => {
    await expect(startRedis({ settings: ['no-such-setting yes'] })).rejects.toThrow(
      'Bad directive or wrong number of arguments',
    )
  })
})

describeWith('redis', 'a Redis with Sentinels', () => {
  let redis: RedisWithSentinels
  beforeAll(async () => void (redis = await startRedisWithSentinels()))
  afterAll(() => redis?.[Symbol.asyncDispose]())

  test('has one primary, whose data its replicas have', async () => {
    await redis.client.set('a', '1')
    await redis.client.wait(2, 0)
    for (const { client } of redis.nodes) expect(await client.get('a')).toBe('1')
    await redis.flush()
    expect(await redis.client.get('a')).toBeNull()
  })

  test('replaces a killed primary, and keeps what its replicas had', async () => {
    await redis.client.set('b', '1')
    await redis.client.wait(2, 0)
    const { killed, primary } = await redis.killPrimary()
    expect(primary.port).not.toBe(killed.port)
    // Sentinels name the new primary before it takes writes.
    await expect.poll(() => primary.client.get('b').catch(() => '')).toBe('1')
    await expect.poll(() => primary.client.set('b', '2').catch(() => '')).toBe('OK')
    await expect.poll(() => redis.client.get('b')).toBe('2')
    await killed.start()
    await redis.untilComplete()
    expect(await killed.client.get('b')).toBe('2')
  })

  test('exchanges primary and replica when it is asked to', async () => {
    const before = await redis.primary()
    const after = await redis.failover()
    expect(after.port).not.toBe(before.port)
    await expect.poll(() => after.client.set('c', '1').catch(() => '')).toBe('OK')
    await redis.untilComplete()
    await expect.poll(() => before.client.get('c')).toBe('1')
  })

  test('loses all data when the primary is replaced by an empty one at once', async () => {
    const primary = await redis.primary()
    await expect.poll(() => primary.client.set('d', '1').catch(() => '')).toBe('OK')
    await primary.replace()
    await redis.untilComplete()
    expect((await redis.primary()).port).toBe(primary.port)
    for (const { client } of redis.nodes) expect(await client.get('d')).toBeNull()
  })
})

describeWith('redis', 'a Redis cluster', () => {
  let redis: RedisCluster
  beforeAll(async () => void (redis = await startRedisCluster()))
  afterAll(() => redis?.[Symbol.asyncDispose]())
  beforeEach(() => redis.untilComplete())

  test('spreads its keys over three primaries', async () => {
    const keys = Array.from({ length: 30 }, (_, i) => `key ${i}`)
    await Promise.all(keys.map((key) => redis.client.set(key, '1')))
    const primaries = new Set(await Promise.all(keys.map((key) => redis.primaryOf(key))))
    expect(primaries.size).toBe(3)
    await redis.flush()
    expect(await Promise.all(keys.map((key) => redis.client.get(key)))).toEqual(
      keys.map(() => null),
    )
  })

  test('replaces a killed primary by its replica', async () => {
    await redis.client.set('b', '1')
    const killed = await redis.primaryOf('b')
    const successor = await redis.killPrimary(killed)
    expect((await redis.primaryOf('b')).port).toBe(successor.port)
    await expect.poll(() => redis.client.set('b', '2').catch(() => '')).toBe('OK')
    await killed.start()
    await redis.untilComplete()
    expect((await redis.replicaOf(successor)).port).toBe(killed.port)
  })

  test('exchanges primary and replica when it is asked to', async () => {
    await redis.client.set('c', '1')
    const before = await redis.primaryOf('c')
    const after = await redis.failover(before)
    expect((await redis.primaryOf('c')).port).toBe(after.port)
    await expect.poll(() => redis.client.get('c').catch(() => '')).toBe('1')
  })
})
