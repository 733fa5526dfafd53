import {
  isSameChain,
  parseGuardMessage,
  type AuthorityMessage,
  type GuardMessage,
  type LogHead,
  type RevocationKind,
  type RevocationLog,
  type WireBatch,
} from '@countersign/guard/revocations'

import { Confirmations, LEASE_MS, type EffectiveReport, type Leases } from './confirmations.ts'
import { CONNECTIONS_AT_ONCE, Echoes } from './echoes.ts'
import { LogPages } from './log-pages.ts'
import { MIRROR_HEAD_MS } from './mirror.ts'
import { encodeMessage, Subscriber, type FeedLink } from './subscriber.ts'
import { LogTail, pause, type LogTailOptions, type TailEvent } from './tail.ts'

/**
 * A guard with more unsent bytes than this is disconnected and resumes later, so it never slows down the
 * authority.
 */
export const HELD_BACK_BYTES_MAX = 8 * 1024 * 1024
/** A guard that catches up gets its next page when fewer than this many bytes wait to be sent. */
const CATCH_UP_BYTES_MAX = 1024 * 1024
const CATCH_UP_POLL_MS = 20
/**
 * How long guards have to hand back entries after a token has shown that entries were lost, in milliseconds,
 * and how often this is checked. It is longer than the longest reconnect delay of a guard.
 */
const TOKEN_AHEAD_WAIT_MS = 8_000
const TOKEN_AHEAD_STEP_MS = 500

/**
 * A guard whose clock is further ahead, or further behind, is reported, in milliseconds. The first value is the
 * default tolerance of guards. The time that a message takes looks like a clock that is behind.
 */
const CLOCK_AHEAD_MS = 5_000
const CLOCK_BEHIND_MS = 7_500

/** The shortest time between two requests to confirm a position, in milliseconds. */
const CONFIRM_GAP_MS = 50

/** The name of the mirror. No guard can have this name, because the name of a guard contains a client id. */
const MIRROR = 'mirror'
/** A head of the mirror is valid for half of it, by the clock of Redis. */
const MIRROR_LEASE_MS = 2 * MIRROR_HEAD_MS

/** A message and the tag of the state that it describes. */
export interface Topic {
  readonly tag: string
  readonly message: AuthorityMessage
}

/** The messages that the feed sends besides the log. */
export interface FeedTopics {
  /** Returns the current keys and roles. */
  readonly current: () => readonly Topic[]
  /**
   * Reads the keys and roles again that entries of these kinds have changed. Called before the entries are
   * sent.
   */
  readonly reload: (kinds: ReadonlySet<RevocationKind>) => Promise<void>
}

/** The events for an operator. `difference_ms` is by how much the clock of a guard is ahead. */
export type HubEvent =
  | TailEvent
  | {
      readonly event: 'guard_clock_differs'
      readonly guard: string
      readonly difference_ms: number
    }

/** The dependencies of a `FeedHub`. */
export interface FeedHubOptions extends Omit<LogTailOptions, 'onEvent'> {
  readonly onEvent: (event: HubEvent) => void
  readonly topics: FeedTopics
  /** Whether no process has served this log before, so no guard can hold a lease of it. */
  readonly isFirst?: boolean
  /** How long guards may hold leases of processes that this one does not know. Default: one lease. */
  readonly unknownMs?: number
  /** Whether this node may echo nonces now. Default: always. */
  readonly mayEcho?: () => boolean
}

/**
 * The authority's side of the revocation feed, without its connections. It serves the log to guards, echoes
 * their nonces, and accepts entries from them that the store has lost. It uses no sockets, so that tests can
 * simulate a whole network.
 */
export class FeedHub {
  readonly #parts: FeedHubOptions
  readonly #subscribers = new Set<Subscriber>()
  readonly #confirmations: Confirmations
  readonly #pages: LogPages
  readonly #echoes: Echoes
  readonly #topics = new WeakMap<Topic, Buffer>()
  #tail: LogTail | undefined
  /** The position that guards will be asked to confirm. */
  #confirm: number | undefined
  /** When guards were last asked to confirm. */
  #confirmAskedAt = -Infinity
  /**
   * Whether the log is known to have lost entries. Until it is repaired, no echo confirms that a guard's copy
   * is complete.
   */
  #isIncomplete = false
  #isClosed = false
  #tags: readonly string[]

