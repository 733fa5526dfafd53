/**
 * Collects jobs and runs them in batches, one batch after another, in the order of their arrival.
 *
 * A batch begins after the event loop has read all sockets that are ready. So batches grow under load, and a single job
 * does not wait for others. Other events run between two batches, so health checks and echoes do not wait for a long
 * queue.
 */
export class BatchQueue<Job> {
  readonly #sizeMax: number
  readonly #run: (batch: readonly Job[]) => Promise<void>
  readonly #waiting: Job[] = []
  #isScheduled = false

  /** `run` settles the jobs of a batch. It never rejects. */
  constructor(sizeMax: number, run: (batch: readonly Job[]) => Promise<void>) {
    this.#sizeMax = sizeMax
    this.#run = run
  }

  /** How many jobs wait. Jobs of the batch that runs do not count. */
  get length(): number {
    return this.#waiting.length
  }

  push(job: Job): void {
    this.#waiting.push(job)
    this.#schedule()
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => void this.#runNext())
  }

  async #runNext(): Promise<void> {
    await this.#run(this.#waiting.splice(0, this.#sizeMax))
    this.#isScheduled = false
    if (this.#waiting.length > 0) this.#schedule()
  }
}
