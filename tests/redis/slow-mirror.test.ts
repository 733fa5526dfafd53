import { setTimeout as sleep } from 'node:timers/promises'

import { decodeJwt } from 'jose'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'

import { freePort, startProgram, type Started } from '../../scripts/lib/processes.ts'
import { startServerProcess } from '../../packages/server/test/support/server-process.ts'
import { runAuthority, type RunningAuthority } from '../revocation/support.ts'
import { describeWith } from '../support/requirements.ts'
import { startRedis, type RunningRedis } from '../support/redis.ts'

const PREFIX = 'countersign:revoked:'
const SERVICE_DIR = `${import.meta.dirname}/../../examples/python-service`

test('an unreachable Redis is logged once, without its password', async () => {
  const password = 'a-password-of-redis'
  await using server = await startServerProcess({
    env: { REDIS_URL: `redis://default:${password}@127.0.0.1:1/0` },
  })
  await expect.poll(() => server.output()).toContain('mirror_failed')
  await sleep(3_000)
  expect(server.output().match(/mirror_failed/g)).toHaveLength(1)
  expect(server.output()).toContain('ECONNREFUSED')
  expect(server.output()).not.toContain(password)
  const answer = await fetch(`${server.url}/readyz`)
  expect(answer.status).toBe(200)
})

