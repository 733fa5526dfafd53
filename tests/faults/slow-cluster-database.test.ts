import { setTimeout as sleep } from 'node:timers/promises'

import { afterAll, beforeAll, expect, test } from 'vitest'

import { startCluster, type Cluster } from '../cluster/cluster.ts'
import { describeWith } from '../support/requirements.ts'
import { breakUnderLoad, lasting, LASTS_MS } from './cluster-load.ts'

const SECONDS = `${LASTS_MS / 1000} s`
const SLOW_MS = 200

describeWith('cluster', 'three nodes on a PostgreSQL that fails', () => {
  let it: Cluster
  beforeAll(async () => void (it = await startCluster({ proxies: true })))
  afterAll(() => it?.[Symbol.asyncDispose]())

  test('while PostgreSQL is killed, writes get 503, and go on without help when it runs again', async () => {
    const { load } = await breakUnderLoad(it, {
      name: 'cluster-postgres-killed',
      fault: `three nodes on PostgreSQL: PostgreSQL killed, and started after ${SECONDS}`,
      breakAndMend: () =>
        lasting(
          () => it.postgres.kill(),
          () => it.postgres.start(),
        ),
    })
    expect(load.failed.busy).toBeGreaterThan(0)
  })

  test('while PostgreSQL stands still, keys and health answer', async () => {
    await breakUnderLoad(it, {
      name: 'cluster-postgres-paused',
      fault: `three nodes on PostgreSQL: PostgreSQL paused for ${SECONDS}`,
      breakAndMend: () =>
        lasting(
          () => it.postgres.signal('SIGSTOP'),
          () => it.postgres.signal('SIGCONT'),
        ),
    })
  })

  test.each(['refuse', 'silence'] as const)(
    'a node that PostgreSQL cannot be reached from: %s',
    async (how) => {
      const [cut] = it.proxies
      const text = how === 'refuse' ? 'connections are refused' : 'nothing passes'
      await breakUnderLoad(it, {
        name: `cluster-node-cut-${how}`,
        fault: `three nodes on PostgreSQL: ${text} between one node and PostgreSQL for ${SECONDS}`,
        breakAndMend: () =>
          lasting(
            () => cut!.cut(how),
            () => cut!.restore(),
          ),
      })
    },
  )

  test.each(['refuse', 'silence'] as const)(
    'PostgreSQL cannot be reached from any node: %s',
    async (how) => {
      const text = how === 'refuse' ? 'connections are refused' : 'nothing passes'
      await breakUnderLoad(it, {
        name: `cluster-cut-${how}`,
        fault: `three nodes on PostgreSQL: ${text} between all nodes and PostgreSQL for ${SECONDS}`,
        async breakAndMend() {
          await Promise.all(it.proxies.map((proxy) => proxy.cut(how)))
          await sleep(LASTS_MS)
          await Promise.all(it.proxies.map((proxy) => proxy.restore()))
        },
      })
    },
  )

  test(`a network that takes ${SLOW_MS} ms in each direction fails no request`, async () => {
    const setAll = (delayMs: number): void => {
      for (const proxy of it.proxies) proxy.slow(delayMs)
    }
    const { load } = await breakUnderLoad(it, {
      name: 'cluster-network-slow',
      fault: `three nodes on PostgreSQL: the network to PostgreSQL takes ${SLOW_MS} ms in each direction for ${SECONDS}`,
      breakAndMend: () =>
        lasting(
          () => setAll(SLOW_MS),
          () => setAll(0),
        ),
    })
    expect(load.failed).toEqual({ busy: 0, unanswered: 0 })
  })
})
