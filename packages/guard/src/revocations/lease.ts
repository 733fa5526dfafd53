import { isSameChain, type LogHead } from './entry.ts'

/** Two clocks in milliseconds: a monotonic one, and the wall clock. */
export interface LeaseClocks {
  readonly elapsed: () => number
  readonly clock: () => number
}

/** A moment on both clocks. */
interface Moment {
  readonly elapsed: number
  readonly clock: number
}

/** The result of an echo. `behind` and `off_chain` are signs that the authority has lost entries. */
export type EchoOutcome = 'renewed' | 'awaited' | 'unknown' | 'behind' | 'off_chain'

const ASKED_MAX = 64

/**
 * A guard's proof that its copy of the log is fresh. The guard sends a nonce. The authority echoes it with a
 * head of the log that it read after the nonce arrived. Once the copy holds that head, it is as fresh as the
 * moment when the nonce was *sent*. A buffered or replayed echo proves nothing, and no clock of another
 * machine matters.
 */
export class Lease {
  readonly #clocks: LeaseClocks
  readonly #random: () => string
  readonly #asked = new Map<string, Moment>()
  #awaited: { readonly head: LogHead; readonly sentAt: Moment }[] = []
  #since: Moment | undefined

  /** `random` makes a nonce that nobody can guess. */
  constructor(clocks: LeaseClocks, random: () => string) {
    this.#clocks = clocks
    this.#random = random
  }

  /** Returns the nonce to send now. */
  ask(): string {
    const nonce = this.#random()
    if (this.#asked.size >= ASKED_MAX) {
      const [oldest = ''] = this.#asked.keys()
      this.#asked.delete(oldest)
    }
    this.#asked.set(nonce, this.#now())
    return nonce
  }

  /**
   * Handles an echo. `held` is the head of the copy. An echo below it, or off its chain, comes from a node
   * that lags or has lost entries. Such an echo renews nothing. An echo above it counts when the copy has
   * caught up.
   */
  echo(nonce: string, head: LogHead, held: LogHead): EchoOutcome {
    const sentAt = this.#asked.get(nonce)
    if (sentAt === undefined) return 'unknown'
    this.#asked.delete(nonce)
    if (head.position < held.position) return 'behind'
    if (head.position > held.position) {
      this.#awaited.push({ head, sentAt })
      return 'awaited'
    }
    if (!isSameChain(head.chain, held.chain)) return 'off_chain'
    this.#renew(sentAt)
    return 'renewed'
  }

  /** Returns the wall clock when a nonce was sent, while it waits for its echo. */
  sentAt(nonce: string): number | undefined {
    return this.#asked.get(nonce)?.clock
  }

  /** Whether the copy is known to be as fresh as a moment on the monotonic clock. */
  isProvedSince(elapsed: number): boolean {
    return this.#since !== undefined && this.#since.elapsed >= elapsed
  }

  /**
   * Reports that the copy has advanced. `chainAt` returns the chain values of the copy. An echo renews
   * nothing if its head is from another history or is too old to compare.
   */
  applied(position: number, chainAt: (position: number) => Uint8Array | undefined): EchoOutcome {
    let outcome: EchoOutcome = 'awaited'
    this.#awaited = this.#awaited.filter(({ head, sentAt }) => {
      if (head.position > position) return true
      const chain = chainAt(head.position)
      if (chain === undefined) return false
      if (isSameChain(chain, head.chain)) {
        this.#renew(sentAt)
        if (outcome === 'awaited') outcome = 'renewed'
      } else {
        outcome = 'off_chain'
      }
      return false
    })
    return outcome
  }

  /**
   * How old the copy may be, in milliseconds; `Infinity` before the first lease. It is the larger of both
   * ages: the wall clock may be set back, and the monotonic clock stops while a machine sleeps. Pass `now`,
   * the wall clock, if you have just read it.
   */
  ageMs(now = this.#clocks.clock()): number {
    const since = this.#since
    if (since === undefined) return Infinity
    return Math.max(this.#clocks.elapsed() - since.elapsed, now - since.clock, 0)
  }

  /** Forgets the nonces that were sent on a closed connection and not answered. The lease itself stays. */
  forgetAsked(): void {
    this.#asked.clear()
    this.#awaited = []
  }

  /** Drops the lease: the copy is no longer known to be fresh. */
  drop(): void {
    this.forgetAsked()
    this.#since = undefined
  }

  // Echoes may arrive out of order, so the latest moment counts.
  #renew(sentAt: Moment): void {
    if (this.#since === undefined || sentAt.elapsed > this.#since.elapsed) this.#since = sentAt
  }

  #now(): Moment {
    return { elapsed: this.#clocks.elapsed(), clock: this.#clocks.clock() }
  }
}
