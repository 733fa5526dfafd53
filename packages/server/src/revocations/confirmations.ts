import type { Timers } from './tail.ts'

/** The longest time that a guard accepts tokens by one lease, in milliseconds. Part of the protocol. */
export const LEASE_MS = 30_000

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

interface Guard {
  applied: number
  /** When the last echo went to it, on the clock that is never set: its lease is no younger. */
  echoedAtMs: number
}

interface Waiting {
  readonly position: number
  readonly startedAtMs: number
  /**
   * Until when each can accept tokens by an echo from before: one from after the commit renews nothing
   * until its guard has applied the position.
   */
  readonly guards: ReadonlyMap<string, number>
  readonly resolve: (report: EffectiveReport) => void
  cancel: () => void
}

/**
 * Knows how far each guard has come, and how long one that is silent may still accept tokens: no longer
 * than 30 s after the last echo that was sent to it, whatever has become of it.
 */
export class Confirmations {
  readonly #timers: Timers
  readonly #guards = new Map<string, Guard>()
  readonly #waiting = new Set<Waiting>()
  /** Guards of an earlier process are not known; their leases end then. */
  readonly #unknownUntilMs: number

  constructor(timers: Timers) {
    this.#timers = timers
    this.#unknownUntilMs = timers.elapsed() + LEASE_MS
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
    if (known === undefined) this.#guards.set(guard, { applied: 0, echoedAtMs })
    else known.echoedAtMs = echoedAtMs
  }

  /** Notes how far a guard has come. */
  applied(guard: string, position: number): void {
    const known = this.#guards.get(guard)
    if (known === undefined || position <= known.applied) return
    known.applied = position
    for (const each of this.#waiting) this.#settle(each)
  }

  /** Resolves when every guard that holds a lease now has applied a position or holds none any more. */
  wait(position: number): Promise<EffectiveReport> {
    this.#forget()
    return new Promise((resolve) => {
      const waiting: Waiting = {
        position,
        startedAtMs: this.#timers.elapsed(),
        guards: new Map(
          [...this.#guards].map(([name, { echoedAtMs }]) => [name, echoedAtMs + LEASE_MS]),
        ),
        resolve,
        cancel: () => {},
      }
      this.#waiting.add(waiting)
      this.#settle(waiting)
    })
  }

  /** Nobody waits any longer: what is not confirmed yet is reported as it is. */
  close(): void {
    for (const each of this.#waiting) this.#finish(each)
  }

  #settle(waiting: Waiting): void {
    waiting.cancel()
    const now = this.#timers.elapsed()
    const until = Math.max(this.#unknownUntilMs, ...this.#openUntil(waiting))
    if (until <= now) this.#finish(waiting)
    else waiting.cancel = this.#timers.after(until - now, () => this.#settle(waiting))
  }

  /** The ends of the leases of those that have not confirmed. */
  #openUntil({ guards, position }: Waiting): readonly number[] {
    return [...guards].filter(([name]) => !this.#has(name, position)).map(([, until]) => until)
  }

  #has(guard: string, position: number): boolean {
    return (this.#guards.get(guard)?.applied ?? 0) >= position
  }

  #finish(waiting: Waiting): void {
    waiting.cancel()
    this.#waiting.delete(waiting)
    const { guards, position, startedAtMs, resolve } = waiting
    const confirmed = [...guards.keys()].filter((name) => this.#has(name, position)).length
    resolve({
      ms: Math.round(this.#timers.elapsed() - startedAtMs),
      guards: guards.size,
      confirmed,
      expired: guards.size - confirmed,
    })
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
