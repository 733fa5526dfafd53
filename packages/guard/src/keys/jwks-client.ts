import type { KeySet, SkippedKey } from '@countersign/jwt'

import type { ClockReading } from '../revocations/clock-watch.ts'
import { fetchJwks, JwksFault } from './jwks-fetch.ts'

/** The shortest time between two fetches that unknown `kid`s cause, in milliseconds. */
export const UNKNOWN_KEY_COOLDOWN_MS = 30_000

/** The first and the longest wait after a failed first load, in milliseconds. */
export const FIRST_LOAD_BACKOFF_MS = { first: 250, last: 30_000 } as const

// A failed refresh is retried before the interval ends, because a key may have been revoked.
const REFRESH_RETRY_MS = 30_000
// Refreshes happen at 90 to 110 % of the interval, so that services that start together spread out.
const JITTER = 0.2

/** The options of a `JwksClient`. */
export interface JwksClientOptions {
  readonly url: string
  readonly fetch: typeof globalThis.fetch
  readonly refreshIntervalMs: number
  readonly fetchTimeoutMs: number
  /** Keys are dropped if they could not be refreshed for this long, in milliseconds. */
  readonly keysMaxAgeMs: number
  /** Milliseconds since 1970. */
  readonly clock: () => number
  /** Milliseconds on a monotonic clock. */
  readonly elapsed: () => number
  /** A number from 0 (included) to 1 (excluded). */
  readonly random: () => number
  /** Called once for each failed fetch. */
  readonly onFault: (fault: JwksFault) => void
  /** Called with the keys of a new set that cannot be used. */
  readonly onSkipped: (skipped: readonly SkippedKey[]) => void
  /** Called with the clock of the server, which its answers show to the second. */
  readonly onClock: (reading: ClockReading) => void
}

/**
 * Holds the issuer's key set and keeps it fresh. It refreshes in the background, runs one fetch at a time,
 * and limits how often requests can cause a fetch. A failed fetch changes nothing: the keys stay until
 * `keysMaxAgeMs`. No method throws or rejects.
 */
export class JwksClient {
  readonly #options: JwksClientOptions
  readonly #closing = new AbortController()
  #keys: KeySet | undefined
  #text = ''
  #fault: JwksFault | undefined
  #flight: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #firstLoadFailures = 0
  #firstLoadNotBefore = -Infinity
  #unknownKeyNotBefore = -Infinity
  #keysAt = { elapsed: 0, clock: 0 }

  constructor(options: JwksClientOptions) {
    this.#options = options
  }

  /** The newest keys. Undefined before the first load and when they are too old. Never an empty set. */
  get keys(): KeySet | undefined {
    // Checked at each use, because timers do not run while a machine sleeps.
    if (this.#keys !== undefined && this.#keysAgeMs() > this.#options.keysMaxAgeMs) this.#dropKeys()
    return this.#keys
  }

  /** Why the last fetch failed; undefined if it succeeded. */
  get fault(): JwksFault | undefined {
    return this.#fault
  }

  /**
   * Fetches the keys if there are none. Returns undefined if it is too early for a retry. The wait doubles
   * from 250 ms to 30 s with each failure, and only requests cause retries.
   */
  load(): Promise<void> | undefined {
    if (this.#flight !== undefined) return this.#flight
    if (this.#closed || this.#options.elapsed() < this.#firstLoadNotBefore) return undefined
    return this.#startFlight()
  }

  /** How long until `load` may retry, in whole seconds, at least 1. */
  get retryAfterSec(): number {
    return Math.max(1, Math.ceil((this.#firstLoadNotBefore - this.#options.elapsed()) / 1000))
  }

  /**
   * Fetches the keys because a token named an unknown key. Returns undefined during the cooldown. So a sender
   * of tokens with random `kid`s causes one fetch in 30 s, not one for each token.
   */
  loadForUnknownKey(): Promise<void> | undefined {
    if (this.#flight !== undefined) return this.#flight
    const now = this.#options.elapsed()
    if (this.#closed || now < this.#unknownKeyNotBefore) return undefined
    this.#unknownKeyNotBefore = now + UNKNOWN_KEY_COOLDOWN_MS
    return this.#startFlight()
  }

  /** Ends the refreshes and the current fetch. The keys stay. */
  close(): void {
    clearTimeout(this.#timer)
    this.#closing.abort()
  }

  get #closed(): boolean {
    return this.#closing.signal.aborted
  }

  #startFlight(): Promise<void> {
    clearTimeout(this.#timer)
    this.#flight = this.#fetchOnce().finally(() => {
      this.#flight = undefined
    })
    return this.#flight
  }

  async #fetchOnce(): Promise<void> {
    const { url, fetch, fetchTimeoutMs: timeoutMs, elapsed, clock } = this.#options
    // The age counts from the request, not from the answer, because a slow answer may describe an older
    // state.
    const startedAt = { elapsed: elapsed(), clock: clock() }
    try {
      const fetched = await fetchJwks({ url, fetch, timeoutMs, signal: this.#closing.signal })
      // Unchanged keys stay the same object, so that the verifier keeps its cache of tokens.
      if (this.#keys === undefined || fetched.text !== this.#text) {
        this.#keys = fetched.keys
        this.#options.onSkipped(fetched.skipped)
      }
      this.#noteClock(startedAt.clock, fetched.serverAtMs)
      this.#text = fetched.text
      this.#keysAt = startedAt
      this.#fault = undefined
      this.#firstLoadFailures = 0
    } catch (error) {
      if (this.#closed) return
      this.#noteFault(error instanceof JwksFault ? error : unreachable(error))
    }
    this.#scheduleRefresh()
  }

  // The header has whole seconds. The server read its clock up to a second later than it says.
  #noteClock(startedAt: number, at: number | undefined): void {
    if (at === undefined) return
    const { onClock, clock } = this.#options
    onClock({ sentAt: startedAt - 1_000, at, receivedAt: clock() })
  }

  #noteFault(fault: JwksFault): void {
    this.#fault = fault
    this.#options.onFault(fault)
    if (this.keys === undefined) this.#backOff()
  }

  #dropKeys(): void {
    this.#keys = undefined
    this.#options.onFault(new JwksFault('jwks_too_old'))
  }

  // The larger of both ages, because the wall clock may be set back and the monotonic clock stops while a
  // machine sleeps.
  #keysAgeMs(): number {
    const { elapsed, clock } = this.#options
    return Math.max(elapsed() - this.#keysAt.elapsed, clock() - this.#keysAt.clock)
  }

  #backOff(): void {
    const { first, last } = FIRST_LOAD_BACKOFF_MS
    const waitMs = Math.min(last, first * 2 ** this.#firstLoadFailures)
    this.#firstLoadFailures += 1
    this.#firstLoadNotBefore = this.#options.elapsed() + waitMs
  }

  #scheduleRefresh(): void {
    if (this.#closed || this.#keys === undefined) return
    const { refreshIntervalMs, random } = this.#options
    const waitMs =
      this.#fault === undefined ? refreshIntervalMs : Math.min(refreshIntervalMs, REFRESH_RETRY_MS)
    const jittered = waitMs * (1 - JITTER / 2 + JITTER * random())
    this.#timer = setTimeout(() => void this.#startFlight(), jittered)
    // The timer must not keep the process alive.
    this.#timer.unref()
  }
}

function unreachable(cause: unknown): JwksFault {
  return new JwksFault('jwks_unreachable', { cause })
}
