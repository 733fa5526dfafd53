import type { Timers } from './tail.ts'

/** The longest time for which a guard accepts tokens under one lease, in milliseconds. Part of the protocol. */
export const LEASE_MS = 30_000

/** The waiting calls are checked this often, in milliseconds, however many messages guards send. */
const SETTLE_EVERY_MS = 10

/** The result of waiting until a position is in force everywhere. */
export interface EffectiveReport {
  /** How long the wait took, in milliseconds. */
  readonly ms: number
  /** How many guards held a lease. */
  readonly guards: number
  /** How many of them confirmed that they apply the position. */
  readonly confirmed: number
  /** How many did not confirm. Their lease has run out, so they accept nothing any more. */
  readonly expired: number
  /**
   * Whether the position is in force everywhere. False if the authority stopped first: guards that are in neither
   * number, and those of an earlier process, may still hold a lease.
   */
  readonly isInForce: boolean
}

/** Old guards are removed only when more than this many are known. */
const FORGET_MIN = 1_024

interface Guard {
  applied: number
  /** When the last echo was sent to it, on the monotonic clock. Its lease is not newer. */
  echoedAtMs: number
}

/** All callers that wait for one position. */
interface Waiting {
  readonly position: number
  readonly guards: number
  confirmed: number
  /**
   * The guards that have not confirmed, and until when each can accept tokens under an earlier echo. An echo
   * from after the commit renews nothing until the guard has applied the position.
   */
  readonly open: Map<string, number>
  /** Resolves with the time at which the wait ended. */
  readonly done: Promise<number>
  readonly finish: (atMs: number) => void
}

/**
 * Tracks the position of each guard, and for how long a silent guard may still accept tokens: at most 30 s
 * after the last echo that was sent to it, whatever happened to it.
 */
export class Confirmations {
  readonly #timers: Timers
  readonly #guards = new Map<string, Guard>()
  /** By position. Anybody may ask to wait, and many callers for one position cost no more than one. */
  readonly #waiting = new Map<number, Waiting>()
  /** Guards of an earlier process are not known. Any leases that they hold have ended by this time. */
  readonly #unknownUntilMs: number
  #isSettling = false
  #isClosed = false
  #forgetAt = FORGET_MIN

  /** `unknownMs`: for how long guards may hold leases of an earlier process. */
  constructor(timers: Timers, unknownMs: number) {
    this.#timers = timers
    this.#unknownUntilMs = timers.elapsed() + unknownMs
  }

  /** The number of guards that may hold a lease. */
  get live(): number {
    this.#forget()
    return this.#guards.size
  }

  /** Records that an echo is about to be sent to a guard. */
  echoed(guard: string): void {
    const known = this.#guards.get(guard)
    const echoedAtMs = this.#timers.elapsed()
    if (known !== undefined) {
      known.echoedAtMs = echoedAtMs
      return
    }
    // Guards choose a new name at each start. Old names must be removed even if no caller waits.
    if (this.#guards.size >= this.#forgetAt) {
      this.#forget()
      this.#forgetAt = Math.max(FORGET_MIN, 2 * this.#guards.size)
    }
    this.#guards.set(guard, { applied: 0, echoedAtMs })
  }

  /** Records the position of a guard. */
  applied(guard: string, position: number): void {
    const known = this.#guards.get(guard)
    if (known !== undefined && position > known.applied) known.applied = position
  }

  /** Whether a caller already waits for a position. */
  awaits(position: number): boolean {
    return this.#waiting.has(position)
  }

  /**
   * Resolves when every guard that holds a lease now has applied the position, or no longer holds a lease. After
   * {@link close} it resolves at once.
   */
  async wait(position: number): Promise<EffectiveReport> {
    const startedAtMs = this.#timers.elapsed()
    const waiting = this.#waiting.get(position) ?? this.#begin(position)
    const ms = Math.round((await waiting.done) - startedAtMs)
    const { guards, confirmed, open } = waiting
    const expired = guards - confirmed - open.size
    return { ms, guards, confirmed, expired, isInForce: this.#isInForce(waiting) }
  }

  /** Ends all waits. A position that is not in force everywhere yet is reported as such. */
  close(): void {
    this.#isClosed = true
    for (const waiting of this.#waiting.values()) this.#settle(waiting)
  }

  #begin(position: number): Waiting {
    this.#forget()
    const open = new Map(
      [...this.#guards].map(([name, { echoedAtMs }]) => [name, echoedAtMs + LEASE_MS]),
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
    return open.size === 0 && this.#timers.elapsed() >= this.#unknownUntilMs
  }

  /** Removes guards whose leases have run out, unless a caller waits for a report about them. */
  #forget(): void {
    if (this.#waiting.size > 0) return
    const since = this.#timers.elapsed() - LEASE_MS
    for (const [name, { echoedAtMs }] of this.#guards) {
      if (echoedAtMs <= since) this.#guards.delete(name)
    }
  }
}
