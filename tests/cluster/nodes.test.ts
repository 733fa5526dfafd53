import { Client } from 'pg'
import { expect, test } from 'vitest'

import { createSystemRandom } from '../../packages/server/src/base/random.ts'
import { systemClock } from '../../packages/server/src/base/clock.ts'
import { KeyRing, keepUp, killKey } from '../../packages/server/src/keys/ring.ts'
import { storedSchedule } from '../../packages/server/src/keys/schedule.ts'
import { createSealer } from '../../packages/server/src/keys/sealing.ts'
import { openStore } from '../../packages/server/src/store/open.ts'
import { decide } from '../revocation/support.ts'
import {
  login,
  logoutEverywhere,
  loseEntries,
  openCluster,
  SECRET,
  type Cluster,
  type TestNode,
} from './support.ts'

const PATIENCE = { timeout: 60_000, interval: 20 }

async function openTwo(cluster: Cluster): Promise<readonly [TestNode, TestNode]> {
  const one = await cluster.open()
  return [one, await cluster.open()]
}

/** Waits until a node knows that no unknown process may have guards. */
async function untilSettled(cluster: Cluster, count: number): Promise<void> {
  const settled = async (): Promise<unknown> =>
    (await cluster.database.query('SELECT 1 FROM nodes WHERE is_settled = 1 AND has_left = 0'))
      .length
  await expect.poll(settled, PATIENCE).toBe(count)
}

test('a logout at one node waits for the guards of the other', async () => {
  await using cluster = await openCluster()
  const [one, two] = await openTwo(cluster)
  await untilSettled(cluster, 2)
  const guards = [await one.guard(), await two.guard(), await two.guard()]
  for (const node of [one, two, one, two]) {
    const { access, refresh } = await login(node)
    for (const guard of guards) await expect.poll(() => decide(guard, access), PATIENCE).toBe('ok')
    const effective = await logoutEverywhere(node, refresh)
    // At this moment, without waiting.
    for (const guard of guards) expect(decide(guard, access)).toBe('session_ended')
    expect(effective).toMatchObject({ guards: 3, confirmed: 3, expired: 0 })
    // Far below the half minute after which a silent guard has no lease.
    expect(effective.ms).toBeLessThan(20_000)
  }
})

test('two callers on different nodes wait for different positions at once', async () => {
  await using cluster = await openCluster()
  const [one, two] = await openTwo(cluster)
  await untilSettled(cluster, 2)
  const guards = [await one.guard(), await two.guard()]
  const pairs = await Promise.all(
    ['alice', 'bob', 'carol', 'dora'].map((name, index) => login(index % 2 ? one : two, name)),
  )
  const reports = await Promise.all(
    pairs.map(({ refresh }, index) => logoutEverywhere(index % 2 ? two : one, refresh)),
  )
  for (const { access } of pairs) {
    for (const guard of guards) expect(decide(guard, access)).toBe('session_ended')
  }
  for (const each of reports) expect(each).toMatchObject({ guards: 2, confirmed: 2, expired: 0 })
})

test('a wait includes no node that has left without guards', async () => {
  await using cluster = await openCluster()
  const [one, two] = await openTwo(cluster)
  await untilSettled(cluster, 2)
  await two.close()
  const { refresh } = await login(one)
  const effective = await logoutEverywhere(one, refresh)
  expect(effective).toMatchObject({ guards: 0, expired: 0 })
  expect(effective.ms).toBeLessThan(20_000)
  expect(one.lines.map(({ event }) => event)).toContain('node_left')
})

test('a node that closes answers a wait for the other node with 503, never with 200', async () => {
  await using cluster = await openCluster()
  const [one, two] = await openTwo(cluster)
  await untilSettled(cluster, 2)
  let isCut = false
  const { feed } = two.authority
  await two.guard({
    feed: {
      connect(guardId, { message, ended }) {
        const line = feed.connect(guardId, { message: (text) => isCut || message(text), ended })
        return { send: (text) => isCut || line.send(text), close: () => isCut || line.close() }
      },
    },
  })
  isCut = true
  const { refresh } = await login(one)
  const asking = one.post('/api/token/blacklist/?wait=effective', { refresh })
  const head = (): Promise<unknown> =>
    cluster.database.query('SELECT position FROM revocation_head')
  await expect.poll(head, PATIENCE).toEqual([{ position: '1' }])
  one.authority.feed.close()
  const answer = await asking
  expect(answer.status).toBe(503)
  expect(await answer.json()).toMatchObject({ code: 'wait_interrupted' })
})

test('a node whose heartbeats fail echoes nothing, until one succeeds', async () => {
  await using cluster = await openCluster()
  const node = await cluster.open()
  const guard = await node.guard()
  expect(guard.isFresh('strict')).toBe(true)
  const blocker = new Client({ connectionString: cluster.database.url })
  await blocker.connect()
  try {
    // Heartbeats wait, and everything else works: the head of the log can be read.
    await blocker.query('BEGIN; LOCK TABLE nodes IN EXCLUSIVE MODE')
    await expect.poll(() => guard.isFresh('strict'), PATIENCE).toBe(false)
    expect((await node.post('/api/token/verify/', { token: 'x' })).status).toBe(401)
    await blocker.query('COMMIT')
    await expect.poll(() => guard.isFresh('strict'), PATIENCE).toBe(true)
  } finally {
    await blocker.end()
  }
})

