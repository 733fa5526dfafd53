import { setTimeout as sleep } from 'node:timers/promises'

import { createGuard } from '@countersign/guard'
import { Client } from 'pg'
import { expect, test } from 'vitest'

import { claimsOf } from '../../packages/server/test/support/forge.ts'
import { ADMIN } from '../../packages/server/test/support/server-process.ts'
import { startCluster, type Cluster } from '../cluster/cluster.ts'
import { bodyOf } from '../cluster/people.ts'
import { startReplica, type Replica } from '../support/postgres-replica.ts'
import { startPostgres, type Postgres } from '../support/postgres.ts'
import { describeWith } from '../support/requirements.ts'
import { TcpProxy } from '../support/tcp-proxy.ts'
import type { Pair } from '../../packages/server/test/support/authority.ts'
import type { HttpAnswer } from '../../packages/server/test/support/http-client.ts'
import { breakUnderLoad } from './cluster-load.ts'
import { recordFault } from './record.ts'

/** Does the work of the operator's tools after the primary has died: the replica takes over its address. */
async function failOver(it: Cluster, primary: Postgres, replica: Replica): Promise<void> {
  await primary.kill()
  await replica.promote()
  for (const proxy of it.proxies) proxy.leadTo(replica.port)
}

/** Asks the database of the cluster in the replica. */
function queryIn(it: Cluster, replica: Replica) {
  return async (sql: string): Promise<Record<string, unknown>[]> => {
    const url = new URL(it.databaseUrl)
    url.port = String(replica.port)
    const client = new Client({ connectionString: url.href })
    client.on('error', () => {})
    await client.connect()
    try {
      return (await client.query<Record<string, unknown>>(sql)).rows
    } finally {
      await client.end()
    }
  }
}

/** Repeats a request while a node has not found the new primary yet, as `Retry-After` tells clients to do. */
async function whenBack(send: () => Promise<HttpAnswer>): Promise<HttpAnswer> {
  for (;;) {
    const answer = await send()
    if (answer.status !== 503) return answer
    expect(answer.headers['retry-after']).toBeDefined()
    await sleep(100)
  }
}

describeWith('cluster', 'failover of PostgreSQL', () => {
  test('to a synchronous replica loses nothing that was acknowledged', async () => {
    await using primary = await startPostgres()
    await using it = await startCluster({ postgres: primary, proxies: true })
    await using replica = await startReplica(primary, { synchronous: true })
    await breakUnderLoad(it, {
      name: 'cluster-failover-synchronous',
      fault: 'three nodes on PostgreSQL: failover to a synchronous replica',
      query: queryIn(it, replica),
      breakAndMend: () => failOver(it, primary, replica),
    })
  })

  test('to an asynchronous replica loses the newest log-ins, and no revocation that a node or guard holds', async () => {
    await using primary = await startPostgres()
    await using it = await startCluster({ postgres: primary, proxies: true })
    await using line = await TcpProxy.start(primary.port)
    await using replica = await startReplica(primary, { primaryPort: line.port })
    const query = queryIn(it, replica)
    const http = it.client()
    const guard = createGuard({ issuer: it.issuer, feed: await it.createServiceAccount() })
    try {
      await guard.ready()
      const kept = await http.login(ADMIN)
      const ended = await http.login(ADMIN)
      await replica.untilCaughtUp()
      await line.cut('refuse')

      // The replica learns nothing of these.
      const lost = await http.login(ADMIN)
      const out = await http.post('/api/token/blacklist/', { refresh: ended.refresh })
      expect(out.status).toBe(200)
      const codeOf = async (token: string): Promise<string> => {
        const result = await guard.verify(token, { policy: 'strict' })
        return result.ok ? 'ok' : result.code
      }
      await expect.poll(() => codeOf(ended.access)).toBe('session_ended')
      const from = performance.now()
      await failOver(it, primary, replica)

      // The revocation is in the new primary before anybody could use the session again.
      const ask = (): Promise<number> =>
        http.post('/api/token/verify/', { token: kept.access }).then(({ status }) => status)
      await expect.poll(ask).toBe(200)
      const backMs = Math.round(performance.now() - from)
      await expect
        .poll(() => query(`SELECT 1 FROM audit WHERE event = 'log_repaired'`))
        .toHaveLength(1)
      expect(await codeOf(ended.access)).not.toBe('ok')
      const refresh = ({ refresh: token }: Pick<Pair, 'refresh'>): Promise<HttpAnswer> =>
        whenBack(() => http.post('/api/token/refresh/', { refresh: token }))
      const again = await refresh(ended)
      expect(again.status).toBe(401)
      const ends = `SELECT subject FROM revocations WHERE kind = 'session'`
      expect(await query(ends)).toEqual([{ subject: claimsOf(ended.access)['sid'] }])

      // The session of the lost login is gone. All other sessions continue.
      const refused = await refresh(lost)
      expect(refused.status).toBe(401)
      const next = bodyOf<Pair>(await refresh(kept))
      await expect.poll(() => codeOf(next.access)).toBe('ok')
      await whenBack(() => http.post('/api/token/blacklist/', { refresh: next.refresh }))
      await expect.poll(() => codeOf(next.access)).toBe('session_ended')
      recordFault('cluster-failover-asynchronous', {
        fault:
          'three nodes on PostgreSQL: failover to an asynchronous replica that missed a log-in and a log-out',
        outcome: `requests answered after ${backMs} ms; the log-out came back from the nodes and the guard; the lost log-in had to be repeated`,
      })
    } finally {
      guard.close()
    }
  })

  test('a revocation that no node and no guard holds any more is reported by the first token that proves it', async () => {
    await using primary = await startPostgres()
    await using it = await startCluster({ postgres: primary, proxies: true })
    await using line = await TcpProxy.start(primary.port)
    await using replica = await startReplica(primary, { primaryPort: line.port })
    const query = queryIn(it, replica)
    const http = it.client()
    const ended = await http.login(ADMIN)
    await replica.untilCaughtUp()
    await line.cut('refuse')
    await http.post('/api/token/blacklist/', { refresh: ended.refresh })
    const after = await http.login(ADMIN)
    // All copies in memory go with the primary.
    for (const node of it.nodes) await node.kill()
    await failOver(it, primary, replica)
    await Promise.all(it.nodes.map((node) => node.start()))
    await sleep(1_500) // Nginx asks a node again that was dead.

    const answer = await http.post('/api/token/verify/', { token: after.access })
    expect(answer.status).toBe(401)
    await expect
      .poll(() => query(`SELECT 1 FROM audit WHERE event = 'log_started_over'`))
      .toHaveLength(1)
    const again = await http.post('/api/token/refresh/', { refresh: ended.refresh })
    expect(again.status).toBe(401)
    await http.login(ADMIN)
    recordFault('cluster-failover-nobody', {
      fault:
        'three nodes on PostgreSQL: failover to an asynchronous replica, all nodes restarted, no guard connected',
      outcome: 'the first token that is ahead of the log proved the loss, and all sessions ended',
    })
  })
})
