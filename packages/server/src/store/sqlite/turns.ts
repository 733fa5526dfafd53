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

/** Lets pieces of work run one after another, in the order of their calls. */
export class Turns {
  readonly #waiting: (() => void)[] = []
  #isTaken = false

  /** Runs `work` when all earlier work has ended. */
  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.#isTaken) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.#isTaken = true
    try {
      return await work()
    } finally {
      const next = this.#waiting.shift()
      // The turn passes on without a gap. Otherwise work that comes now could begin before the one that waits.
      if (next === undefined) this.#isTaken = false
      else next()
    }
  }
}
