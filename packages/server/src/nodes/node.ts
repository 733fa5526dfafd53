import type { EpochMs } from '../base/clock.ts'
import { createCoalescer } from '../revocations/coalesce.ts'
import type { EffectiveReport } from '../revocations/confirmations.ts'
import type { FeedHub } from '../revocations/hub.ts'
import { pause, type Timers } from '../revocations/tail.ts'
import { EVERY_POSITION, type NodeReport, type NodeRow, type NodeStore } from '../store/nodes.ts'
import { decidePeer, ECHO_MS, NODE_LEASES_MS, Peers, type Peer, type PeerState } from './peers.ts'

/** A heartbeat is written this often, and when the report has changed, in milliseconds. */
const BEAT_MS = { usual: 1_000, least: 100 } as const
/** How often a node compares its report, and how often a waiting call reads the rows, in milliseconds. */
const TICK_MS = 50
/** The leader keeps the lead for this long after its last heartbeat, in milliseconds. */
const LEAD_MS = 10_000
/** It gives up the lead before others can take it. */
const LEAD_MARGIN_MS = 2_000
/** Guards are asked again to confirm, because some may have connected since, in milliseconds. */
const ASK_AGAIN_MS = 1_000

/** The events for an operator. */
export type NodeEvent =
  /** Heartbeats fail. From 3 s after the last successful one, no nonce is echoed. */
  | { readonly event: 'heartbeats_failed'; readonly error: unknown }
  | { readonly event: 'heartbeats_recovered' }
  | {
      readonly event: 'lead_taken' | 'lead_lost' | 'node_left' | 'node_silent'
      readonly node: string
      readonly name: string
    }

/** What a node needs of the feed. The hub is opened after the node, because it asks the node before each echo. */
export type NodeFeed = Pick<
  FeedHub,
  'leases' | 'log' | 'isSettled' | 'setSettled' | 'effective' | 'askFor' | 'answerWaiting'
>

/** The dependencies of a `ClusterNode`. */
export interface ClusterNodeOptions extends Timers {
  readonly store: NodeStore
  readonly identity: Pick<NodeReport, 'id' | 'name' | 'version'>
  /** The wall clock of this machine: the monotonic clock may stand still while the machine sleeps. */
  readonly wallMs: () => number
  readonly onEvent: (event: NodeEvent) => void
}

/** A moment on both clocks of this machine. */
interface Moment {
  readonly elapsedMs: number
  readonly wallMs: number
}

/**
 * This server among the nodes on one database. It writes heartbeats, holds or takes the lead, and waits for the guards
 * of all nodes.
 */
export class ClusterNode {
  /** Reads the rows of the other nodes, in a read that begins after the call. */
  readonly refresh: () => Promise<void>
  readonly #parts: ClusterNodeOptions
  readonly #peers = new Peers()
  /** How many calls wait for each position. */
  readonly #awaited = new Map<number, number>()
  #feed: NodeFeed | undefined
  /** When the last successful heartbeat began. Undefined before the first. */
  #beatenAt: Moment | undefined
  /** When the last heartbeat began with which this node took or renewed the lead. */
  #ledAt: Moment | undefined
  /** The heartbeat in flight. Never rejects. */
  #beating: Promise<void> | undefined
  #attemptedAtMs = -Infinity
  #beats = 0
  /** When the row of this node was created. It changes if the database has lost the row. */
  #startedAt: EpochMs | undefined
  /** Until then, no other node can vouch for all leases: the database has lost rows, and other nodes may not know yet. */
  #doubtUntilMs = -Infinity
  /** The last report that was written, without its number. */
  #reported = ''
  #hasFailed = false
  #saidLeads = false
  #asked = { position: 0, atMs: -Infinity }
  #cancel = (): void => {}
  #isStopping = false
  #hasLeft = false

