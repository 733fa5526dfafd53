import type { KeySet } from '@countersign/jwt'
import { fetchJwks, JwksFault } from './jwks-fetch.ts'

/** Least time between two fetches that unknown `kid`s cause, in milliseconds. */
export const UNKNOWN_KEY_COOLDOWN_MS = 30_000

/** The first wait after a failed first load, and the longest, in milliseconds. */
export const FIRST_LOAD_BACKOFF_MS = { first: 250, last: 30_000 } as const

// A failed refresh is tried again sooner than the interval, because a key may have been revoked.
const REFRESH_RETRY_MS = 30_000
// Refreshes come at 90 to 110 % of the interval, so that services started together drift apart.
const JITTER = 0.2

/** What a `JwksClient` needs. */
export interface JwksClientOptions {
  readonly url: string
  readonly fetch: typeof globalThis.fetch
  readonly refreshIntervalMs: number
  readonly fetchTimeoutMs: number
  /** Keys that could not be refreshed for this long are dropped, in milliseconds. */
  readonly keysMaxAgeMs: number
  /** Milliseconds since 1970. */
  readonly clock: () => number
  /** Milliseconds on a clock that is never set. */
  readonly elapsed: () => number
  /** A number from 0 up to 1. */
  readonly random: () => number
  /** Called once for each failed fetch. */
  readonly onFault: (fault: JwksFault) => void
}

/**
 * Holds the issuer's key set and keeps it fresh: a refresh in the background, one fetch at a time,
 * and bounds on how often a request from outside can cause one. A fetch that fails changes nothing:
 * the keys that are held stay until `keysMaxAgeMs`. No method throws or rejects.
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

  /** The newest keys; undefined before the first load and when they are too old. Never an empty set. */
  get keys(): KeySet | undefined {
    // Asked at each use: a machine that slept runs no timer that could have dropped them.
    if (this.#keys !== undefined && this.#keysAgeMs() > this.#options.keysMaxAgeMs) this.#dropKeys()
    return this.#keys
  }

  /** Why the last fetch failed; undefined after one that did not. */
  get fault(): JwksFault | undefined {
    return this.#fault
  }

  /**
   * Fetches the keys that are missing. Undefined while a retry would come too early: the wait doubles
   * from 250 ms to 30 s with each failure, and only requests cause retries.
   */
  load(): Promise<void> | undefined {
    if (this.#flight !== undefined) return this.#flight
    if (this.#closed || this.#options.elapsed() < this.#firstLoadNotBefore) return undefined
    return this.#startFlight()
  }

  /** Whole seconds, at least 1, until `load` would try again. */
  get retryAfterSec(): number {
    return Math.max(1, Math.ceil((this.#firstLoadNotBefore - this.#options.elapsed()) / 1000))
  }

  /**
   * Fetches because a token named an unknown key. Undefined while the cooldown lasts: whoever sends
   * tokens with random `kid`s gets one fetch out of us in 30 s, not one for each.
   */
  loadForUnknownKey(): Promise<void> | undefined {
    if (this.#flight !== undefined) return this.#flight
    const now = this.#options.elapsed()
    if (this.#closed || now < this.#unknownKeyNotBefore) return undefined
    this.#unknownKeyNotBefore = now + UNKNOWN_KEY_COOLDOWN_MS
    return this.#startFlight()
  }

  /** Ends refreshes and the fetch under way. The keys that are held stay. */
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
    // Age counts from the request, not the answer: a slow answer may describe an older state.
    const startedAt = { elapsed: elapsed(), clock: clock() }
    try {
      const fetched = await fetchJwks({ url, fetch, timeoutMs, signal: this.#closing.signal })
      // The same keys are the same object: who verifies with them keeps what it has verified.
      if (this.#keys === undefined || fetched.text !== this.#text) this.#keys = fetched.keys
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

  #noteFault(fault: JwksFault): void {
    this.#fault = fault
    this.#options.onFault(fault)
    if (this.keys === undefined) this.#backOff()
  }

  #dropKeys(): void {
    this.#keys = undefined
    this.#options.onFault(new JwksFault('jwks_too_old'))
  }

  // The larger of both ages: one clock may be set back, the other stands still in a sleeping machine.
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
    // A guard alone must not keep a process from ending.
    this.#timer.unref()
  }
}

function unreachable(cause: unknown): JwksFault {
  return new JwksFault('jwks_unreachable', { cause })
}
