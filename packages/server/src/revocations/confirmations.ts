import type { Timers } from './tail.ts'

/**
 * The longest time for which a guard accepts tokens under one lease, in milliseconds. Part of the protocol.
 */
export const LEASE_MS = 30_000

/**
 * The interval at which waiting calls are checked, in milliseconds. It does not depend on the number of
 * messages from guards.
 */
const SETTLE_EVERY_MS = 10

/** The result of waiting until a position is in force everywhere. */
export interface EffectiveReport {
  /** How long the wait took, in milliseconds. */
  readonly ms: number
  /** How many guards held a lease. */
  readonly guards: number
  /** How many of them confirmed that they apply the position. */
  readonly confirmed: number
  /** How many did not confirm. Their lease has expired, or they have closed, so they accept no tokens. */
  readonly expired: number
  /**
   * Whether the position is in force everywhere. False if the authority stopped first: guards that are in neither
   * number, and those of an earlier process, may still hold a lease.
   */
  readonly isInForce: boolean
}

/** The guards of one node that may hold a lease. */
export interface Leases {
  /** Each of them has confirmed the log up to this position. */
  readonly confirmed: number
  readonly guards: number
}

/** Guards with an expired lease are removed only if more than this many guards are known. */
const FORGET_MIN = 1_024

interface Guard {
  applied: number
  /**
   * When the head of the guard's last echo was about to be read, on the monotonic clock. The guard's lease began at
   * this time or earlier, because it counts from the sending of the nonce.
   */
  echoedAtMs: number
  /** How long it accepts tokens after that, in milliseconds. */
  readonly leaseMs: number
}

/** All callers that wait for one position. */
interface Waiting {
  readonly position: number
  readonly guards: number
  confirmed: number
  /**
   * The guards that have not confirmed, and the time until which each can accept tokens because of an earlier
   * echo. An echo after the commit does not renew a lease until the guard has applied the position.
   */
  readonly open: Map<string, number>
  /** Resolves with the time at which the wait ended. */
  readonly done: Promise<number>
  readonly finish: (atMs: number) => void
}

/**
 * Tracks the position of each guard, and how long a silent guard may still accept tokens. That is at most one lease
 * after the last echo that was sent to it, in all cases.
 */
export class Confirmations {
  readonly #timers: Timers
  readonly #unknownMs: number
  readonly #guards = new Map<string, Guard>()
  /** The waits, by position. Many callers that wait for the same position cost no more than one. */
  readonly #waiting = new Map<number, Waiting>()
  /** Guards of an earlier process are not known. All leases that they hold have expired at this time. */
  #unknownUntilMs: number
  #isSettling = false
  #isClosed = false
  #forgetAt = FORGET_MIN

  /** `unknownMs` is how long guards may still hold leases of an earlier process. */
  constructor(timers: Timers, unknownMs: number) {
    this.#timers = timers
    this.#unknownMs = unknownMs
    this.#unknownUntilMs = timers.elapsed() + unknownMs
  }

  /** The number of guards that may hold a lease. */
  get live(): number {
    this.#forget()
    return this.#guards.size
  }

  /** Whether the leases of all earlier processes are known or have expired. */
  get isSettled(): boolean {
    return this.#timers.elapsed() >= this.#unknownUntilMs
  }

  /** Records that the leases of all earlier processes are known elsewhere, or not known any more. */
  setSettled(isSettled: boolean): void {
    this.#unknownUntilMs = this.#timers.elapsed() + (isSettled ? 0 : this.#unknownMs)
  }

  /**
   * Counts the guards that may hold a lease, and finds the position up to which each of them has confirmed the log.
   * That is at most `head`, because a guard that gets its first echo later gets a head that is at `head` or above.
   */
  leases(head: number): Leases {
    const now = this.#timers.elapsed()
    let [confirmed, guards] = [head, 0]
    for (const { applied, echoedAtMs, leaseMs } of this.#guards.values()) {
      if (echoedAtMs + leaseMs <= now) continue
      guards += 1
      if (applied < confirmed) confirmed = applied
    }
    return { confirmed, guards }
  }

