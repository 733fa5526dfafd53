import { FeedFault } from './feed-fault.ts'
import type { FeedStep, RevocationFeed } from './feed.ts'
import type { GuardMessage } from './messages.ts'
import { pollFeed } from './poll.ts'
import {
  openFeedLine,
  openFeedSocket,
  type FeedAddress,
  type FeedLine,
  type FeedSocket,
} from './socket.ts'

/**
 * A connection counts as dead if it has no message for this much longer than the guard asks for echoes, in
 * milliseconds.
 */
const SILENCE_MS = 2_000
/** A lease under this age shows that the authority works again, in milliseconds. */
const FRESH_MS = 2_500
/** How long a poll waits for news, in milliseconds. This is well below the 3 s of strict routes. */
export const POLL_WAIT_MS = 1_000
const POLL_PAUSE_MS = 20
const ASK_JITTER = 0.1
/** The shortest time between two nonces, in milliseconds. */
const ASK_GAP_MS = 50
/**
 * The limit of the waits between attempts grows from the first to the last value, in milliseconds. Each wait
 * is chosen at random below the limit.
 */
export const RECONNECT_MS = { first: 250, last: 5_000 } as const
/**
 * The same limits for faults that only an operator can fix. Attempts that cannot succeed load the authority
 * for nothing.
 */
const OPERATOR_WAIT_MS = { first: 2_000, last: 15_000 } as const
/** The longest wait that an authority can impose on a guard, in milliseconds. */
const RETRY_AFTER_MAX_MS = 300_000
/**
 * If WebSockets fail and polls succeed, WebSockets are tried again after these times, in milliseconds. The
 * first is short, for an authority that started between the two attempts.
 */
const SOCKET_RETRY_MS = { first: 5_000, later: 300_000 } as const

/**
 * How the feed is transported. `auto` uses a WebSocket. It polls if Node has no WebSocket or if it does not
 * open.
 */
export type FeedTransport = 'auto' | 'websocket' | 'polling'

/** An authority that is reached over the network. */
export interface RemoteFeed {
  /** The authority's URL, without a trailing slash. */
  readonly url: string
  readonly clientId: string
  readonly clientSecret: string
  readonly transport: FeedTransport
}

/** The options of a `FeedConnection`. */
export interface FeedConnectionOptions {
  readonly connection: RemoteFeed | FeedLine
  /** Identifies this guard across its connections: 16 to 64 characters of base64url. */
  readonly guardId: string
  readonly fetch: typeof globalThis.fetch
  readonly elapsed: () => number
  /** A number from 0 (included) to 1 (excluded). */
  readonly random: () => number
  /** Called after each message. */
  readonly onMessage: () => void
  readonly onFault: (fault: FeedFault) => void
}

/**
 * Keeps a feed connected, by WebSocket or by polling, with growing waits between attempts. No method throws
 * or rejects.
 */
export class FeedConnection {
  readonly #feed: RevocationFeed
  readonly #options: FeedConnectionOptions
  readonly #closing = new AbortController()
  #isStarted = false
  #isConnected = false
  #failures = 0
  #socketNotBefore = -Infinity
  #hasMissedSocket = false
  #fault: FeedFault | undefined
  /** Sends the guard's last message. */
  #sayBye: (bye: GuardMessage) => void = () => {}
  /** Ends the wait before the next nonce. */
  #hurry = new AbortController()

  constructor(feed: RevocationFeed, options: FeedConnectionOptions) {
    this.#feed = feed
    this.#options = options
  }

  /** Whether the last exchange with the authority succeeded. */
  get isConnected(): boolean {
    return this.#isConnected
  }

  /** Why the last attempt failed; undefined while connected. */
  get fault(): FeedFault | undefined {
    return this.#fault
  }

  /** Connects, and stays connected until `close`. */
  start(): void {
    if (this.#isStarted) return
    this.#isStarted = true
    void this.#run()
  }

  /**
   * Sends a nonce soon, if a WebSocket is open. A poll begins within a second anyway. Many calls send one
   * nonce.
   */
  askNow(): void {
    this.#hurry.abort()
  }

  /** Drops the lease, tells the authority so, and ends the connection. */
  close(): void {
    if (this.#closing.signal.aborted) return
    const bye = this.#feed.closed()
    this.#sayBye(bye)
    this.#closing.abort()
  }

  async #run(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      try {
        await this.#connectOnce(this.#options.connection)
      } catch (error) {
        this.#note(error)
      }
      if (this.#fault !== undefined) await this.#wait()
    }
  }

