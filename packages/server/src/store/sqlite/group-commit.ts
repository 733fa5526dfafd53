import { limits } from '../../base/limits.ts'
import type { SqliteDatabase } from './database.ts'

interface Job {
  /** Runs the work inside the shared transaction. Returns the function that settles its promise. */
  readonly attempt: () => () => void
  readonly reject: (fault: unknown) => void
}

/**
 * Group commit: pieces of work that arrive together share one transaction and one wait for the disk.
 *
 * A batch begins after the event loop has read all sockets that are ready. So batches grow under load, and a
 * single piece of work does not wait for others. The pieces run in the order of their arrival. If a piece
 * throws, only its own changes are undone. If the commit fails, every promise of the batch rejects.
 */
export class GroupCommit {
  readonly #db: SqliteDatabase
  #waiting: Job[] = []
  #isScheduled = false

  constructor(db: SqliteDatabase) {
    this.#db = db
  }

  /** Whether so much work waits that callers should retry later instead. */
  get isFull(): boolean {
    return this.#waiting.length >= limits.refreshQueueMax
  }

  /** Runs `work` in the next batch. The promise settles when the batch is on the disk. */
  run<T>(work: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({
        attempt: () => {
          const outcome = this.#db.attempt(work)
          return outcome.ok ? () => resolve(outcome.value) : () => reject(outcome.error)
        },
        reject,
      })
      this.#schedule()
    })
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => this.#runBatch())
  }

  #runBatch(): void {
    const batch = this.#waiting.splice(0, limits.refreshBatchMax)
    try {
      const settlements = this.#db.write(() => batch.map(({ attempt }) => attempt()))
      for (const settle of settlements) settle()
    } catch (fault) {
      for (const { reject } of batch) reject(fault)
    }
    this.#isScheduled = false
    // Other events run before the next batch, so health checks and echoes do not wait for a long queue.
    if (this.#waiting.length > 0) this.#schedule()
  }
}
