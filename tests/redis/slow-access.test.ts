import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { expect, test } from 'vitest'

import { startServerProcess } from '../../packages/server/test/support/server-process.ts'
import { freePort } from '../../scripts/lib/processes.ts'
import { makeCertificate } from '../support/certificate.ts'
import { sharedPostgres } from '../support/postgres.ts'
import { startRedisCluster } from '../support/redis-cluster.ts'
import { startRedisWithSentinels } from '../support/redis-sentinel.ts'
import { startRedis, type RunningRedis } from '../support/redis.ts'
import { describeWith } from '../support/requirements.ts'
import { clusterUrl, sentinelUrl } from './support.ts'

const SECRET = 'a-secret:@/of redis'
const ENCODED = encodeURIComponent(SECRET)

/** The account of docs/operations/redis.md. */
const ACCOUNT = readFileSync(`${import.meta.dirname}/../../docs/operations/redis.md`, 'utf8')
  .match(/^user countersign on >PASSWORD (.*)$/m)![1]!
  .split(' ')

/** Lets only the documented account in. */
async function restrict(redis: RunningRedis): Promise<void> {
  await redis.client.call('ACL', 'SETUSER', 'countersign', 'on', `>${SECRET}`, ...ACCOUNT)
  await redis.client.call('ACL', 'SETUSER', 'default', 'resetpass', '>another')
}

/** Starts a server on PostgreSQL that counts an attempt in Redis, and returns its output. */
async function run(
  redisUrl: string,
  until: string,
  env: Record<string, string> = {},
  restMs = 0,
): Promise<string> {
  await using database = await (await sharedPostgres()).createDatabase()
  await using server = await startServerProcess({
    env: {
      REDIS_URL: redisUrl,
      DATABASE_URL: database.url,
      COUNTERSIGN_SECRET: 'the-secret-of-all-nodes-of-a-test-0123456789',
      COUNTERSIGN_THROTTLE: 'source=2/24h',
      ...env,
    },
  })
  await expect.poll(() => server.output()).toContain(until)
  await sleep(restMs)
  const statuses: number[] = []
  for (let at = 0; at < 3; at += 1) {
    const { status } = await fetch(`${server.url}/api/token/`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ username: 'admin', password: 'wrong' }),
    })
    statuses.push(status)
  }
  expect(statuses).toEqual([401, 401, 429])
  expect(server.output()).not.toContain(SECRET)
  expect(server.output()).not.toContain(ENCODED)
  return server.output()
}

describeWith('redis', 'a Redis with accounts', () => {
  test('is used with the documented account, with RESP2 and RESP3', async () => {
    await using redis = await startRedis()
    await restrict(redis)
    for (const protocol of [2, 3]) {
      const url = `redis://countersign:${ENCODED}@127.0.0.1:${redis.port}/0?protocol=${protocol}`
      expect(await run(url, 'mirror_ready')).not.toContain('redis_unavailable')
    }
    expect((await redis.client.keys('countersign:{throttle}:source:*')).length).toBe(2)
    const wrong = `redis://countersign:wrong@127.0.0.1:${redis.port}`
    expect(await run(wrong, 'mirror_failed')).toContain('redis_unavailable')
  })

  test('that may not publish counts attempts all the same, and reports no failure again and again', async () => {
    await using redis = await startRedis()
    await restrict(redis)
    await redis.client.call('ACL', 'SETUSER', 'countersign', '-publish')
    const url = `redis://countersign:${ENCODED}@127.0.0.1:${redis.port}/0`
    // The node sends itself a message each second.
    expect(await run(url, 'mirror_ready', {}, 4_000)).not.toMatch(/redis_(?:unavailable|recovered)/)
    expect((await redis.client.keys('countersign:{throttle}:source:*')).length).toBe(1)
  })

  test('is used through Sentinels that have a password of their own', async () => {
    await using sentinels = await startRedisWithSentinels()
    await restrict(await sentinels.primary())
    for (const { client } of sentinels.sentinels) {
      await client.call('ACL', 'SETUSER', 'default', 'resetpass', '>of-sentinels')
    }
    const url = sentinelUrl(sentinels).replace('://', `://countersign:${ENCODED}@`)
    await run(`${url}?sentinel_password=of-sentinels`, 'mirror_ready')
  })

  test('is used as a cluster', async () => {
    await using cluster = await startRedisCluster()
    await Promise.all(cluster.nodes.map(restrict))
    const url = clusterUrl(cluster).replace('://', `://countersign:${ENCODED}@`)
    await run(url, 'mirror_ready')
  })

  test('is used with TLS, and only with a certificate that is trusted', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'countersign-redis-tls-'))
    const { key, cert } = makeCertificate()
    const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
    writeFileSync(keyFile, key)
    writeFileSync(certFile, cert)
    const port = await freePort()
    const settings = [
      `tls-port ${port}`,
      `tls-key-file ${keyFile}`,
      `tls-cert-file ${certFile}`,
      `tls-ca-cert-file ${certFile}`,
      'tls-auth-clients no',
    ]
    try {
      await using redis = await startRedis({ settings })
      const url = `rediss://localhost:${port}`
      const trusted = await run(url, 'mirror_ready', { NODE_EXTRA_CA_CERTS: certFile })
      expect(trusted).not.toContain('redis_unavailable')
      expect((await redis.client.keys('countersign:{throttle}:source:*')).length).toBe(1)
      expect(await run(url, 'mirror_failed')).toContain('self-signed certificate')
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
