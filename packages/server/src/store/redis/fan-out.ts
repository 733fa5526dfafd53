import { closeRedis, connectRedis, type RedisConnection } from '../../redis/connect.ts'
import type { RedisLink } from '../../redis/link.ts'

/** How often a node sends itself a message, to learn whether messages arrive, in milliseconds. */
const BEAT_MS = 1_000
/** Without a message of its own for this long, a node opens a new subscription. */
const SILENT_MS = 3_000

/**
 * Tells the nodes on one database about new log entries by a channel of Redis. A message is only a hint to read the
 * log: nobody relies on it, and a poll of the database replaces messages that are lost.
 */
export class RedisFanOut {
  readonly #link: RedisLink
  readonly #url: string
  readonly #channel: string
  readonly #id: string
  readonly #watchers = new Set<() => void>()
  readonly #timer: NodeJS.Timeout
  #subscriber: RedisConnection
  /** The newest position that this node has committed. Its watchers know older entries already. */
  #committed = 0
  /** When this node last got a message of its own, of `performance.now()`. */
  #heardAtMs = -Infinity
  #subscribedAtMs = 0

  /** `issuer` keeps authorities apart that share a Redis. Channels do not belong to a database number. */
  constructor(link: RedisLink, url: string, { issuer, id }: { issuer: string; id: string }) {
    this.#link = link
    this.#url = url
    this.#channel = `countersign:log:${issuer}`
    this.#id = id
    this.#subscriber = this.#subscribe()
    this.#timer = setInterval(() => this.#beat(), BEAT_MS).unref()
  }

  /** Whether messages arrive. Otherwise PostgreSQL must notify the other nodes. */
  get isUp(): boolean {
    return this.#link.isUp && performance.now() - this.#heardAtMs < SILENT_MS
  }

  /** Tells the other nodes that the log has grown to a position. Call it after the commit. */
  publish(position: number): void {
    this.#committed = Math.max(this.#committed, position)
    this.#send(position)
  }

  /** Calls `changed` when another node may have appended entries, until the returned function is called. */
  watch(changed: () => void): () => void {
    this.#watchers.add(changed)
    return () => this.#watchers.delete(changed)
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    closeRedis(this.#subscriber)
  }

  #send(position: number): void {
    this.#link
      .tell((redis) => redis.publish(this.#channel, `${this.#id} ${position}`))
      .catch(() => {})
  }

  #beat(): void {
    const now = performance.now()
    if (this.#link.isUp && now - Math.max(this.#heardAtMs, this.#subscribedAtMs) > SILENT_MS) {
      closeRedis(this.#subscriber)
      this.#subscriber = this.#subscribe()
    }
    this.#send(0)
  }

  #subscribe(): RedisConnection {
    this.#subscribedAtMs = performance.now()
    const subscriber = connectRedis(this.#url)
    subscriber.on('message', (_channel: string, message: string) => this.#receive(message))
    subscriber.on('ready', () => void this.#join(subscriber))
    return subscriber
  }

  async #join(subscriber: RedisConnection): Promise<void> {
    try {
      await subscriber.subscribe(this.#channel)
    } catch {
      // The connection has ended again. It reconnects, or is replaced when no message comes.
      return
    }
    // Entries that were written before have no message here.
    this.#call()
    this.#send(0)
  }

  #receive(message: string): void {
    const [id, position] = message.split(' ')
    if (id === this.#id) this.#heardAtMs = performance.now()
    else if (Number(position) > this.#committed) this.#call()
  }

  #call(): void {
    for (const changed of this.#watchers) changed()
  }
}
