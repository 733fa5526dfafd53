/** A small random generator (mulberry32). The same seed produces the same world. */
export class Dice {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** Returns a number from 0 (included) to 1 (excluded). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = this.#state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }

  between(from: number, to: number): number {
    return from + this.next() * (to - from)
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  pick<T>(from: readonly T[]): T | undefined {
    return from[Math.floor(this.next() * from.length)]
  }
}

interface Event {
  readonly at: number
  readonly order: number
  readonly call: () => void
}

/** The time and all events in it. Events of the same moment run in the order in which they were added. */
export class World {
  readonly dice: Dice
  now = 0
  /** Nothing fails any more, and the network is good. */
  isCalm = false
  #events: Event[] = []
  #order = 0

  constructor(seed: number) {
    this.dice = new Dice(seed)
  }

  /** Calls a function after some milliseconds. Returns the function that cancels the call. */
  after(ms: number, call: () => void): () => void {
    let isCancelled = false
    this.#push({
      at: this.now + Math.max(0, ms),
      order: this.#order++,
      call: () => {
        if (!isCancelled) call()
      },
    })
    return () => {
      isCancelled = true
    }
  }

  /** Runs until a moment. After each event, first runs everything that waited for it. */
  async run(untilMs: number): Promise<void> {
    for (;;) {
      const next = this.#events[0]
      if (next === undefined || next.at > untilMs) break
      this.#pop()
      this.now = next.at
      next.call()
      await settle()
    }
    this.now = untilMs
  }

  #push(event: Event): void {
    const heap = this.#events
    let at = heap.push(event) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(event, heap[parent])) break
      heap[at] = heap[parent] as Event
      at = parent
    }
    heap[at] = event
  }

  #pop(): void {
    const heap = this.#events
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let at = 0
    for (;;) {
      let child = at * 2 + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1], heap[child])) child += 1
      if (!isBefore(heap[child], last)) break
      heap[at] = heap[child] as Event
      at = child
    }
    heap[at] = last
  }
}

function isBefore(a: Event | undefined, b: Event | undefined): boolean {
  if (a === undefined || b === undefined) return false
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}

function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/**
 * A process or a machine with its own clocks. It can be paused (SIGSTOP, garbage collection, a sleeping
 * machine) and ended.
 */
export class Machine {
  readonly world: World
  #clockOffset = 0
  #slept = 0
  #pausedAt: number | undefined
  #waiting: (() => void)[] = []
  #isEnded = false

  constructor(world: World) {
    this.world = world
  }

  /** The wall clock, which may be set. */
  readonly clock = (): number => Math.floor(EPOCH_MS + this.world.now + this.#clockOffset)

  /** The monotonic clock, which stops while the machine sleeps. */
  readonly elapsed = (): number => this.world.now - this.#slept

  /** A timer of this machine. It fires late if the machine is paused, and never if it has ended. */
  readonly after = (ms: number, call: () => void): (() => void) =>
    this.world.after(ms, () => this.deliver(call))

  /** Delivers a message to this machine. */
  deliver(call: () => void): void {
    if (this.#isEnded) return
    if (this.#pausedAt === undefined) call()
    else this.#waiting.push(call)
  }

  get isRunning(): boolean {
    return this.#pausedAt === undefined && !this.#isEnded
  }

  setClock(byMs: number): void {
    this.#clockOffset += byMs
  }

  /** Pauses the machine for a while. With `sleeps`, the monotonic clock stops too. */
  pause(ms: number, sleeps: boolean): void {
    if (this.#pausedAt !== undefined) return
    this.#pausedAt = this.world.now
    this.world.after(ms, () => {
      if (sleeps) this.#slept += this.world.now - (this.#pausedAt ?? 0)
      this.#pausedAt = undefined
      for (const call of this.#waiting.splice(0)) call()
    })
  }

  end(): void {
    this.#isEnded = true
    this.#waiting = []
  }
}

const EPOCH_MS = 1_795_000_000_000
