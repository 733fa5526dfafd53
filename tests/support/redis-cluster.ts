import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

import { Cluster } from 'ioredis'

import { freePort } from '../../scripts/lib/processes.ts'
import { endAll, roleOf, startAll, startRedis, untilTrue, type RunningRedis } from './redis.ts'

const run = promisify(execFile)

/** A cluster of three primaries, each with a replica that takes its place within about 3 s after it died. */
export interface RedisCluster extends AsyncDisposable {
  readonly nodes: readonly RunningRedis[]
  /** A client that finds the primary of each key. */
  readonly client: Cluster
  /** The node that accepts writes of a key. */
  primaryOf(key: string): Promise<RunningRedis>
  /** The replica of a primary. */
  replicaOf(primary: RunningRedis): Promise<RunningRedis>
  /** Exchanges a primary and its replica. Returns the new primary when it accepts writes. */
  failover(primary: RunningRedis): Promise<RunningRedis>
  /** Kills a primary. Returns its successor when that accepts writes. */
  killPrimary(primary: RunningRedis): Promise<RunningRedis>
  /** Waits until all nodes run, each primary has its replica, and the whole cluster answers. */
  untilComplete(): Promise<void>
  /** Deletes all data. */
  flush(): Promise<void>
}

const REDIS_CLI = '/usr/bin/redis-cli'
const NODES = 6

/** Starts six nodes and makes a cluster of them. */
export async function startRedisCluster(): Promise<RedisCluster> {
  const nodes = await startAll(Array.from({ length: NODES }, startNode))
  const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`)
  const options = ['--cluster-replicas', '1', '--cluster-yes']
  const cluster = new RunningCluster(nodes)
  try {
    await run(REDIS_CLI, ['--cluster', 'create', ...addresses, ...options])
    await cluster.untilComplete()
    return cluster
  } catch (error) {
    await cluster[Symbol.asyncDispose]()
    throw error
  }
}

async function startNode(): Promise<RunningRedis> {
  const settings = [
    'cluster-enabled yes',
    `cluster-port ${await freePort()}`,
    'cluster-node-timeout 1000',
    // A replica stands for election however long it has not heard of its primary.
    'cluster-replica-validity-factor 0',
    'repl-diskless-sync-delay 0',
  ]
  return startRedis({ settings })
}

class RunningCluster implements RedisCluster {
  readonly nodes: readonly RunningRedis[]
  readonly client: Cluster

  constructor(nodes: readonly RunningRedis[]) {
    this.nodes = nodes
    const addresses = nodes.map(({ port }) => ({ host: '127.0.0.1', port }))
    this.client = new Cluster(addresses, { lazyConnect: true, clusterRetryStrategy: () => 50 })
    this.client.on('error', () => {})
  }

  async primaryOf(key: string): Promise<RunningRedis> {
    for (const node of this.nodes) {
      // Any node knows the primary: it answers for itself, or redirects the question there.
      try {
        await node.client.exists(key)
        return node
      } catch (error) {
        const port = /^MOVED \d+ [\d.]+:(\d+)$/.exec((error as Error).message)?.[1]
        if (port !== undefined) return this.#nodeAt(Number(port))
      }
    }
    throw new Error(`no node knows the primary of ${key}`)
  }

  #nodeAt(port: number): RunningRedis {
    const node = this.nodes.find((each) => each.port === port)
    if (node === undefined) throw new Error(`port ${port} is no node of this cluster`)
    return node
  }

  async replicaOf(primary: RunningRedis): Promise<RunningRedis> {
    for (const node of this.nodes) {
      const role = await roleOf(node).catch(() => undefined)
      if (role?.primaryPort === primary.port) return node
    }
    throw new Error(`the primary at port ${primary.port} has no replica`)
  }

  async failover(primary: RunningRedis): Promise<RunningRedis> {
    const replica = await this.replicaOf(primary)
    await replica.client.cluster('FAILOVER')
    await this.#untilPrimary(replica)
    return replica
  }

  async killPrimary(primary: RunningRedis): Promise<RunningRedis> {
    const replica = await this.replicaOf(primary)
    await primary.kill()
    await this.#untilPrimary(replica)
    return replica
  }

  /** Waits until all nodes that answer know that a node is a primary. */
  async #untilPrimary(node: RunningRedis): Promise<void> {
    // An address, its flags, three times, the connection and the first of its slots.
    const line = new RegExp(`:${node.port}@\\S+ (?:myself,)?master - (?:\\d+ ){3}connected \\d`)
    await untilTrue(async () => {
      const views = await Promise.allSettled(
        this.nodes.map(({ client }) => client.call('CLUSTER', 'NODES')),
      )
      return views.every((view) => view.status === 'rejected' || line.test(String(view.value)))
    })
    await untilTrue(() => isOk(node))
  }

  async untilComplete(): Promise<void> {
    await untilTrue(async () => {
      const roles = await Promise.all(this.nodes.map(roleOf))
      const followed = new Set(roles.map(({ primaryPort }) => primaryPort))
      followed.delete(undefined)
      const oks = await Promise.all(this.nodes.map(isOk))
      return followed.size === NODES / 2 && roles.every((r) => r.isConnected) && oks.every(Boolean)
    })
  }

  async flush(): Promise<void> {
    const roles = await Promise.all(this.nodes.map(roleOf))
    await Promise.all(
      this.nodes.filter((_, i) => roles[i]?.isPrimary).map(({ client }) => client.flushall()),
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.disconnect()
    await endAll(this.nodes)
  }
}

/** Whether a node believes that the cluster answers for all keys, and knows all nodes. */
async function isOk({ client }: RunningRedis): Promise<boolean> {
  const info = String(await client.call('CLUSTER', 'INFO'))
  return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${NODES}`)
}
