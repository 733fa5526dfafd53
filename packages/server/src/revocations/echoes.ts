import type { LogHead } from '@countersign/guard/revocations'

import { createCoalescer } from './coalesce.ts'
import type { Subscriber } from './subscriber.ts'
import { pause, type Timers } from './tail.ts'

/** The largest number of nonces that wait for an echo on one connection. A guard sends two a second. */
const NONCES_MAX = 64
/**
 * The shortest time between two passes, in milliseconds. A lone nonce is answered at once. The nonces of
 * thousands of guards share one read of the head.
 */
const PASS_GAP_MS = 50
/** How many connections are served before other work gets its turn. Sending 500 messages takes a few milliseconds. */
export const CONNECTIONS_AT_ONCE = 500

/**
 * How often a guard asks for an echo, in milliseconds: twice a second while there are few guards. The
 * longest interval leaves half of the 3 s of strict routes for the network.
 */
const ASK_MS = { least: 500, most: 1_500 } as const
/** With more than 2,500 guards, each further guard adds this many milliseconds to the interval of all. */
const ASK_MS_PER_GUARD = 0.2

/** Returns how often each of so many connected guards should ask for an echo, in milliseconds. */
export function askEveryMs(connections: number): number {
  const { least, most } = ASK_MS
  return Math.round(Math.min(most, Math.max(least, connections * ASK_MS_PER_GUARD)))
}

/** The dependencies of `Echoes`. */
export interface EchoesOptions extends Timers {
  /** Milliseconds since 1970. */
  readonly nowMs: () => number
  /** Reads the head of the log from the primary database, in a read that begins after the call. */
  readonly freshHead: () => Promise<LogHead>
  /** Whether no echo may be sent at the moment. The nonces then wait. */
  readonly isHeld: () => boolean
  /**
   * Called before the head is read, with the connections that will get an echo of it. From now on their guards may hold
   * a lease that begins before any entry which the head lacks.
   */
  readonly reading: (subscribers: readonly Subscriber[]) => void
  /** The number of connections. */
  readonly connections: () => number
  /** Sends the echoes of one connection, unless it may not get any. */
  readonly send: (subscriber: Subscriber, echoes: readonly Buffer[]) => void
}

/**
 * Answers the nonces of all guards. One pass answers all waiting nonces with one read of the head, which
 * begins after they arrived.
 */
export class Echoes {
  /** Answers all waiting nonces. Rejects with a `StoreFault` if the head cannot be read. */
  readonly answer: () => Promise<void>
  readonly #options: EchoesOptions
  #waiting: Subscriber[] = []
  #passedAt = -Infinity

  constructor(options: EchoesOptions) {
    this.#options = options
    this.answer = createCoalescer(
      () => this.#pass(),
      () => this.#gap(),
    )
  }

  /** Adds a nonce. Returns false if too many nonces of this connection wait already. */
  add(subscriber: Subscriber, nonce: string): boolean {
    if (subscriber.nonces.length >= NONCES_MAX) return false
    if (subscriber.nonces.length === 0) this.#waiting.push(subscriber)
    subscriber.nonces.push(nonce)
    return true
  }

  #gap(): Promise<void> | undefined {
    const earlyMs = this.#passedAt + PASS_GAP_MS - this.#options.elapsed()
    return earlyMs > 0 ? pause(this.#options, earlyMs) : undefined
  }

  async #pass(): Promise<void> {
    const { freshHead, isHeld, elapsed } = this.#options
    if (isHeld() || this.#waiting.length === 0) return
    const subscribers = this.#waiting
    const asked = subscribers.map((subscriber) => ({
      subscriber,
      nonces: subscriber.nonces.splice(0),
    }))
    this.#waiting = []
    this.#options.reading(subscribers)
    const encode = this.#encoder(await freshHead())
    for (let from = 0; from < asked.length; from += CONNECTIONS_AT_ONCE) {
      if (from > 0) await pause(this.#options, 0)
      for (const { subscriber, nonces } of asked.slice(from, from + CONNECTIONS_AT_ONCE)) {
        this.#options.send(subscriber, nonces.map(encode))
      }
    }
    this.#passedAt = elapsed()
  }

  /** The echoes of one pass differ only in their nonce, a text that needs no escaping in JSON. */
  #encoder({ position, chain }: LogHead): (nonce: string) => Buffer {
    const { nowMs, connections } = this.#options
    const shared = JSON.stringify({
      type: 'echo',
      position,
      chain: Buffer.from(chain).toString('base64url'),
      at: nowMs(),
      ask_ms: askEveryMs(connections()),
    }).slice(0, -1)
    return (nonce) => Buffer.from(`${shared},"nonce":"${nonce}"}`)
  }
}