  /** Resolves or rejects when one connection has ended. */
  async #connectOnce(connection: RemoteFeed | FeedLine): Promise<void> {
    const { guardId } = this.#options
    const { signal } = this.#closing
    if ('connect' in connection) return this.#hold(openFeedLine(connection, guardId, signal))
    const address = { ...connection, guardId }
    if (!this.#takesSocket(connection)) return this.#poll(address)
    const socket = openFeedSocket(address, signal)
    try {
      await socket.opened
    } catch (error) {
      if (connection.transport === 'websocket') throw error
      // A socket that does not open reports no reason. A poll does, and it may even succeed.
      await this.#poll(address)
      const { first, later } = SOCKET_RETRY_MS
      this.#socketNotBefore = this.#options.elapsed() + (this.#hasMissedSocket ? later : first)
      this.#hasMissedSocket = true
      return
    }
    this.#hasMissedSocket = false
    return this.#hold(socket)
  }

  #takesSocket({ transport }: RemoteFeed): boolean {
    const { elapsed } = this.#options
    if (transport === 'websocket') return true
    const has = typeof globalThis.WebSocket === 'function'
    return transport === 'auto' && has && elapsed() >= this.#socketNotBefore
  }

  /** Serves an open connection until it ends. */
  async #hold(socket: FeedSocket): Promise<void> {
    const asking = new AbortController()
    this.#sayBye = (bye) => socket.send(bye)
    try {
      socket.send(this.#feed.opened())
      void this.#askRepeatedly(socket, asking.signal)
      for await (const text of socket.messages(() => this.#feed.askEveryMs + SILENCE_MS)) {
        this.#reply(this.#feed.receive(text), (message) => socket.send(message))
      }
    } finally {
      this.#sayBye = () => {}
      asking.abort()
      socket.close()
    }
  }

  async #askRepeatedly(socket: FeedSocket, signal: AbortSignal): Promise<void> {
    while (!signal.aborted && !this.#closing.signal.aborted) {
      this.#hurry = new AbortController()
      const hurry = this.#hurry.signal
      socket.send(this.#feed.ask())
      // The random part spreads guards that connected together.
      const spread = 1 - ASK_JITTER * this.#options.random()
      await sleep(ASK_GAP_MS, signal)
      const restMs = this.#feed.askEveryMs * spread - ASK_GAP_MS
      await sleep(restMs, AbortSignal.any([signal, hurry]))
    }
  }

  async #poll(address: FeedAddress): Promise<void> {
    const opened = this.#feed.opened()
    const replies: GuardMessage[] = []
    const asked = this.#feed.ask()
    const { keys, roles } = this.#feed.tags
    const waitMs = this.#isConnected || this.#failures === 0 ? POLL_WAIT_MS : 0
    const query = { opened, asked, keys, roles, waitMs }
    const asker = { ...address, fetch: this.#options.fetch }
    this.#sayBye = (bye) => void pollFeed.tell(asker, [bye]).catch(() => {})
    for (const message of await pollFeed.ask(asker, query, this.#closing.signal)) {
      this.#reply(this.#feed.take(message), (reply) => replies.push(reply))
    }
    if (replies.length > 0) await pollFeed.tell(asker, replies, this.#closing.signal)
    // An authority that answers at once must not be polled in a tight loop.
    await sleep(POLL_PAUSE_MS, this.#closing.signal)
  }

  #reply(step: FeedStep, send: (message: GuardMessage) => void): void {
    if (!step.ok) throw new FeedFault(step.code, { cause: step.detail })
    this.#fault = undefined
    // The count is not reset at the first message. Otherwise the guard would reconnect in a tight loop to an
    // authority whose log it refuses.
    if (this.#feed.lease.ageMs() < FRESH_MS) this.#failures = 0
    this.#isConnected = true
    for (const message of step.replies) send(message)
    this.#options.onMessage()
  }

  #note(error: unknown): void {
    this.#isConnected = false
    if (this.#closing.signal.aborted) return
    this.#fault =
      error instanceof FeedFault ? error : new FeedFault('feed_unreachable', { cause: error })
    this.#options.onFault(this.#fault)
  }

  #wait(): Promise<void> {
    const { needsOperator = false, retryAfterMs = 0 } = this.#fault ?? {}
    const { first, last } = needsOperator ? OPERATOR_WAIT_MS : RECONNECT_MS
    const longest = Math.min(last, first * 2 ** Math.min(this.#failures, 16))
    // The authority's wait counts only for faults that need an operator. If its database is down, nobody
    // knows for how long: there the wait grows with each failure.
    const least = needsOperator ? Math.min(retryAfterMs, RETRY_AFTER_MAX_MS) : 0
    this.#failures += 1
    // The random wait keeps guards that lost the same authority from reconnecting together.
    return sleep(least + longest * this.#options.random(), this.#closing.signal)
  }
}

/** Resolves after a time, or when the signal aborts. It does not keep the process alive. */
function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const end = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    timer.unref()
    signal.addEventListener('abort', end)
  })
}
