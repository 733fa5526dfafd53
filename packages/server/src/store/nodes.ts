import type { EpochMs } from '../base/clock.ts'

/** The report of a node in each heartbeat. */
export interface NodeReport {
  /** Random. A node has a new one at each start. */
  readonly id: string
  /** The machine and the process, for the operator. */
  readonly name: string
  readonly version: string
  /**
   * Counts the heartbeats of this node: 1, 2, 3, ... So others see that it is alive without a comparison of clocks. It
   * may skip numbers.
   */
  readonly beats: number
  /**
   * Each guard that holds a lease of this node has confirmed the log up to this position. `EVERY_POSITION` if the node
   * has left and no guard holds a lease of it.
   */
  readonly confirmed: number
  /** How many guards hold a lease of this node. */
  readonly guards: number
  /** The newest position that a caller of this node waits for. 0 if none does. */
  readonly awaits: number
  /** Whether all earlier processes on this database were registered, or their leases have expired. */
  readonly isSettled: boolean
}

/** A node, as the other nodes see it. */
export interface NodeRow extends NodeReport {
  /** When it started, and its last heartbeat, by the store's clock. */
  readonly startedAt: EpochMs
  readonly heartbeatAt: EpochMs
  /** Whether it has stopped and will never echo again. */
  readonly hasLeft: boolean
}

/** The answer to a heartbeat. */
export interface Beat {
  /** When the row was created, by the store's clock. It changes if the database has lost the row. */
  readonly startedAt: EpochMs
  /** Whether this node has the lead until `leadMs` after the call. */
  readonly leads: boolean
  /** All other nodes. */
  readonly others: readonly NodeRow[]
}

/** The `confirmed` of a node for which no wait is needed. It is at or above every position. */
export const EVERY_POSITION = Number.MAX_SAFE_INTEGER

/**
 * The register of the nodes on one database. A server on PostgreSQL writes its row each second. The embedded database
 * has one server, which writes no row.
 */
export interface NodeStore {
  /**
   * Writes a heartbeat. Takes the lead for `leadMs` if nobody has it, or renews it, by the store's clock. So at most one
   * node has the lead. It is one statement on PostgreSQL.
   */
  beat(report: NodeReport, leadMs: number): Promise<Beat>
  /** Lists all nodes except the one with this id. */
  others(id: string): Promise<readonly NodeRow[]>
  /** Records that a node has stopped, and gives up its lead. The node must never echo or call `beat` again. */
  leave(report: NodeReport): Promise<void>
  /** Returns the id of the node that leads. Undefined if none does. */
  leader(): Promise<string | undefined>
  /** Deletes the rows of nodes whose last heartbeat is more than `keptMs` ago. Returns how many it deleted. */
  purge(keptMs: number): Promise<number>
}