  /**
   * Records that the head of an echo is about to be read for a guard, which has confirmed a position. It counts as a
   * lease from now on, even if the echo is not sent. So a wait that begins between the read and the echo includes the
   * guard. `leaseMs` is how long the guard accepts tokens afterwards.
   */
  echoed(guard: string, applied = 0, leaseMs = LEASE_MS): void {
    const known = this.#guards.get(guard)
    const echoedAtMs = this.#timers.elapsed()
    if (known !== undefined) {
      known.echoedAtMs = echoedAtMs
      if (applied > known.applied) known.applied = applied
      return
    }
    // Guards choose a new name at each start, so old names must be removed even if no caller waits.
    if (this.#guards.size >= this.#forgetAt) {
      this.#forget()
      this.#forgetAt = Math.max(FORGET_MIN, 2 * this.#guards.size)
    }
    this.#guards.set(guard, { applied, echoedAtMs, leaseMs })
  }

  /** Records the position of a guard. */
  applied(guard: string, position: number): void {
    const known = this.#guards.get(guard)
    if (known !== undefined && position > known.applied) known.applied = position
  }

  /** Records that a guard has closed. It holds no lease any more, so nobody waits for it. */
  left(guard: string): void {
    this.#guards.delete(guard)
    for (const { open } of this.#waiting.values()) open.delete(guard)
  }

  /** Whether a caller already waits for a position. */
  awaits(position: number): boolean {
    return this.#waiting.has(position)
  }

  /**
   * Resolves when every guard that now holds a lease has applied the position or lost its lease. After {@link close} it
   * resolves at once.
   */
  async wait(position: number): Promise<EffectiveReport> {
    const startedAtMs = this.#timers.elapsed()
    const waiting = this.#waiting.get(position) ?? this.#begin(position)
    const ms = Math.round((await waiting.done) - startedAtMs)
    const { guards, confirmed, open } = waiting
    const expired = guards - confirmed - open.size
    return { ms, guards, confirmed, expired, isInForce: this.#isInForce(waiting) }
  }

  /** Ends all waits. Each wait resolves with a report of the current state, which may not be in force everywhere. */
  close(): void {
    this.#isClosed = true
    for (const waiting of this.#waiting.values()) this.#settle(waiting)
  }

  #begin(position: number): Waiting {
    this.#forget()
    const open = new Map(
      [...this.#guards].map(([name, { echoedAtMs, leaseMs }]) => [name, echoedAtMs + leaseMs]),
    )
    let finish: Waiting['finish'] = () => {}
    const done = new Promise<number>((resolve) => (finish = resolve))
    const waiting = { position, guards: open.size, confirmed: 0, open, done, finish }
    this.#waiting.set(position, waiting)
    this.#settle(waiting)
    this.#settleLater()
    return waiting
  }

  #settleLater(): void {
    if (this.#isSettling || this.#waiting.size === 0) return
    this.#isSettling = true
    this.#timers.after(SETTLE_EVERY_MS, () => {
      this.#isSettling = false
      for (const each of this.#waiting.values()) this.#settle(each)
      this.#settleLater()
    })
  }

  #settle(waiting: Waiting): void {
    const { position, open, finish } = waiting
    const now = this.#timers.elapsed()
    for (const [name, until] of open) {
      const hasApplied = (this.#guards.get(name)?.applied ?? 0) >= position
      if (hasApplied) waiting.confirmed += 1
      if (hasApplied || until <= now) open.delete(name)
    }
    if (!this.#isClosed && !this.#isInForce(waiting)) return
    this.#waiting.delete(position)
    finish(now)
  }

  #isInForce({ open }: Waiting): boolean {
    return open.size === 0 && this.isSettled
  }

  /** Removes guards whose leases have expired, unless a caller waits for a report about them. */
  #forget(): void {
    if (this.#waiting.size > 0) return
    const now = this.#timers.elapsed()
    for (const [name, { echoedAtMs, leaseMs }] of this.#guards) {
      if (echoedAtMs + leaseMs <= now) this.#guards.delete(name)
    }
  }
}
