const byPath = new Map<string, Turns>()

/**
 * Returns the turns of a database. All connections of this thread to one file share them: SQLite would block the thread
 * until the other connection ends its transaction, which the blocked thread can never do.
 */
export function turnsOf(path: string): Turns {
  const turns = byPath.get(path) ?? new Turns()
  byPath.set(path, turns)
  return turns
}

/**
 * How long pieces of work may follow one another before other events run, in milliseconds. Otherwise a long queue would
 * keep the answers of its first calls, and the server would believe that the disk is stuck.
 */
const SLICE_MS = 20

/** Lets pieces of work run one after another, in the order of their calls. */
export class Turns {
  #beganAtMs = 0
  readonly #waiting: (() => void)[] = []
  #isTaken = false

  /** Runs `work` when all earlier work has ended. */
  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.#isTaken) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    else this.#beganAtMs = performance.now()
    this.#isTaken = true
    try {
      return await work()
    } finally {
      this.#passOn()
    }
  }

  // The turn passes on without a gap. Otherwise work that comes now could begin before the one that waits.
  #passOn(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#isTaken = false
    else if (performance.now() - this.#beganAtMs < SLICE_MS) next()
    else {
      setImmediate(() => {
        this.#beganAtMs = performance.now()
        next()
      })
    }
  }
}
