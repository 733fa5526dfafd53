import { limits } from '../../base/limits.ts'
import { BatchQueue } from './batch-queue.ts'
import {
  whenThere,
  type Awaitable,
  type Database,
  type GroupCommit,
  type Transaction,
} from './database.ts'

type Settlement = () => void

interface Job {
  /** Runs the work inside the shared transaction. Returns the function that resolves its promise. */
  readonly run: (tx: Transaction) => Awaitable<Settlement>
  readonly reject: (fault: unknown) => void
}

/**
 * Group commit: pieces of work that arrive together share one transaction and one wait for the disk.
 *
 * If a piece throws, only its own changes are undone. If the commit fails, every promise of the batch rejects.
 *
 * A piece of work may run twice, because a savepoint for each piece would cost a refresh several percent. It must
 * have no effect outside the database.
 */
export class Batches implements GroupCommit {
  readonly #db: Database
  readonly #queue: BatchQueue<Job>

  constructor(db: Database) {
    this.#db = db
    this.#queue = new BatchQueue(limits.refreshBatchMax, (batch) => this.#runBatch(batch))
  }

  get isFull(): boolean {
    return this.#queue.length >= limits.refreshQueueMax
  }

  run<T>(work: (tx: Transaction) => Awaitable<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#queue.push({
        run: (tx) => whenThere(work(tx), (value) => () => resolve(value)),
        reject,
      })
    })
  }

  async #runBatch(batch: readonly Job[]): Promise<void> {
    try {
      const settlements = (await this.#together(batch)) ?? (await this.#separately(batch))
      for (const settle of settlements) settle()
    } catch (fault) {
      for (const { reject } of batch) reject(fault)
    }
  }

  /** Runs all pieces in one transaction. Returns undefined, with everything undone, if a piece threw. */
  async #together(batch: readonly Job[]): Promise<readonly Settlement[] | undefined> {
    let hasThrown = false
    try {
      return await this.#db.write(async (tx) => {
        const settlements: Settlement[] = []
        for (const { run } of batch) {
          hasThrown = true
          const settlement = run(tx)
          settlements.push(settlement instanceof Promise ? await settlement : settlement)
          hasThrown = false
        }
        return settlements
      })
    } catch (fault) {
      if (hasThrown) return undefined
      throw fault
    }
  }

  /** Runs all pieces in one transaction again, and undoes only those that throw. */
  #separately(batch: readonly Job[]): Promise<readonly Settlement[]> {
    return this.#db.write(async (tx) => {
      const settlements: Settlement[] = []
      for (const { run, reject } of batch) {
        const outcome = await tx.attempt(async () => run(tx))
        settlements.push(outcome.ok ? outcome.value : () => reject(outcome.error))
      }
      return settlements
    })
  }
}
