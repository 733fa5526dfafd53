/** Timers on a clock that a test moves. */
export class ManualTimers {
  #nowMs = 0
  #calls: { at: number; call: () => void }[] = []
  readonly elapsed = (): number => this.#nowMs
  readonly after = (ms: number, call: () => void): (() => void) => {
    const entry = { at: this.#nowMs + ms, call }
    this.#calls.push(entry)
    return () => (this.#calls = this.#calls.filter((each) => each !== entry))
  }
  get pending(): number {
    return this.#calls.length
  }
  async advance(ms: number): Promise<void> {
    const until = this.#nowMs + ms
    for (;;) {
      const [next] = this.#calls.filter(({ at }) => at <= until).toSorted((a, b) => a.at - b.at)
      if (next === undefined) break
      this.#calls = this.#calls.filter((each) => each !== next)
      this.#nowMs = next.at
      next.call()
    }
    this.#nowMs = until
    await Promise.resolve()
  }
}
