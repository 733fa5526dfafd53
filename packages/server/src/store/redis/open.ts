import { randomUUID } from 'node:crypto'

import { RedisLink, type RedisLinkEvent } from '../../redis/link.ts'
import { RedisFanOut } from './fan-out.ts'

/** The parts of a store on PostgreSQL that use Redis. */
export interface StoreRedis {
  /** For counted attempts. */
  readonly link: RedisLink
  /** For new log entries. */
  readonly fanOut: RedisFanOut
  close(): Promise<void>
}

/** How a server reaches the Redis of its store. */
export interface StoreRedisOptions {
  readonly url: string
  /** The public URL of the authority. All nodes have the same. */
  readonly issuer: string
  readonly onEvent: (event: RedisLinkEvent) => void
}

/** Connects to Redis. Resolves also if Redis cannot be reached. */
export async function openStoreRedis(options: StoreRedisOptions): Promise<StoreRedis> {
  const { url, issuer, onEvent } = options
  const link = new RedisLink(url, onEvent)
  const fanOut = new RedisFanOut(link, url, { issuer, id: randomUUID() })
  await link.started()
  return {
    link,
    fanOut,
    async close() {
      await fanOut.close()
      await link.close()
    },
  }
}