  private constructor(parts: ClusterNodeOptions) {
    this.#parts = parts
    this.refresh = createCoalescer(() => this.#read())
  }

  /** Registers this server. Rejects with a `StoreFault` if the database fails. */
  static async join(parts: ClusterNodeOptions): Promise<ClusterNode> {
    const node = new ClusterNode(parts)
    await node.#beat(node.#report())
    node.#tickLater()
    return node
  }

  /** Serves the guards of this feed. */
  serve(feed: NodeFeed): void {
    this.#feed = feed
  }

  /** Whether this node may echo nonces: other nodes know its leases, because it was registered within the last 3 s. */
  mayEcho(): boolean {
    return this.#beatenAt !== undefined && this.#ageMs(this.#beatenAt) < ECHO_MS
  }

  /**
   * Whether this node does the background work. A node that was paused may do one more step although another node leads
   * by then. So a step must be harmless if two nodes do it.
   */
  leads(): boolean {
    if (this.#isStopping || this.#ledAt === undefined) return false
    return this.#ageMs(this.#ledAt) < LEAD_MS - LEAD_MARGIN_MS
  }

  /**
   * Resolves when a position is in force at the guards of all nodes: see `FeedHub.effective`. Call it after the position
   * was committed.
   */
  async effective(position: number): Promise<EffectiveReport> {
    const feed = this.#feed
    if (feed === undefined) throw new Error('the node serves no feed yet')
    const startedAtMs = this.#parts.elapsed()
    const waiting = feed.effective(position)
    this.#await(position, 1)
    try {
      const others = await this.#others(position, startedAtMs)
      const own = await waiting
      return {
        ms: Math.round(this.#parts.elapsed() - startedAtMs),
        guards: own.guards + others.guards,
        confirmed: own.confirmed + others.confirmed,
        expired: own.expired + others.expired,
        isInForce: own.isInForce && others.isInForce,
      }
    } finally {
      this.#await(position, -1)
    }
  }

  /** Ends all waits and gives up the background work. Call it when the feed has been closed. */
  stop(): void {
    this.#isStopping = true
  }

  /** Ends the heartbeats, and tells the other nodes. Call it when the feed has been closed. Never rejects. */
  async leave(): Promise<void> {
    this.stop()
    this.#hasLeft = true
    this.#cancel()
    await this.#beating
    try {
      await this.#parts.store.leave({ ...this.#report(), awaits: 0 })
    } catch {
      // The other nodes see that its heartbeats have ended.
    }
  }

  async #others(position: number, sinceMs: number): Promise<Omit<EffectiveReport, 'ms'>> {
    /** The nodes that may have granted leases before the commit. */
    let involved: readonly Peer[] | undefined
    for (;;) {
      const isRead = await this.#tryRefresh()
      const stateOf = (peer: Peer): PeerState =>
        decidePeer(peer, position, sinceMs, this.#parts.elapsed())
      // A node that registers later reads its first head after the commit.
      if (isRead) involved ??= this.#peers.all.filter((peer) => stateOf(peer) !== 'expired')
      const counts = (involved ?? []).map((peer) => {
        const latest = this.#peers.of(peer) ?? peer
        return countPeer(peer.row, latest.row, stateOf(latest))
      })
      const sum = (of: (count: PeerCount) => number): number =>
        counts.reduce((total, count) => total + of(count), 0)
      const isInForce = involved !== undefined && counts.every(({ isOpen }) => !isOpen)
      if (isInForce || this.#isStopping) {
        return {
          guards: sum(({ guards }) => guards),
          confirmed: sum(({ confirmed }) => confirmed),
          expired: sum(({ expired }) => expired),
          isInForce,
        }
      }
      await pause(this.#parts, TICK_MS)
    }
  }

  #await(position: number, change: number): void {
    const count = (this.#awaited.get(position) ?? 0) + change
    if (count > 0) this.#awaited.set(position, count)
    else this.#awaited.delete(position)
  }

  #report(): NodeReport {
    const { confirmed, guards } = this.#feed?.leases ?? { confirmed: 0, guards: 0 }
    this.#beats += 1
    // The feed of a stopping node is closed and echoes nothing any more. If no guard holds a lease, nobody has to wait
    // for the node, although its copy of the log no longer grows.
    const isDone = this.#isStopping && guards === 0
    return {
      ...this.#parts.identity,
      beats: this.#beats,
      confirmed: isDone ? EVERY_POSITION : confirmed,
      guards,
      awaits: Math.max(0, ...this.#awaited.keys()),
      isSettled: this.#feed?.isSettled ?? false,
    }
  }

  #tickLater(): void {
    if (this.#hasLeft) return
    this.#cancel = this.#parts.after(TICK_MS, () => {
      void this.#tick().finally(() => this.#tickLater())
    })
  }

  /** Never rejects. */
  async #tick(): Promise<void> {
    const sinceMs = this.#parts.elapsed() - this.#attemptedAtMs
    const report = this.#report()
    const isNews = !this.#hasFailed && nameReport(report) !== this.#reported
    if (sinceMs >= (isNews ? BEAT_MS.least : BEAT_MS.usual)) {
      this.#beating = this.#tryBeat(report)
      await this.#beating
    } else if (report.confirmed < (this.#feed?.log.position ?? 0)) {
      // A caller of another node may wait for the guards of this one.
      await this.#tryRefresh()
    }
    this.#askGuards(report)
    this.#tellLead()
  }

  async #tryBeat(report: NodeReport): Promise<void> {
    try {
      await this.#beat(report)
      if (this.#hasFailed) this.#parts.onEvent({ event: 'heartbeats_recovered' })
      this.#hasFailed = false
    } catch (error) {
      if (!this.#hasFailed) this.#parts.onEvent({ event: 'heartbeats_failed', error })
      this.#hasFailed = true
    }
  }

  async #beat(report: NodeReport): Promise<void> {
    const began = this.#now()
    this.#attemptedAtMs = began.elapsedMs
    const { startedAt, leads, others } = await this.#parts.store.beat(report, LEAD_MS)
    const wasSilent = !this.mayEcho()
    this.#beatenAt = began
    this.#ledAt = leads ? began : undefined
    this.#reported = nameReport(report)
    // The database has lost rows, maybe also those of other nodes.
    if (this.#startedAt !== undefined && startedAt !== this.#startedAt) {
      this.#feed?.setSettled(false)
      this.#doubtUntilMs = began.elapsedMs + NODE_LEASES_MS
    }
    this.#startedAt = startedAt
    this.#see(others)
    if (wasSilent) void this.#feed?.answerWaiting().catch(() => {})
  }

  async #read(): Promise<void> {
    this.#see(await this.#parts.store.others(this.#parts.identity.id))
  }

  async #tryRefresh(): Promise<boolean> {
    try {
      await this.refresh()
      return true
    } catch {
      return false // The heartbeats report that the database fails.
    }
  }

