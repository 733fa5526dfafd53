import type { Clock, EpochMs } from '../../base/clock.ts'

/** A measurement is replaced by a worse one only if it is older than this, in milliseconds. */
const KEPT_MS = 2_000

/**
 * The clock of the database server, so that all nodes have the same time, whatever their own clocks show. It continues
 * from the last answer with the steady clock of this machine.
 */
export class ServerClock implements Clock {
  #serverMs: EpochMs
  /** When the server read its clock, by the steady clock, and how uncertain that is. */
  #atMs: number
  #errorMs: number

  /** It shows the time of this machine until the first answer. */
  constructor() {
    this.#serverMs = Date.now()
    this.#atMs = performance.now()
    this.#errorMs = Infinity
  }

  nowMs(): EpochMs {
    return Math.floor(this.#serverMs + performance.now() - this.#atMs)
  }

  /** Takes the time of an answer to a question that was sent at `sentAtMs` of `performance.now()`. */
  note(serverMs: EpochMs, sentAtMs: number): void {
    const now = performance.now()
    const errorMs = (now - sentAtMs) / 2
    if (errorMs > this.#errorMs && now - this.#atMs < KEPT_MS) return
    this.#serverMs = serverMs
    this.#atMs = now - errorMs
    this.#errorMs = errorMs
  }
}
