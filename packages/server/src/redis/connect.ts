import { once } from 'node:events'

import { Cluster, Redis } from 'ioredis'

import { parseRedisUrl, type RedisAddress } from './url.ts'

/** A connection to one Redis, to the primary that Sentinels name, or to a cluster. */
export type RedisConnection = Redis | Cluster

const CONNECT_MS = 2_000
const COMMAND_MS = 2_000
const RECONNECT_MS_MAX = 1_000
const SENTINEL_MS = 1_000
const KEEP_ALIVE_MS = 10_000
const TOPOLOGY_MS = 5_000

/**
 * Opens a connection, which reconnects by itself and follows a failover. Commands fail at once while it is not
 * connected, because a command that is sent later would be out of date. The URL is one that the settings have
 * accepted.
 */
export function connectRedis(url: string): RedisConnection {
  const address = parseRedisUrl(url)
  if ('problem' in address) throw new TypeError(`The URL of Redis ${address.problem}.`)
  const connection = address.kind === 'cluster' ? toCluster(address) : toServer(address)
  // Without a listener, the library prints every error.
  connection.on('error', () => {})
  connection.on('end', () => reopen(connection))
  return connection
}

/** Closes a connection for good. */
export function closeRedis(connection: RedisConnection): void {
  closed.add(connection)
  connection.disconnect()
}

const closed = new WeakSet<RedisConnection>()

// The library gives up for ever when Sentinels report a failover while it is already looking for the new primary.
function reopen(connection: RedisConnection): void {
  const again = (): void => {
    if (!closed.has(connection)) connection.connect().catch(() => {})
  }
  setTimeout(again, RECONNECT_MS_MAX).unref()
}

function toServer(address: RedisAddress): Redis {
  const { kind, hosts, name, database, isTls } = address
  const shared = { ...optionsOf(address), db: database }
  const retryStrategy = reconnectMs
  if (kind === 'single') return new Redis({ ...shared, ...hosts[0]!, retryStrategy })
  return new Redis({
    ...shared,
    retryStrategy,
    sentinels: [...hosts],
    name: name ?? '',
    sentinelRetryStrategy: reconnectMs,
    sentinelReconnectStrategy: reconnectMs,
    sentinelCommandTimeout: SENTINEL_MS,
    // A primary that hangs, or that the network cuts off, keeps its connections. The Sentinels say that it was replaced.
    failoverDetector: true,
    ...(address.sentinelUsername && { sentinelUsername: address.sentinelUsername }),
    ...(address.sentinelPassword && { sentinelPassword: address.sentinelPassword }),
    ...(isTls && { enableTLSForSentinelMode: true, sentinelTLS: {} }),
  })
}

function toCluster(address: RedisAddress): Cluster {
  return new Cluster([...address.hosts], {
    redisOptions: optionsOf(address),
    enableOfflineQueue: false,
    clusterRetryStrategy: reconnectMs,
    slotsRefreshInterval: TOPOLOGY_MS,
    slotsRefreshTimeout: SENTINEL_MS,
    // With TLS, the certificate names the host, not the address that the library would look up.
    ...(address.isTls && { dnsLookup: (host, done) => done(null, host) }),
  })
}

// The type is inferred, because the library declares it in two ways that differ.
// oxlint-disable-next-line typescript/explicit-function-return-type
function optionsOf(address: RedisAddress) {
  const { username, password, protocol, isTls } = address
  return {
    connectionName: 'countersign',
    connectTimeout: CONNECT_MS,
    commandTimeout: COMMAND_MS,
    // A connection that gives no answer is replaced. Otherwise one to a machine that vanished would stay for minutes.
    socketTimeout: COMMAND_MS,
    keepAlive: KEEP_ALIVE_MS,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    protocol,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(isTls && { tls: {} }),
  }
}

function reconnectMs(tries: number): number {
  return Math.min(tries * 100, RECONNECT_MS_MAX)
}

/** Remembers the last error of a connection, which says more than that the connection is closed. */
export class LastError {
  #error: Error | undefined

  constructor(connection: RedisConnection) {
    const note = (error: Error): void => {
      this.#error = error
    }
    connection.on('error', note)
    connection.on('node error', note)
    connection.on('ready', () => (this.#error = undefined))
  }

  get(): Error {
    return this.#error ?? new Error('Redis is not connected')
  }
}

/**
 * Waits until a connection is ready, for two seconds at most. Rejects with the last error when an attempt fails, after
 * two seconds, or when `signal` aborts.
 */
export async function untilReady(
  connection: RedisConnection,
  lastError: LastError,
  signal: AbortSignal,
): Promise<void> {
  if (connection.status === 'ready') return
  const both = AbortSignal.any([AbortSignal.timeout(CONNECT_MS), signal])
  await once(connection, 'ready', { signal: both }).catch(() => {
    throw lastError.get()
  })
}