  #see(rows: readonly NodeRow[]): void {
    const now = this.#parts.elapsed()
    for (const { kind, row } of this.#peers.see(rows, now)) {
      this.#parts.onEvent({ event: `node_${kind}`, node: row.id, name: row.name })
    }
    if (now < this.#doubtUntilMs) return
    if (this.#feed?.isSettled === false && this.#peers.hasSettled) this.#feed.setSettled(true)
  }

  #askGuards({ confirmed }: NodeReport): void {
    const now = this.#parts.elapsed()
    const position = this.#peers.awaited(now)
    if (position <= confirmed) return
    if (position <= this.#asked.position && now - this.#asked.atMs < ASK_AGAIN_MS) return
    this.#asked = { position, atMs: now }
    this.#feed?.askFor(position)
  }

  #tellLead(): void {
    const leads = this.leads()
    if (leads === this.#saidLeads) return
    this.#saidLeads = leads
    const { id, name } = this.#parts.identity
    this.#parts.onEvent({ event: leads ? 'lead_taken' : 'lead_lost', node: id, name })
  }

  #now(): Moment {
    return { elapsedMs: this.#parts.elapsed(), wallMs: this.#parts.wallMs() }
  }

  #ageMs({ elapsedMs, wallMs }: Moment): number {
    const now = this.#now()
    return Math.max(now.elapsedMs - elapsedMs, now.wallMs - wallMs)
  }
}

/** Two reports with the same name say the same. */
function nameReport({ confirmed, guards, awaits, isSettled }: NodeReport): string {
  return `${confirmed}/${guards}/${awaits}/${isSettled}`
}

/** The guards of one other node, as far as a wait is concerned. */
interface PeerCount extends Omit<EffectiveReport, 'ms' | 'isInForce'> {
  readonly isOpen: boolean
}

/** Counts the guards of another node by its row at the beginning of a wait and by its latest row. */
function countPeer(begun: NodeRow, latest: NodeRow, state: PeerState): PeerCount {
  const guards = Math.max(begun.guards, latest.guards)
  if (state === 'open') return { guards, confirmed: 0, expired: 0, isOpen: true }
  // The leases of guards that are no longer counted have expired.
  const confirmed = state === 'confirmed' ? latest.guards : 0
  return { guards, confirmed, expired: guards - confirmed, isOpen: false }
}
