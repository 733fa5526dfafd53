import type { Timers } from './tail.ts'

/** The longest time that a guard accepts tokens by one lease, in milliseconds. Part of the protocol. */
export const LEASE_MS = 30_000

/** Who waits is looked after this often, in milliseconds, however many guards say how far they are. */
const SETTLE_EVERY_MS = 10

/** What came of waiting until something is in force everywhere. */
export interface EffectiveReport {
  /** How long that took, in milliseconds. */
  readonly ms: number
  /** How many guards held a lease. */
  readonly guards: number
  /** How many of them have said that they apply it. */
  readonly confirmed: number
  /** How many have not, and can accept nothing any more since their lease has run out. */
  readonly expired: number
}

/** So many names of guards are kept before any are looked through for old ones. */
const FORGET_MIN = 1_024

interface Guard {
  applied: number
  /** When the last echo went to it, on the clock that is never set: its lease is no younger. */
  echoedAtMs: number
}

/** All who wait for one position. */
interface Waiting {
  readonly position: number
  readonly guards: number
  confirmed: number
  /**
   * The guards that have not confirmed, and until when each can accept tokens by an echo from before: one
   * from after the commit renews nothing until its guard has applied the position.
   */
  readonly open: Map<string, number>
  /** Resolves with the time at which that was. */
  readonly done: Promise<number>
  readonly finish: (atMs: number) => void
}

/**
 * Knows how far each guard has come, and how long one that is silent may still accept tokens: no longer
 * than 30 s after the last echo that was sent to it, whatever has become of it.
 */
export class Confirmations {
  readonly #timers: Timers
  readonly #guards = new Map<string, Guard>()
  /** By position: anybody may ask to wait, and many who wait for the same cost no more than one. */
  readonly #waiting = new Map<number, Waiting>()
  /** Guards of an earlier process are not known; their leases end then, where there can be any. */
  readonly #unknownUntilMs: number
  #isSettling = false
  #forgetAt = FORGET_MIN

  /** `unknownMs`: how long guards may hold leases of an earlier process. */
  constructor(timers: Timers, unknownMs: number) {
    this.#timers = timers
    this.#unknownUntilMs = timers.elapsed() + unknownMs
  }

  /** How many guards may hold a lease. */
  get live(): number {
    this.#forget()
    return this.#guards.size
  }

  /** Notes that an echo goes to a guard, before it does. */
  echoed(guard: string): void {
    const known = this.#guards.get(guard)
    const echoedAtMs = this.#timers.elapsed()
    if (known !== undefined) {
      known.echoedAtMs = echoedAtMs
      return
    }
    // Names are made by guards, at each start: those of long ago must go though nobody waits.
    if (this.#guards.size >= this.#forgetAt) {
      this.#forget()
      this.#forgetAt = Math.max(FORGET_MIN, 2 * this.#guards.size)
    }
    this.#guards.set(guard, { applied: 0, echoedAtMs })
  }

  /** Notes how far a guard has come. */
  applied(guard: string, position: number): void {
    const known = this.#guards.get(guard)
    if (known !== undefined && position > known.applied) known.applied = position
  }

  /** Whether somebody waits for a position already. */
  awaits(position: number): boolean {
    return this.#waiting.has(position)
  }

  /** Resolves when every guard that holds a lease now has applied a position or holds none any more. */
  async wait(position: number): Promise<EffectiveReport> {
    const startedAtMs = this.#timers.elapsed()
    const waiting = this.#waiting.get(position) ?? this.#begin(position)
    const ms = Math.round((await waiting.done) - startedAtMs)
    const { guards, confirmed } = waiting
    return { ms, guards, confirmed, expired: guards - confirmed }
  }

  /** Nobody waits any longer: what is not confirmed yet is reported as it is. */
  close(): void {
    for (const { finish } of this.#waiting.values()) finish(this.#timers.elapsed())
    this.#waiting.clear()
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
    if (open.size > 0 || now < this.#unknownUntilMs) return
    this.#waiting.delete(position)
    finish(now)
  }

  /** Drops guards whose leases have run out, unless somebody waits to report of them. */
  #forget(): void {
    if (this.#waiting.size > 0) return
    const since = this.#timers.elapsed() - LEASE_MS
    for (const [name, { echoedAtMs }] of this.#guards) {
      if (echoedAtMs <= since) this.#guards.delete(name)
    }
  }
}
