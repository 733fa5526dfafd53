import { limits } from '../base/limits.ts'
import type { RefreshAttempt, RefreshOutcome, RefreshRules } from '../store/refresh.ts'
import type { SessionStore } from '../store/store.ts'

interface Waiting {
  readonly attempt: RefreshAttempt
  resolve(outcome: RefreshOutcome): void
  reject(fault: unknown): void
}

/**
 * Group commit: refreshes that arrive together share one transaction and one wait for the disk. The
 * batch is taken after the event loop has read all sockets that are ready, so under load batches grow
 * by themselves, and a lone refresh waits for nobody.
 */
export class RefreshQueue {
  readonly #sessions: SessionStore
  readonly #rules: () => RefreshRules
  #waiting: Waiting[] = []
  #running = false

  /** `rules` is asked once a batch, when it begins: its `now` is the batch's time. */
  constructor(sessions: SessionStore, rules: () => RefreshRules) {
    this.#sessions = sessions
    this.#rules = rules
  }

  /** Undefined when too many wait already: the caller answers 503. Rejects with the store's fault. */
  submit(attempt: RefreshAttempt): Promise<RefreshOutcome> | undefined {
    if (this.#waiting.length >= limits.refreshQueueMax) return undefined
    return new Promise((resolve, reject) => {
      this.#waiting.push({ attempt, resolve, reject })
      if (!this.#running) {
        this.#running = true
        setImmediate(() => void this.#runAll())
      }
    })
  }

  async #runAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, limits.refreshBatchMax)
      try {
        const outcomes = await this.#sessions.refreshBatch(
          batch.map((each) => each.attempt),
          this.#rules(),
        )
        for (const [index, each] of batch.entries()) each.resolve(outcomes[index]!)
      } catch (fault) {
        for (const each of batch) each.reject(fault)
      }
    }
    this.#running = false
  }
}
