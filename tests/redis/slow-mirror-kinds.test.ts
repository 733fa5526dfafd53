import { setTimeout as sleep } from 'node:timers/promises'

import { decodeJwt } from 'jose'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { runAuthority, type RunningAuthority } from '../revocation/support.ts'
import { startRedisCluster, type RedisCluster } from '../support/redis-cluster.ts'
import { startRedisWithSentinels, type RedisWithSentinels } from '../support/redis-sentinel.ts'
import type { RunningRedis } from '../support/redis.ts'
import { describeWith } from '../support/requirements.ts'
import { clusterUrl, sentinelUrl, startLegacyRedis } from './support.ts'

const PREFIX = 'countersign:revoked:'

/** The part of a client that a reader uses. */
interface Reader {
  get(key: string): Promise<string | null>
}

/** Decides as a reader of the mirror does: it reads the keys one by one, and the head last. */
async function decide(reader: Reader, access: string): Promise<'valid' | 'revoked' | 'unknown'> {
  const claims = decodeJwt(access)
  const keys = [`session:${String(claims['sid'])}`, `account:${String(claims.sub)}`]
  try {
    const marks = await Promise.all(keys.map((key) => reader.get(PREFIX + key)))
    const head = await reader.get(`${PREFIX}head`)
    if (head === null) return 'unknown'
    return marks.some((mark) => Number(mark ?? -1) > Number(claims['rvp'])) ? 'revoked' : 'valid'
  } catch {
    return 'unknown'
  }
}

function until(reader: Reader, access: string, expected: string): Promise<void> {
  return expect.poll(() => decide(reader, access)).toBe(expected)
}

/** Logs in and out at once. Returns the revoked token, when readers refuse it. */
async function revoke(it: RunningAuthority, reader: Reader, username: string): Promise<string> {
  const { access, refresh } = await it.login(username)
  await it.post('/api/token/blacklist/', { refresh })
  await until(reader, access, 'revoked')
  return access
}

/** A head is valid for three seconds. After that, a lost mark must be back, or there must be no head. */
async function expectNeverValid(reader: Reader, access: string): Promise<void> {
  await sleep(3_100)
  for (let tries = 0; tries < 100; tries += 1) {
    expect(await decide(reader, access)).not.toBe('valid')
    await sleep(20)
  }
  await until(reader, access, 'revoked')
}

/** From now on, writes of a primary do not reach replicas. So a failover loses them, although they were acknowledged. */
async function cutOff(replicas: readonly RunningRedis[], primary: RunningRedis): Promise<void> {
  for (const { client } of replicas) {
    await client.call('CONFIG', 'SET', 'masteruser', 'nobody')
    await client.call('CONFIG', 'SET', 'masterauth', 'wrong')
  }
  await primary.client.call('CLIENT', 'KILL', 'TYPE', 'replica')
}

describeWith('redis', 'the mirror in a Redis that knows only RESP2', () => {
  test.each([2, 3])('is filled with protocol=%i', async (protocol) => {
    await using redis = await startLegacyRedis()
    await using it = await runAuthority({ redisUrl: `${redis.url}?protocol=${protocol}` })
    await revoke(it, redis.client, 'alice')
    await until(redis.client, (await it.login('bob')).access, 'valid')
  })
})

describeWith('redis', 'the mirror with Sentinels', () => {
  let sentinels: RedisWithSentinels
  let it: RunningAuthority
  beforeAll(async () => {
    sentinels = await startRedisWithSentinels()
    it = await runAuthority({ redisUrl: sentinelUrl(sentinels) })
  })
  afterAll(async () => {
    await it?.[Symbol.asyncDispose]()
    await sentinels?.[Symbol.asyncDispose]()
  })

  test('is filled, and filled again after a flush', async () => {
    const access = await revoke(it, sentinels.client, 'alice')
    await until(sentinels.client, (await it.login('bob')).access, 'valid')
    await sentinels.flush()
    await expectNeverValid(sentinels.client, access)
  })

  test('is filled again after a failover, also if that lost acknowledged writes', async () => {
    const access = await revoke(it, sentinels.client, 'carol')
    await sentinels.killPrimary()
    await expectNeverValid(sentinels.client, access)
    await until(sentinels.client, (await it.login('bob')).access, 'valid')
    const lost = await it.login('dora')
    for (const node of sentinels.nodes) await node.start()
    await sentinels.untilComplete()
    const before = await sentinels.primary()
    await cutOff(
      sentinels.nodes.filter((node) => node !== before),
      before,
    )
    await it.post('/api/token/blacklist/', { refresh: lost.refresh })
    await until(sentinels.client, lost.access, 'revoked')
    await sentinels.killPrimary()
    await expectNeverValid(sentinels.client, lost.access)
    await expectNeverValid(sentinels.client, access)
  })
})

describeWith('redis', 'the mirror in a cluster', () => {
  let cluster: RedisCluster
  let it: RunningAuthority
  beforeAll(async () => {
    cluster = await startRedisCluster()
    it = await runAuthority({ redisUrl: clusterUrl(cluster) })
  })
  afterAll(async () => {
    await it?.[Symbol.asyncDispose]()
    await cluster?.[Symbol.asyncDispose]()
  })

  const keyOf = (access: string): string => `${PREFIX}session:${String(decodeJwt(access)['sid'])}`

  test('is filled on all primaries', async () => {
    const used = new Set<number>()
    for (let at = 0; used.size < 3 && at < 50; at += 1) {
      const access = await revoke(it, cluster.client, `user-${at}`)
      used.add((await cluster.primaryOf(keyOf(access))).port)
    }
    expect(used.size).toBe(3)
    await until(cluster.client, (await it.login('bob')).access, 'valid')
  })

  test('is filled again after one primary was flushed', async () => {
    const access = await revoke(it, cluster.client, 'carol')
    const primary = await cluster.primaryOf(keyOf(access))
    await primary.client.flushall()
    await expectNeverValid(cluster.client, access)
  })

  test('is filled again after a failover that lost acknowledged writes', async () => {
    // A login whose mark will be on a known primary, from which the replica is cut off meanwhile.
    const { access, refresh } = await it.login('dora')
    const primary = await cluster.primaryOf(keyOf(access))
    const replica = await cluster.replicaOf(primary)
    await cutOff([replica], primary)
    await it.post('/api/token/blacklist/', { refresh })
    await until(cluster.client, access, 'revoked')
    // Too fast for a command of the mirror to fail.
    await replica.client.call('CLUSTER', 'FAILOVER', 'TAKEOVER')
    await expect.poll(async () => (await cluster.primaryOf(keyOf(access))) === replica).toBe(true)
    await expectNeverValid(cluster.client, access)
    await until(cluster.client, (await it.login('bob')).access, 'valid')
  })
})
