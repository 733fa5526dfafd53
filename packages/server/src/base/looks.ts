/**
 * The looks of a worker into its outbox, and the work that they begin. Of several times that are asked for, the earliest
 * counts.
 */
export class Looks {
  readonly #look: () => Promise<void>
  readonly #work = new Set<Promise<void>>()
  #timer: NodeJS.Timeout | undefined
  #timerAt = Infinity
  #isClosed = false

  /** `look` must not reject. */
  constructor(look: () => Promise<void>) {
    this.#look = look
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** The milliseconds until the next look. Infinity if none is planned. */
  get nextInMs(): number {
    return this.#timerAt - performance.now()
  }

  /** Looks after this time, unless an earlier look is planned. */
  after(ms: number): void {
    const at = performance.now() + ms
    if (this.#isClosed || at >= this.#timerAt) return
    clearTimeout(this.#timer)
    this.#timerAt = at
    this.#timer = setTimeout(() => {
      this.#timerAt = Infinity
      this.track(this.#look())
    }, ms)
    this.#timer.unref()
  }

  /** Remembers work until it ends. It must not reject. */
  track(work: Promise<void>): void {
    const tracked = work.finally(() => this.#work.delete(tracked))
    this.#work.add(tracked)
  }

  /** Looks no more. Waits for work in flight, and calls `cut` if that takes longer than `ms`. */
  async close(ms: number, cut: () => void): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#timer)
    const timer = setTimeout(cut, ms)
    while (this.#work.size > 0) await Promise.all(this.#work)
    clearTimeout(timer)
  }
}