  private constructor(parts: FeedHubOptions) {
    this.#parts = parts
    this.#pages = new LogPages(parts)
    const { isFirst = false, unknownMs = LEASE_MS } = parts
    this.#confirmations = new Confirmations(parts, unknownMs)
    if (isFirst) this.#confirmations.setSettled(true)
    this.#echoes = new Echoes({
      ...parts,
      freshHead: () => this.tail.freshHead(),
      isHeld: () => this.#isIncomplete || this.#isClosed || parts.mayEcho?.() === false,
      reading: (subscribers) => {
        for (const { guard, applied } of subscribers) this.#confirmations.echoed(guard, applied)
      },
      connections: () => this.#subscribers.size,
      send: (subscriber, echoes) => this.#sendEchoes(subscriber, echoes),
    })
    this.#tags = parts.topics.current().map(({ tag }) => tag)
  }

  /** Opens the hub and reads the entries that may be newer than a valid token. */
  static async open(parts: FeedHubOptions): Promise<FeedHub> {
    const hub = new FeedHub(parts)
    hub.#tail = await LogTail.open(parts, {
      beforeBatch: (kinds) => hub.#reloadTopics(kinds),
      batch: (batch, after, last) => hub.#broadcast(batch, after, last),
      reloaded: () => hub.#startAllAnew(),
    })
    return hub
  }

  get tail(): LogTail {
    if (this.#tail === undefined) throw new Error('the feed hub is not open yet')
    return this.#tail
  }

  /** The authority's own copy of the log. The authority refuses tokens by this copy. */
  get log(): RevocationLog {
    return this.tail.log
  }

  /** The number of guards that may hold a lease. */
  get guards(): number {
    return this.#confirmations.live
  }

  /**
   * Adds a guard's connection. `guard` identifies the guard across its connections. `knows` are the tags of
   * the states that the guard already has.
   */
  connect(guard: string, link: FeedLink, knows: readonly string[] = []): Subscriber {
    const subscriber = new Subscriber(guard, link)
    this.#subscribers.add(subscriber)
    for (const topic of this.#parts.topics.current()) {
      if (!knows.includes(topic.tag)) link.send(this.#encoded(topic))
    }
    return subscriber
  }

  /** Removes a closed connection. */
  disconnect(subscriber: Subscriber): void {
    subscriber.state = 'gone'
    this.#subscribers.delete(subscriber)
  }

  /** Handles a guard's message as text. Returns false if it is malformed. */
  async receive(subscriber: Subscriber, text: string): Promise<boolean> {
    const message = parseGuardMessage(text)
    if (message === undefined) return false
    await this.take(subscriber, message)
    return true
  }

  /** Handles a parsed message. Rejects with a `StoreFault` if the store cannot be read. */
  async take(subscriber: Subscriber, message: GuardMessage): Promise<void> {
    if (!subscriber.link.isAllowed()) return this.#drop(subscriber, 'forbidden')
    switch (message.type) {
      case 'resume':
        // This message is accepted only as the first message. Otherwise a guard that repeats it would get the
        // log again and again.
        if (subscriber.state !== 'greeting' || subscriber.era > 0)
          return this.#drop(subscriber, 'slow')
        subscriber.era += 1
        return this.#resume(subscriber, message)
      case 'nonce':
        this.#applied(subscriber, message.applied)
        this.#noteClock(subscriber, message.clock)
        if (!this.#echoes.add(subscriber, message.nonce)) return this.#drop(subscriber, 'slow')
        return this.#echoes.answer()
      case 'applied':
        return this.#applied(subscriber, message.position)
      case 'evidence':
        return this.#takeEvidence(subscriber, message.batches)
      case 'bye':
        return this.#takeBye(subscriber.guard)
    }
  }

  /**
   * A guard has closed and dropped its lease. A poll of this guard may still wait, so all its connections end
   * before it is forgotten. Otherwise a late echo would count as a new lease.
   */
  #takeBye(guard: string): void {
    for (const each of this.#subscribers) if (each.guard === guard) this.#drop(each, 'closing')
    this.#confirmations.left(guard)
  }

  #applied(subscriber: Subscriber, position: number): void {
    subscriber.applied = Math.max(subscriber.applied, position)
    this.#confirmations.applied(subscriber.guard, position)
  }

  #noteClock(subscriber: Subscriber, clock: number | undefined): void {
    if (clock === undefined) return
    const differenceMs = clock - this.#parts.nowMs()
    const isOff = differenceMs > CLOCK_AHEAD_MS || differenceMs < -CLOCK_BEHIND_MS
    if (isOff && !subscriber.isClockOff) {
      this.#parts.onEvent({
        event: 'guard_clock_differs',
        guard: subscriber.guard,
        difference_ms: differenceMs,
      })
    }
    subscriber.isClockOff = isOff
  }

  /**
   * Resolves when a position is in force at every guard that holds a lease. The report contains the duration.
   */
  effective(position: number): Promise<EffectiveReport> {
    const isNew = !this.#confirmations.awaits(position)
    const report = this.#confirmations.wait(position)
    // Guards that have already confirmed the position are not asked again, so waiting for an old position
    // costs nothing.
    if (isNew && this.#confirmations.awaits(position)) this.#askToConfirm(position)
    return report
  }

  /** Answers the nonces that wait because this node was not allowed to echo. */
  async answerWaiting(): Promise<void> {
    await this.#echoes.answer()
  }

  /** Asks every guard of this node to confirm a position that a caller of another node waits for. */
  askFor(position: number): void {
    this.#askToConfirm(position)
  }

  /** The guards that may hold a lease of this node. */
  get leases(): Leases {
    return this.#confirmations.leases(this.log.position)
  }

  /** Whether all leases of earlier processes are known to some node, or have expired. */
  get isSettled(): boolean {
    return this.#confirmations.isSettled
  }

  /** See {@link isSettled}. */
  setSettled(isSettled: boolean): void {
    this.#confirmations.setSettled(isSettled)
  }

  /**
   * Records that the head of the mirror is about to be renewed, or that the mirror has applied a position.
   * Callers that wait until a position is in force wait for the mirror like for a guard.
   */
  mirrored(position?: number): void {
    if (position === undefined) this.#confirmations.echoed(MIRROR, 0, MIRROR_LEASE_MS)
    else this.#confirmations.applied(MIRROR, position)
  }

  /**
   * Handles a token of this authority whose position is later than the head of the store: the store has lost
   * entries. Guards that have these entries get some seconds to hand them back. Otherwise all sessions end.
   */
  async tokenAhead(rvp: number): Promise<void> {
    const isBehind = async (): Promise<boolean> => (await this.tail.freshHead()).position < rvp
    if (!(await isBehind())) return
    this.#isIncomplete = true
    try {
      for (let waited = 0; waited < TOKEN_AHEAD_WAIT_MS; waited += TOKEN_AHEAD_STEP_MS) {
        await pause(this.#parts, TOKEN_AHEAD_STEP_MS)
        if (!(await isBehind())) return
        // Sent because a guard that receives no messages treats its connection as dead.
        this.#askToConfirm(this.log.position)
      }
      await this.tail.startOver(rvp)
    } finally {
      this.#isIncomplete = false
      void this.#echoes.answer().catch(() => {})
    }
  }

  /** Ends all connections. */
  close(): void {
    this.#isClosed = true
    this.tail.close()
    this.#confirmations.close()
    for (const each of this.#subscribers) each.link.end('closing')
  }

  async #resume(
    subscriber: Subscriber,
    { position, chain, handed = false }: Extract<GuardMessage, { type: 'resume' }>,
  ): Promise<void> {
    if (position === undefined || chain === undefined) return this.#snapshot(subscriber)
    const held: LogHead = { position, chain: Buffer.from(chain, 'base64url') }
    if (position > this.log.position) await this.tail.read()
    if (!(await this.#isOurs(held))) {
      if (handed) return this.#snapshot(subscriber)
      subscriber.state = 'unknown'
      this.#send(subscriber, { type: 'unknown' })
      return
    }
    // A polling guard sends no other confirmation before its request is answered.
    this.#applied(subscriber, position)
    // For a position below the floor, a snapshot is shorter than the entries.
    if (position < this.log.floor) return this.#snapshot(subscriber)
    this.#send(subscriber, { type: 'resumed', retain_ms: this.#parts.retainMs })
    await this.#catchUp(subscriber, held)
  }

  async #isOurs({ position, chain }: LogHead): Promise<boolean> {
    if (position > this.log.position) return false
    const own = this.log.chainAt(position) ?? (await this.#parts.store.chainAt(position))
    return isSameChain(own, chain)
  }

  async #snapshot(subscriber: Subscriber): Promise<void> {
    const { floor } = this.log
    const chain = this.log.chainAt(floor) ?? (await this.#parts.store.chainAt(floor))
    if (chain === undefined) return this.tail.read()
    const start: LogHead = { position: floor, chain }
    this.#send(subscriber, {
      type: 'snapshot',
      floor,
      chain: Buffer.from(chain).toString('base64url'),
      position: this.log.position,
      retain_ms: this.#parts.retainMs,
      proof: this.#pages.proof(start),
    })
    await this.#catchUp(subscriber, start)
  }

  async #catchUp(subscriber: Subscriber, from: LogHead): Promise<void> {
    subscriber.state = 'behind'
    subscriber.sent = from
    subscriber.era += 1
    const { era } = subscriber
    const isCurrent = (): boolean => subscriber.state === 'behind' && subscriber.era === era
    while (isCurrent() && subscriber.sent.position < this.log.position) {
      const page = await this.#pages.after(subscriber.sent, this.log.position)
      if (!isCurrent()) return
      // The history of the store has changed. The tail notices this and restarts all connections.
      if (page === undefined) return this.tail.read()
      this.#sendOrDrop(subscriber, page.message)
      subscriber.sent = page.last
      while (isCurrent() && subscriber.link.heldBackBytes > CATCH_UP_BYTES_MAX) {
        await pause(this.#parts, CATCH_UP_POLL_MS)
      }
    }
    if (isCurrent()) subscriber.state = 'live'
  }

  /** Asks every guard to confirm, at most twenty times a second. Waiting must not cost more than revoking. */
  #askToConfirm(position: number): void {
    this.tail.changed()
    const isAsking = this.#confirm !== undefined
    this.#confirm = Math.max(this.#confirm ?? 0, position)
    if (isAsking) return
    const waitMs = this.#confirmAskedAt + CONFIRM_GAP_MS - this.#parts.elapsed()
    if (waitMs <= 0) this.#sendConfirm()
    else this.#parts.after(waitMs, () => this.#sendConfirm())
  }

  #sendConfirm(): void {
    const message = encodeMessage({ type: 'confirm', position: this.#confirm ?? 0 })
    this.#confirm = undefined
    this.#confirmAskedAt = this.#parts.elapsed()
    void this.#forEach((each) => this.#sendOrDrop(each, message))
  }

  async #broadcast(batch: WireBatch, after: LogHead, last: LogHead): Promise<void> {
    if (this.#subscribers.size === 0) return
    const message = encodeMessage({ type: 'batch', ...batch })
    await this.#forEach((each) => {
      if (each.state !== 'live' || each.sent.position >= last.position) return
      if (each.sent.position !== after.position) return this.#catchUpLater(each)
      each.sent = last
      this.#sendOrDrop(each, message)
    })
  }

  /** A guard that resumed in the middle of this batch gets the rest of it as pages. */
  #catchUpLater(subscriber: Subscriber): void {
    this.#catchUp(subscriber, subscriber.sent).catch(() => this.#drop(subscriber, 'closing'))
  }

  /** Calls `act` for each connection. Between thousands of them, other work gets its turn. */
  async #forEach(act: (subscriber: Subscriber) => void): Promise<void> {
    let count = 0
    for (const each of this.#subscribers) {
      act(each)
      count += 1
      if (count % CONNECTIONS_AT_ONCE === 0) await pause(this.#parts, 0)
    }
  }

  #send(subscriber: Subscriber, message: AuthorityMessage): void {
    this.#sendOrDrop(subscriber, encodeMessage(message))
  }

  #sendOrDrop(subscriber: Subscriber, message: Buffer): void {
    const { link } = subscriber
    // Permission is checked at each send, not only for messages from the guard. Otherwise a guard that sends
    // nothing would keep receiving.
    if (!link.isAllowed()) this.#drop(subscriber, 'forbidden')
    else if (link.heldBackBytes > HELD_BACK_BYTES_MAX) this.#drop(subscriber, 'slow')
    else link.send(message)
  }

  #drop(subscriber: Subscriber, why: Parameters<FeedLink['end']>[0]): void {
    this.disconnect(subscriber)
    subscriber.link.end(why)
  }

  async #reloadTopics(kinds: ReadonlySet<RevocationKind>): Promise<void> {
    await this.#parts.topics.reload(kinds)
    const topics = this.#parts.topics.current()
    for (const topic of topics) {
      if (this.#tags.includes(topic.tag)) continue
      const encoded = this.#encoded(topic)
      await this.#forEach((each) => this.#sendOrDrop(each, encoded))
      this.#pages.clear()
    }
    this.#tags = topics.map(({ tag }) => tag)
  }

  /** Encodes a topic once for all guards. Ten thousand of them may connect within a minute. */
  #encoded(topic: Topic): Buffer {
    const known = this.#topics.get(topic)
    if (known !== undefined) return known
    const encoded = encodeMessage(topic.message)
    this.#topics.set(topic, encoded)
    return encoded
  }

  #startAllAnew(): void {
    this.#pages.clear()
    for (const each of this.#subscribers) {
      if (each.state !== 'greeting') void this.#snapshot(each).catch(() => each.link.end('closing'))
    }
  }

  #sendEchoes(subscriber: Subscriber, echoes: readonly Buffer[]): void {
    const { state } = subscriber
    // Checked again, because entries may have been found to be missing after the head was read.
    if (this.#isIncomplete || this.#isClosed || (state !== 'live' && state !== 'behind')) return
    for (const echo of echoes) this.#sendOrDrop(subscriber, echo)
  }

  async #takeEvidence(subscriber: Subscriber, batches: readonly WireBatch[]): Promise<void> {
    const came = await this.tail.takeEvidence(batches)
    await this.tail.read()
    if (came !== 'nothing' || subscriber.state === 'unknown') await this.#snapshot(subscriber)
  }
}
