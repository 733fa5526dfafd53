import { LEASE_MS } from '../revocations/confirmations.ts'
import type { NodeRow } from '../store/nodes.ts'

/**
 * A node echoes nonces only within this time after the beginning of its last successful heartbeat, in milliseconds. So
 * other nodes know when the leases of a dead node have expired.
 */
export const ECHO_MS = 3_000
/** Clocks of two machines may differ by this much within half a minute, in milliseconds. */
const MARGIN_MS = 1_000
/** This long after the last heartbeat of a node, all leases of its guards have expired, in milliseconds. */
export const NODE_LEASES_MS = ECHO_MS + LEASE_MS + MARGIN_MS
/** A node that has not beaten for this long is reported, in milliseconds. */
const SILENT_MS = 10_000

/** Another node, as this node has seen it. */
export interface Peer {
  readonly row: NodeRow
  /** When this node first saw the row with this number of heartbeats, on the monotonic clock. */
  readonly seenAtMs: number
  /** Whether its number has changed while this node looked, so it is alive. */
  readonly hasBeaten: boolean
}

/** Whether a position is in force at the guards of another node. */
export type PeerState = 'confirmed' | 'expired' | 'open'

/**
 * The other nodes, as far as this node knows. Times are measured by the monotonic clock of this node. A row that has
 * disappeared counts until the leases of its node have expired, because the database may have lost the row.
 */
export class Peers {
  readonly #known = new Map<string, Peer>()

  get all(): readonly Peer[] {
    return [...this.#known.values()]
  }

  /** Returns what is known now about a node. */
  of({ row }: Peer): Peer | undefined {
    return this.#known.get(row.id)
  }

  /** Takes the rows of a read that has ended. Returns the nodes that have left or fallen silent. */
  see(rows: readonly NodeRow[], nowMs: number): readonly PeerNews[] {
    const news: PeerNews[] = []
    for (const row of rows) {
      const known = this.#known.get(row.id)
      // Answers of two connections may arrive in another order.
      if (known !== undefined && known.row.beats >= row.beats) continue
      this.#known.set(row.id, { row, seenAtMs: nowMs, hasBeaten: known !== undefined })
      if (row.hasLeft && known !== undefined) news.push({ kind: 'left', row })
    }
    for (const [id, { row, seenAtMs, hasBeaten }] of this.#known) {
      const isGone = nowMs - seenAtMs >= NODE_LEASES_MS
      if (isGone && !rows.some((each) => each.id === id)) this.#known.delete(id)
      const isSilent = nowMs - seenAtMs >= SILENT_MS && !row.hasLeft
      if (!isSilent || !hasBeaten) continue
      news.push({ kind: 'silent', row })
      this.#known.set(id, { row, seenAtMs, hasBeaten: false })
    }
    return news
  }

  /** Whether a node is alive that knows of all leases of earlier processes. */
  get hasSettled(): boolean {
    return this.all.some(({ row, hasBeaten }) => hasBeaten && row.isSettled && !row.hasLeft)
  }

  /** The newest position that a caller of another live node waits for. */
  awaited(nowMs: number): number {
    const live = this.all.filter(
      ({ row, seenAtMs }) => !row.hasLeft && nowMs - seenAtMs < SILENT_MS,
    )
    return Math.max(0, ...live.map(({ row }) => row.awaits))
  }
}

/** A change of another node that an operator wants to know. */
export interface PeerNews {
  readonly kind: 'left' | 'silent'
  readonly row: NodeRow
}

/**
 * Decides whether a position is in force at the guards of another node. Pure. `sinceMs` is a time after the commit of
 * the position, and before the row of the node was read.
 *
 * - The node says that its guards have confirmed the position. A guard that connects to it later gets a head at or
 *   above that position.
 * - The node has not beaten for so long that all its leases have expired. It echoes nothing before its next heartbeat.
 * - Half a minute after the commit, no lease from before the commit is left, and a later one needs the position. A node
 *   that lives has reported by then which of its guards have confirmed.
 */
export function decidePeer(
  { row, seenAtMs }: Peer,
  position: number,
  sinceMs: number,
  nowMs: number,
): PeerState {
  if (row.confirmed >= position) return 'confirmed'
  const untilMs = Math.min(seenAtMs + NODE_LEASES_MS, sinceMs + LEASE_MS + MARGIN_MS)
  return nowMs >= untilMs ? 'expired' : 'open'
}
