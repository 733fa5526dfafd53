import { isSameChain, type LogHead } from './entry.ts'

/** Two clocks: one that is never set, and the one on the wall. Both in milliseconds. */
export interface LeaseClocks {
  readonly elapsed: () => number
  readonly clock: () => number
}

/** A moment on both. */
interface Moment {
  readonly elapsed: number
  readonly clock: number
}

/** What an echo was worth. `behind` and `off_chain` are signs that the authority has lost entries. */
export type EchoOutcome = 'renewed' | 'awaited' | 'unknown' | 'behind' | 'off_chain'

const ASKED_MAX = 64

/**
 * A guard's proof that its copy of the log is fresh. The guard sends a nonce; the authority echoes it
 * with a head of the log that it read after the nonce had arrived. The copy is then as fresh as the
 * moment the nonce was *sent*, once it holds that head: a buffered or replayed echo proves nothing, and no
 * clock of another machine matters.
 */
export class Lease {
  readonly #clocks: LeaseClocks
  readonly #random: () => string
  readonly #asked = new Map<string, Moment>()
  #awaited: { readonly head: LogHead; readonly sentAt: Moment }[] = []
  #since: Moment | undefined

  /** `random` gives a nonce that nobody can guess. */
  constructor(clocks: LeaseClocks, random: () => string) {
    this.#clocks = clocks
    this.#random = random
  }

  /** The nonce to send now. */
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
   * Takes an echo. `held` is the copy as it is: an echo below it, or off its chain, comes from a node that
   * lags or has lost entries, and renews nothing. One above it counts when the copy has caught up.
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

  /**
   * Tells that the copy has moved on. `chainAt` is its chain: an echo whose head turns out to be none of
   * this history renews nothing. Nor does one that is too far back to tell.
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
   * How old the copy may be, in milliseconds: `Infinity` before the first lease. The larger of both ages: a
   * clock on the wall may be set back, the other one stands still while a machine sleeps. `now` is that of the
   * wall, for who has just read it.
   */
  ageMs(now = this.#clocks.clock()): number {
    const since = this.#since
    if (since === undefined) return Infinity
    return Math.max(this.#clocks.elapsed() - since.elapsed, now - since.clock, 0)
  }

  /** Forgets what is under way: answers to a connection that is gone. The lease itself stays. */
  forgetAsked(): void {
    this.#asked.clear()
    this.#awaited = []
  }

  /** Drops the lease: this copy proves nothing any more. */
  drop(): void {
    this.forgetAsked()
    this.#since = undefined
  }

  // Echoes may overtake one another: the latest moment counts.
  #renew(sentAt: Moment): void {
    if (this.#since === undefined || sentAt.elapsed > this.#since.elapsed) this.#since = sentAt
  }

  #now(): Moment {
    return { elapsed: this.#clocks.elapsed(), clock: this.#clocks.clock() }
  }
}