describeWith('redis', 'the mirror in Redis', () => {
  let redis: RunningRedis
  let it: RunningAuthority
  let service: Started
  let serviceUrl: string

  beforeAll(async () => {
    redis = await startRedis()
    it = await runAuthority({ redisUrl: redis.url })
    const port = await freePort()
    serviceUrl = `http://127.0.0.1:${port}`
    service = await startProgram({
      command: ['/usr/bin/python3', 'service.py'],
      cwd: SERVICE_DIR,
      env: { ISSUER: it.url, REDIS_URL: redis.url, PORT: String(port) },
      readyUrl: serviceUrl,
    })
  })
  afterAll(async () => {
    await service[Symbol.asyncDispose]()
    await it[Symbol.asyncDispose]()
    await redis[Symbol.asyncDispose]()
  })
  afterEach(async () => {
    await untilStatus(200, (await it.login('afterwards')).access)
  })

  function me(access: string, path = '/me'): Promise<Response> {
    return fetch(`${serviceUrl}${path}`, { headers: { authorization: `Bearer ${access}` } })
  }
  /** Returns the time at which the last request was sent that had another status, from the call, in milliseconds. */
  async function untilStatus(status: number, access: string, withinMs = 60_000): Promise<number> {
    const from = performance.now()
    let lastMs = 0
    for (;;) {
      const sentMs = performance.now() - from
      const response = await me(access)
      if (response.status === status) return lastMs
      lastMs = sentMs
      if (performance.now() - from > withinMs) {
        throw new Error(`still ${response.status}: ${await response.text()}`)
      }
      await sleep(10)
    }
  }
  async function headNow(): Promise<{ position: number; floor: number; issuer: string }> {
    return JSON.parse((await redis.client.get(`${PREFIX}head`)) ?? '{}')
  }

  test('a service in Python rejects revoked tokens', async () => {
    const { access, refresh } = await it.login('alice')
    const other = await it.login('bob')
    expect((await me(access)).status).toBe(200)
    await it.post('/api/token/blacklist/', { refresh })
    await untilStatus(401, access)
    expect((await me(other.access)).status).toBe(200)
  })

  // Before the tests that restart the authority: for 30 s after a restart, such a request also waits for guards of the
  // previous process.
  test('a logout with ?wait=effective is answered when the mirror has the revocation', async () => {
    const { access, refresh } = await it.login('paul')
    const response = await it.post('/api/token/blacklist/?wait=effective', { refresh })
    expect((await me(access)).status).toBe(401)
    expect(await response.json()).toMatchObject({
      effective: { guards: 1, confirmed: 1, expired: 0 },
    })
  })

  test('the administrator of a tenant passes in that tenant only', async () => {
    const { accounts, tenants } = it.authority
    for (const name of ['globex', 'initech']) await tenants.create(name, 'test')
    await it.login('mallory')
    await tenants.setMember({ username: 'mallory', tenant: 'globex', roles: ['admin'] }, 'test')
    await it.login('olga')
    await accounts.addRole('olga', 'admin', 'test')
    const [mallory, olga] = [(await it.login('mallory')).access, (await it.login('olga')).access]
    expect(await (await me(mallory)).json()).toMatchObject({
      roles: [],
      tenant_name: 'globex',
      tenant_roles: ['admin'],
    })
    const statuses = async (token: string): Promise<readonly number[]> => {
      const { tid } = decodeJwt(mallory)
      const paths = ['reports', 'tenants/globex/reports', `tenants/${String(tid)}/reports`]
      const answers = [...paths, 'tenants/initech/reports', 'tenants/none/reports'].map((path) =>
        me(token, `/${path}`),
      )
      return (await Promise.all(answers)).map(({ status }) => status)
    }
    expect(await statuses(mallory)).toEqual([403, 200, 200, 403, 403])
    // A global administrator who is in no tenant.
    expect(await statuses(olga)).toEqual([200, 403, 403, 403, 403])
    expect((await me(olga, '/elsewhere')).status).toBe(404)
  })

  test('revocations of every subject that a token names: account, client, tenant, token', async () => {
    const { authority } = it
    const disabled = await it.login('carol')
    await authority.accounts.disable('carol', 'test')
    await untilStatus(401, disabled.access)
    // After a change of roles the token is stale here, as in guards. The next token is not.
    const changed = await it.login('dora')
    await authority.accounts.addRole('dora', 'editor', 'test')
    await untilStatus(401, changed.access)
    expect(await (await me((await it.login('dora')).access)).json()).toMatchObject({
      roles: ['editor'],
    })
    await authority.tenants.create('acme', 'test')
    await it.login('erik')
    await authority.tenants.setMember({ username: 'erik', tenant: 'acme', roles: [] }, 'test')
    const inTenant = await it.login('erik')
    expect(decodeJwt(inTenant.access)['tid']).toMatch(/^ten_/)
    await untilStatus(200, inTenant.access)
    await authority.tenants.disable('acme', 'test')
    await untilStatus(401, inTenant.access)
    const single = await it.login('fred')
    const revoked = await fetch(`${it.url}/oauth2/revoke`, {
      method: 'POST',
      headers: {
        authorization: `Basic ${Buffer.from(`${it.feed.clientId}:${it.feed.clientSecret}`).toString('base64')}`,
      },
      body: new URLSearchParams({ token: single.access }),
    })
    expect(revoked.status).toBe(200)
    await untilStatus(401, single.access)
  })

  test('positions only rise, and are stored longer than a token lives', async () => {
    const { access, refresh } = await it.login('gina')
    const { sid } = decodeJwt(access)
    const key = `${PREFIX}session:${String(sid)}`
    await redis.client.set(key, '9007199254740991')
    await it.post('/api/token/blacklist/', { refresh })
    await untilStatus(401, access)
    const { position } = await headNow()
    await expect.poll(async () => (await headNow()).position).toBeGreaterThanOrEqual(position)
    expect(await redis.client.get(key)).toBe('9007199254740991')
    const second = await it.login('gina')
    await it.post('/api/token/blacklist/', { refresh: second.refresh })
    await untilStatus(401, second.access)
    const pttl = await redis.client.pttl(
      `${PREFIX}session:${String(decodeJwt(second.access)['sid'])}`,
    )
    // Twice five minutes, and one minute of tolerance.
    expect(pttl).toBeGreaterThan(700_000)
    expect(pttl).toBeLessThanOrEqual(720_000)
  })

  test('after Redis was emptied, no token is accepted until it is filled again', async () => {
    const { access, refresh } = await it.login('hugo')
    await it.post('/api/token/blacklist/', { refresh })
    await untilStatus(401, access)
    await redis.client.flushall()
    // The token is never accepted. Without a head the answer is 503. When the head is back, so is the
    // revocation.
    for (let tries = 0; tries < 200; tries++) {
      expect([401, 503]).toContain((await me(access)).status)
      await sleep(10)
    }
    await untilStatus(401, access)
  })

  test('a Redis that crashes and restarts empty is filled from the log', async () => {
    const { access, refresh } = await it.login('ida')
    const good = await it.login('jan')
    await redis.kill()
    expect((await me(good.access)).status).toBe(503)
    // The authority keeps working.
    await it.post('/api/token/blacklist/', { refresh })
    await redis.start()
    await untilStatus(200, good.access)
    expect((await me(access)).status).toBe(401)
  })

  test('a mirror that is not renewed is not used after three seconds', async () => {
    const { access } = await it.login('kai')
    await it.stop()
    // An answer may be late on a busy machine. What counts is when its request was sent.
    expect(await untilStatus(503, access)).toBeLessThan(3_100)
    await it.start()
    await untilStatus(200, access)
  })

  test('after Redis was stopped and continued, no revoked token is accepted', async () => {
    const { access, refresh } = await it.login('lea')
    redis.signal('SIGSTOP')
    await it.post('/api/token/blacklist/', { refresh })
    await sleep(4_000)
    const asked = me(access)
    redis.signal('SIGCONT')
    expect([401, 503]).toContain((await asked).status)
    await untilStatus(401, access)
  })

  test('all tokens of a killed key are rejected', async () => {
    const { access } = await it.login('mia')
    const kid = JSON.parse(Buffer.from(access.split('.')[0]!, 'base64url').toString()).kid as string
    await redis.client.set(`${PREFIX}key:${kid}`, '1')
    expect((await me(access)).status).toBe(401)
    await redis.client.del(`${PREFIX}key:${kid}`)
    expect((await me(access)).status).toBe(200)
  })

  test('no token is accepted if Redis may evict keys', async () => {
    const { access } = await it.login('nora')
    await untilStatus(200, access)
    await redis.client.config('SET', 'maxmemory', '100mb')
    await redis.client.config('SET', 'maxmemory-policy', 'allkeys-lru')
    await untilStatus(503, access)
    await redis.client.config('SET', 'maxmemory-policy', 'noeviction')
    await untilStatus(200, access)
  })

  test('two issuers cannot share one Redis', async () => {
    const { access } = await it.login('olga')
    await using other = await runAuthority({ redisUrl: redis.url })
    await sleep(2_500)
    expect((await headNow()).issuer).toBe(it.url)
    expect((await me(access)).status).toBe(200)
    expect((await other.login()).access).toBeTypeOf('string')
  })
})
