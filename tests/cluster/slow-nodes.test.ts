import { createGuard, type Guard } from '@countersign/guard'
import { expect, test } from 'vitest'

import {
  ADMIN,
  freePort,
  startServerProcess,
  type ServerProcess,
} from '../../packages/server/test/support/server-process.ts'
import { decide } from '../revocation/support.ts'
import { sharedPostgres } from '../support/postgres.ts'
import {
  login,
  logoutEverywhere,
  loseEntries,
  openCluster,
  SECRET,
  until,
  type Cluster,
  type TestNode,
} from './support.ts'

/** A node in this process, and one in a process of its own, with a guard that is connected to that one. */
interface TwoNodes extends AsyncDisposable {
  readonly cluster: Cluster
  readonly here: TestNode
  readonly there: ServerProcess
  readonly guard: Guard
}

async function openTwo(): Promise<TwoNodes> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const cluster = await openCluster(url)
  const here = await cluster.open()
  const there = await startServerProcess({
    port,
    env: {
      DATABASE_URL: cluster.database.url,
      COUNTERSIGN_SECRET: SECRET,
      COUNTERSIGN_PUBLIC_URL: url,
    },
  })
  const created = await here.authority.clients.create({ name: 'guards' }, 'test')
  if (!created.ok) throw new Error(created.text)
  const { client, secret } = created.value
  const guard = createGuard({
    issuer: url,
    feed: { clientId: client.id, clientSecret: secret.secret },
    onKeysError: () => {},
    onFeedError: () => {},
  })
  await guard.ready()
  const settled = 'SELECT 1 FROM nodes WHERE is_settled = 1'
  await until(async () => (await cluster.database.query(settled)).length === 2)
  return {
    cluster,
    here,
    there,
    guard,
    async [Symbol.asyncDispose]() {
      guard.close()
      there.child.kill('SIGCONT')
      await there[Symbol.asyncDispose]()
      await cluster[Symbol.asyncDispose]()
    },
  }
}

// Each waits for half a minute, so they run together.
test.concurrent('a wait includes the guards of a node that was killed, until their leases have expired', async () => {
  await using nodes = await openTwo()
  const { here, there, guard } = nodes
  const { access, refresh } = await login(here)
  await until(() => decide(guard, access) === 'ok')
  await there.stop('SIGKILL')
  const effective = await logoutEverywhere(here, refresh)
  expect(decide(guard, access)).not.toBe('ok')
  expect(effective).toMatchObject({ guards: 1, confirmed: 0, expired: 1 })
  expect(effective.ms).toBeGreaterThan(20_000)
  // From now on, nobody waits for the dead node.
  const later = await login(here, 'bob')
  await until(() => here.lines.some(({ event }) => event === 'node_silent'))
  const next = await logoutEverywhere(here, later.refresh)
  expect(next.expired).toBe(next.guards)
  expect(next.ms).toBeLessThan(15_000)
})

test.concurrent('a wait includes the guards of a node that is paused; later it echoes nothing old', async () => {
  await using nodes = await openTwo()
  const { here, there, guard } = nodes
  const { access, refresh } = await login(here)
  await until(() => decide(guard, access) === 'ok')
  there.child.kill('SIGSTOP')
  const effective = await logoutEverywhere(here, refresh)
  expect(decide(guard, access)).not.toBe('ok')
  expect(effective).toMatchObject({ guards: 1, confirmed: 0, expired: 1 })
  there.child.kill('SIGCONT')
  const decided: string[] = []
  const note = (): boolean => {
    decided.push(decide(guard, access))
    return guard.isFresh('strict')
  }
  await until(note)
  expect(decided).not.toContain('ok')
  expect(decide(guard, access)).toBe('session_ended')
  const later = await login(here, 'bob')
  expect(await logoutEverywhere(here, later.refresh)).toMatchObject({ guards: 1, confirmed: 1 })
})

test.concurrent('a wait includes a guard of another node that is cut off, until its lease has expired', async () => {
  await using cluster = await openCluster()
  const one = await cluster.open()
  const two = await cluster.open()
  let isCut = false
  const { feed } = two.authority
  const cutOff = await two.guard({
    feed: {
      connect(guardId, { message, ended }) {
        const line = feed.connect(guardId, { message: (text) => isCut || message(text), ended })
        return { send: (text) => isCut || line.send(text), close: () => isCut || line.close() }
      },
    },
  })
  const other = await two.guard()
  const { access, refresh } = await login(one)
  for (const guard of [cutOff, other]) {
    await until(() => decide(guard, access) === 'ok')
  }
  isCut = true
  const effective = await logoutEverywhere(one, refresh)
  expect(decide(cutOff, access)).not.toBe('ok')
  expect(decide(other, access)).toBe('session_ended')
  expect(effective).toMatchObject({ guards: 2, confirmed: 1, expired: 1 })
  expect(effective.ms).toBeGreaterThan(20_000)
})

test.concurrent('nodes that see a token from lost entries at once sign everyone out once', async () => {
  await using cluster = await openCluster()
  const first = await cluster.open()
  for (const name of ['a', 'b', 'c', 'd', 'e']) {
    const { refresh } = await login(first, name)
    expect((await first.post('/api/token/blacklist/', { refresh })).status).toBe(200)
  }
  const { access } = await login(first, 'f')
  await first.close()
  await loseEntries(cluster.database, 3)
  const nodes = await Promise.all([cluster.open(), cluster.open(), cluster.open()])
  const ask = (node: TestNode, token: string): Promise<Response> =>
    node.authority.fetch(
      new Request(`${cluster.url}/auth/me`, { headers: { authorization: `Bearer ${token}` } }),
    )
  await Promise.all(nodes.map((node) => ask(node, access)))
  const times = async (): Promise<unknown> => {
    const [row] = await cluster.database.query<{ times: number }>(
      `SELECT count(*)::int AS times FROM revocations WHERE kind = 'issuer'`,
    )
    return row?.times
  }
  await until(async () => (await times()) === 1)
  const keysOf = async (node: TestNode): Promise<string> =>
    (await node.authority.fetch(new Request(`${cluster.url}/.well-known/jwks.json`))).text()
  await until(async () => new Set(await Promise.all(nodes.map(keysOf))).size === 1)
  const fresh = await login(nodes[1], 'g')
  for (const node of nodes) {
    await until(async () => (await ask(node, fresh.access)).status === 200)
    // The old token is no new evidence.
    expect((await ask(node, access)).status).toBe(401)
  }
  for (const node of nodes) expect((await ask(node, fresh.access)).status).toBe(200)
  expect(await times()).toBe(1)
})

test('servers that start together on an empty database create one first account', async () => {
  const database = await (await sharedPostgres()).createDatabase()
  const env = { DATABASE_URL: database.url, COUNTERSIGN_SECRET: SECRET }
  const servers = await Promise.all([1, 2, 3].map(() => startServerProcess({ env })))
  try {
    expect(await database.query('SELECT username FROM accounts')).toEqual([
      { username: ADMIN.username },
    ])
    expect(await database.query(`SELECT 1 FROM keys WHERE state = 'active'`)).toHaveLength(2)
    for (const { url } of servers) {
      const answer = await fetch(`${url}/api/token/`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(ADMIN),
      })
      expect(answer.status).toBe(200)
    }
  } finally {
    for (const server of servers) await server[Symbol.asyncDispose]()
    await database[Symbol.asyncDispose]()
  }
})
