import { Redis } from 'ioredis'

import { endAll, roleOf, startAll, startRedis, untilTrue, type RunningRedis } from './redis.ts'

/** A primary with replicas, and Sentinels that replace a dead primary by a replica within about 2 s. */
export interface RedisWithSentinels extends AsyncDisposable {
  /** The name under which Sentinels know the primary. */
  readonly name: string
  /** All servers with data, whatever their role. */
  readonly nodes: readonly RunningRedis[]
  readonly sentinels: readonly RunningRedis[]
  /** A client that follows the primary. */
  readonly client: Redis
  /** The node that all Sentinels call the primary. Waits until they agree. */
  primary(): Promise<RunningRedis>
  /** Lets the Sentinels exchange the primary and a replica. Returns the new primary when it accepts writes. */
  failover(): Promise<RunningRedis>
  /** Kills the primary. Returns it and its successor when that accepts writes. */
  killPrimary(): Promise<{ readonly killed: RunningRedis; readonly primary: RunningRedis }>
  /** Waits until all nodes that were restarted follow the primary. */
  untilComplete(): Promise<void>
  /** Deletes all data. */
  flush(): Promise<void>
}

const NAME = 'countersign'
const QUORUM = 2

/** Starts a primary, two replicas and three Sentinels. */
export async function startRedisWithSentinels(): Promise<RedisWithSentinels> {
  const first = await startRedis()
  // A replica gets the data at once, not after the usual 5 s in which more replicas might come.
  await first.client.config('SET', 'repl-diskless-sync-delay', '0')
  const settings = [`replicaof 127.0.0.1 ${first.port}`, 'repl-diskless-sync-delay 0']
  const nodes = [first, ...(await startAll([startRedis({ settings }), startRedis({ settings })]))]
  await untilTrue(async () => (await Promise.all(nodes.map(roleOf))).every((r) => r.isConnected))
  const sentinels = await startAll([1, 2, 3].map(() => startSentinel(first.port)))
  await untilTrue(async () => (await Promise.all(sentinels.map(knowsAll))).every(Boolean))
  return new Sentinels(nodes, sentinels)
}

function startSentinel(primaryPort: number): Promise<RunningRedis> {
  const settings = [
    `sentinel monitor ${NAME} 127.0.0.1 ${primaryPort} ${QUORUM}`,
    `sentinel down-after-milliseconds ${NAME} 1000`,
    `sentinel failover-timeout ${NAME} 3000`,
  ]
  return startRedis({ settings, isSentinel: true })
}

async function knowsAll(sentinel: RunningRedis): Promise<boolean> {
  const fields = (await sentinel.client.call('SENTINEL', 'MASTER', NAME)) as string[]
  const field = (name: string): string | undefined => fields[fields.indexOf(name) + 1]
  return field('num-slaves') === '2' && field('num-other-sentinels') === '2'
}

async function primaryPortOf(sentinel: RunningRedis): Promise<number> {
  const answer = await sentinel.client.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', NAME)
  const [, port] = answer as string[]
  return Number(port)
}

class Sentinels implements RedisWithSentinels {
  readonly name = NAME
  readonly nodes: readonly RunningRedis[]
  readonly sentinels: readonly RunningRedis[]
  readonly client: Redis

  constructor(nodes: readonly RunningRedis[], sentinels: readonly RunningRedis[]) {
    this.nodes = nodes
    this.sentinels = sentinels
    const addresses = sentinels.map(({ port }) => ({ host: '127.0.0.1', port }))
    this.client = new Redis({ sentinels: addresses, name: NAME, sentinelRetryStrategy: () => 50 })
    this.client.on('error', () => {})
  }

  async primary(): Promise<RunningRedis> {
    let found: RunningRedis | undefined
    await untilTrue(async () => {
      found = await this.#agreed()
      return found !== undefined
    })
    return found!
  }

  /** The Sentinel that led a failover knows the new primary up to two seconds before the others. */
  async #agreed(): Promise<RunningRedis | undefined> {
    const ports = await Promise.all(this.sentinels.map(primaryPortOf))
    return this.nodes.find(({ port }) => ports.every((each) => each === port))
  }

  async failover(): Promise<RunningRedis> {
    const before = await this.primary()
    // One Sentinel only: each that is asked starts a failover of its own. It refuses until it knows a good replica.
    const { client } = this.sentinels[0]!
    await untilTrue(async () => (await client.call('SENTINEL', 'FAILOVER', NAME)) === 'OK')
    return this.#successorOf(before)
  }

  async killPrimary(): Promise<{ killed: RunningRedis; primary: RunningRedis }> {
    const killed = await this.primary()
    await killed.kill()
    return { killed, primary: await this.#successorOf(killed) }
  }

  async #successorOf(before: RunningRedis): Promise<RunningRedis> {
    let now = before
    await untilTrue(async () => {
      now = await this.primary()
      return now !== before && (await roleOf(now)).isPrimary
    })
    return now
  }

  async untilComplete(): Promise<void> {
    await untilTrue(async () => {
      const { port } = await this.primary()
      const roles = await Promise.all(this.nodes.map(roleOf))
      return (
        roles.every((r) => r.isConnected && (r.primaryPort ?? port) === port) &&
        roles.filter((r) => r.isPrimary).length === 1
      )
    })
  }

  async flush(): Promise<void> {
    await (await this.primary()).client.flushall()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.disconnect()
    await endAll([...this.sentinels, ...this.nodes])
  }
}