test('one node leads; another takes over when it leaves', async () => {
  await using cluster = await openCluster()
  const [one, two] = await openTwo(cluster)
  const events = ({ lines }: TestNode): readonly string[] =>
    lines.map(({ event }) => String(event)).filter((event) => event.startsWith('lead_'))
  await expect.poll(() => events(one), PATIENCE).toEqual(['lead_taken'])
  expect(events(two)).toEqual([])
  await one.close()
  await expect.poll(() => events(two), PATIENCE).toEqual(['lead_taken'])
})

test('three nodes start at once on an empty database: one key ring', async () => {
  await using cluster = await openCluster()
  const nodes = await Promise.all([cluster.open(), cluster.open(), cluster.open()])
  const [first, ...others] = await Promise.all(nodes.map(jwksOf))
  for (const each of others) expect(each).toEqual(first)
  const rows = await cluster.database.query(
    `SELECT use FROM keys WHERE state = 'active' ORDER BY use`,
  )
  expect(rows).toEqual([{ use: 'access' }, { use: 'refresh' }])
  const { access } = await login(nodes[0])
  for (const { authority } of nodes) expect(authority.verify(access).ok).toBe(true)
})

test('two nodes that rotate and kill keys at once agree within a second', async () => {
  await using cluster = await openCluster()
  const nodes = await openTwo(cluster)
  const stores = await Promise.all(
    [1, 2].map(() =>
      openStore(
        { dataDir: '', databaseUrl: cluster.database.url, databaseConnectionsMax: 3 },
        { exclusive: false, clock: systemClock },
      ),
    ),
  )
  try {
    const random = createSystemRandom()
    const sealer = createSealer([SECRET], random)
    const rings = await Promise.all(
      stores.map(async ({ keys: store, clock }) => {
        const schedule = await storedSchedule(store)
        return { store, clock, random, sealer, schedule }
      }),
    )
    for (let round = 0; round < 3; round += 1) {
      const [key] = await cluster.database.query<{ kid: string }>(
        `SELECT kid FROM keys WHERE state = 'active' AND use = 'access'`,
      )
      const kid = String(key?.kid)
      const killed = await Promise.all([
        killKey(rings[0]!, kid, 'test'),
        killKey(rings[1]!, kid, 'test'),
        keepUp(rings[0]!, { actor: 'test', force: ['refresh'] }),
        keepUp(rings[1]!, { actor: 'test' }),
      ])
      expect(killed.slice(0, 2).filter(Boolean)).toHaveLength(1)
      const active = await cluster.database.query(
        `SELECT use FROM keys WHERE state = 'active' ORDER BY use`,
      )
      expect(active).toEqual([{ use: 'access' }, { use: 'refresh' }])
      const changedAt = performance.now()
      const wanted = (await KeyRing.read(rings[0]!)).jwks.keys.map((each) => each.kid)
      for (const node of nodes) await expect.poll(() => kidsOf(node), PATIENCE).toEqual(wanted)
      // A busy machine may take some seconds.
      expect(performance.now() - changedAt).toBeLessThan(10_000)
    }
    const { access } = await login(nodes[0])
    for (const { authority } of nodes) expect(authority.verify(access).ok).toBe(true)
  } finally {
    for (const store of stores) await store.close()
  }
})

test('nodes that notice the same loss together repair the log once', async () => {
  await using cluster = await openCluster()
  const nodes = await Promise.all([cluster.open(), cluster.open(), cluster.open()])
  for (const name of ['a', 'b', 'c', 'd', 'e']) {
    const { refresh } = await login(nodes[0], name)
    expect((await nodes[0].post('/api/token/blacklist/', { refresh })).status).toBe(200)
  }
  const { access, refresh } = await login(nodes[1], 'f')
  for (const { authority } of nodes) {
    await expect.poll(() => authority.verify(access).ok, PATIENCE).toBe(true)
  }
  await loseEntries(cluster.database, 3)
  const repairs = (): readonly unknown[] =>
    nodes.flatMap(({ lines }) => lines.filter(({ event }) => event === 'log_repaired'))
  await expect.poll(repairs, PATIENCE).toHaveLength(1)
  expect(repairs()).toMatchObject([{ kind: 'rejoin', recovered: 2 }])
  // Nobody was signed out.
  expect((await nodes[2].post('/api/token/refresh/', { refresh })).status).toBe(200)
})

async function jwksOf({ authority }: TestNode): Promise<unknown> {
  const { publicUrl } = authority.settings
  return (await authority.fetch(new Request(`${publicUrl}/.well-known/jwks.json`))).json()
}

async function kidsOf(node: TestNode): Promise<readonly string[]> {
  const { keys } = (await jwksOf(node)) as { keys: { kid: string }[] }
  return keys.map(({ kid }) => kid)
}
