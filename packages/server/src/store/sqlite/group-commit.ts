import { limits } from '../../base/limits.ts'
import type { SqliteDatabase } from './database.ts'

type Settlement = () => void

interface Job {
  /** Runs the work inside the shared transaction. Returns the function that resolves its promise. */
  readonly run: () => Settlement
  readonly reject: (fault: unknown) => void
}

/**
 * Group commit: pieces of work that arrive together share one transaction and one wait for the disk.
 *
 * A batch begins after the event loop has read all sockets that are ready. So batches grow under load, and a
 * single piece of work does not wait for others. The pieces run in the order of their arrival. If a piece
 * throws, only its own changes are undone. If the commit fails, every promise of the batch rejects.
 *
 * A piece of work may run twice, because a savepoint for each piece would cost a refresh several percent. It must
 * have no effect outside the database.
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
        run: () => {
          const value = work()
          return () => resolve(value)
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
      for (const settle of this.#together(batch) ?? this.#separately(batch)) settle()
    } catch (fault) {
      for (const { reject } of batch) reject(fault)
    }
    this.#isScheduled = false
    // Other events run before the next batch, so health checks and echoes do not wait for a long queue.
    if (this.#waiting.length > 0) this.#schedule()
  }

  /** Runs all pieces in one transaction. Returns undefined, with everything undone, if a piece threw. */
  #together(batch: readonly Job[]): Settlement[] | undefined {
    let hasThrown = false
    try {
      return this.#db.write(() =>
        batch.map(({ run }) => {
          hasThrown = true
          const settle = run()
          hasThrown = false
          return settle
        }),
      )
    } catch (fault) {
      if (hasThrown) return undefined
      throw fault
    }
  }

  /** Runs all pieces in one transaction again, and undoes only those that throw. */
  #separately(batch: readonly Job[]): Settlement[] {
    return this.#db.write(() =>
      batch.map(({ run, reject }) => {
        const outcome = this.#db.attempt(run)
        return outcome.ok ? outcome.value : () => reject(outcome.error)
      }),
    )
  }
}
