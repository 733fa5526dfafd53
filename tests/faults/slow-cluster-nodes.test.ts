import { setTimeout as sleep } from 'node:timers/promises'

import { afterAll, beforeAll, expect, test } from 'vitest'

import { claimsOf } from '../../packages/server/test/support/forge.ts'
import { HttpClient } from '../../packages/server/test/support/http-client.ts'
import { sized } from '../../packages/server/test/support/long.ts'
import { ADMIN } from '../../packages/server/test/support/server-process.ts'
import { startCluster, type Cluster } from '../cluster/cluster.ts'
import { describeWith } from '../support/requirements.ts'
import { breakUnderLoad, lasting } from './cluster-load.ts'

const KILLS = sized(3, 12)
/** Longer than the grace of rotation in the long form: nobody may be logged out by a request that was stuck in the node. */
const PAUSED_MS = sized(2_000, 25_000)
const HOUR_SEC = 3_600

describeWith('cluster', 'three nodes on PostgreSQL', () => {
  let it: Cluster
  beforeAll(async () => void (it = await startCluster()))
  afterAll(() => it?.[Symbol.asyncDispose]())

  test(`${KILLS} kills of nodes, one after the other, lose nothing that was answered`, async () => {
    await breakUnderLoad(it, {
      name: 'cluster-node-killed',
      fault: `three nodes on PostgreSQL: a node killed and started again, ${KILLS} times`,
      healthy: [],
      async breakAndMend() {
        for (let n = 0; n < KILLS; n += 1) {
          const node = it.nodes[n % it.nodes.length]!
          await sleep(Math.random() * 200)
          await node.kill()
          await sleep(200)
          await node.start()
        }
      },
    })
  })

  test(`a node that stands still for ${PAUSED_MS / 1000} s logs nobody out`, async () => {
    const [paused, ...healthy] = it.nodes
    await breakUnderLoad(it, {
      name: 'cluster-node-paused',
      fault: `three nodes on PostgreSQL: a node paused for ${PAUSED_MS / 1000} s`,
      healthy,
      async breakAndMend() {
        paused!.pause()
        await sleep(PAUSED_MS)
        paused!.resume()
        // It now works on what it had received before.
        await sleep(1_000)
      },
    })
  })

  test('a restart of all nodes by SIGTERM, one after the other, drops nothing', async () => {
    const { load } = await breakUnderLoad(it, {
      name: 'cluster-rolling-restart',
      fault: 'three nodes on PostgreSQL: all restarted by SIGTERM, one after the other',
      healthy: [],
      async breakAndMend() {
        for (const node of it.nodes) {
          const client = new HttpClient(node.url)
          const stopping = node.stop()
          // Asked while it still answers.
          await expect
            .poll(async () => (await client.get('/readyz')).status, { interval: 5 })
            .toBe(503)
          client.close()
          expect(await stopping).toBe(0)
          await node.start()
        }
      },
    })
    expect(load.failed).toEqual({ busy: 0, unanswered: 0 })
  })
})

describeWith('faketime', 'three nodes on PostgreSQL, one with a wrong clock', () => {
  test('a node whose clock is an hour ahead or behind logs nobody out', async () => {
    await using it = await startCluster({ ownClock: true })
    const http = new HttpClient(it.nodes[0]!.url)
    await breakUnderLoad(it, {
      name: 'cluster-node-clock',
      fault: 'three nodes on PostgreSQL: the clock of one node an hour ahead, then an hour behind',
      async breakAndMend() {
        for (const aheadSec of [HOUR_SEC, -HOUR_SEC]) {
          await lasting(
            () => it.clock?.moveTo(aheadSec),
            async () => {
              const { access } = await http.login(ADMIN)
              // The clock of the database decides.
              const issuedAheadSec = Number(claimsOf(access)['iat']) - Date.now() / 1000
              expect(Math.abs(issuedAheadSec)).toBeLessThan(60)
            },
          )
        }
        it.clock?.moveTo(0)
      },
    })
    http.close()
  })
})
