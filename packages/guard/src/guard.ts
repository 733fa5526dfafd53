import type { AccessTokenClaims } from './verification/access-token.ts'
import { plainBearer } from './request/bearer.ts'
import { challengeFor, type Challenge } from './request/challenge.ts'
import { readCookie } from './request/cookies.ts'
import type { GuardOptions, GuardSettings } from './guard-options.ts'
import { createFeedSource, createJwksSource, type KeySource } from './keys/key-source.ts'
import { isPolicy, POLICY_LIMITS_MS, type FreshnessPolicy } from './verification/policy.ts'
import { readGuardOptions } from './read-options.ts'
import type { GuardRefusalCode, Refused } from './refusals.ts'
import { checkCookieClaims, readRequestToken } from './request/request-token.ts'
import type { RequestView } from './request/request-view.ts'
import {
  decideAccess,
  type ReadRequirements,
  readRequirements,
  type Requirements,
} from './verification/requirements.ts'
import { FeedFault } from './revocations/feed-fault.ts'
import { asError } from './errors.ts'
import { TokenCheck, type Verification } from './verification/token-check.ts'

/**
 * The result of verifying a token. The claims are frozen unless `cacheEntriesMax` is 0. `Own` is the type of
 * the application's own claims.
 */
export type VerifyResult<Own = unknown> = Accepted<Own> | Refused

/** An accepted token. */
interface Accepted<Own> {
  readonly ok: true
  readonly claims: AccessTokenClaims & Own
  /** Never set. Without `strict`, TypeScript does not know that `result.code` belongs to refusals. */
  readonly code?: undefined
  readonly reason?: undefined
}

/** A guard with the requirements of one route. */
export interface RouteGuard<Own = unknown> {
  /**
   * Checks a request. It takes the token from the Authorization header, or from the cookie if the option
   * `cookies` is on. It verifies the token and checks what the route requires. For a cookie it also checks
   * that no other site sent the request.
   */
  authenticate(request: RequestView): VerifyResult<Own> | Promise<VerifyResult<Own>>
  /** Returns the HTTP answer to a refused request. */
  challenge(refused: Refused): Challenge
}

/** Numbers about a guard, for monitoring. Counts start when the guard is created. */
export interface GuardMetrics {
  /** How many tokens were accepted, and how many of these came from the cache. */
  readonly verified: number
  readonly cached: number
  readonly refused: Readonly<Partial<Record<GuardRefusalCode, number>>>
  /** Numbers about the revocation feed; undefined without one. */
  readonly feed:
    | {
        readonly connected: boolean
        /**
         * How old the copy of the revocation log may be, in milliseconds; `Infinity` before the first lease.
         */
        readonly leaseAgeMs: number
        readonly position: number
        /** By how much the authority's clock is ahead of this one, in milliseconds; negative if it is behind. */
        readonly clockDifferenceMs: number
        /** Revoked subjects in memory, and the bytes of their tables. */
        readonly entries: number
        readonly bytes: number
      }
    | undefined
}

/**
 * Verifies the access tokens of one issuer for one service. Create it once at start and use it for all
 * requests. `Own` is the type of the application's own claims.
 */
export interface Guard<Own = unknown> extends RouteGuard<Own> {
  readonly issuer: string
  readonly audience: string | readonly string[]
  /** Whether the guard has a revocation feed. */
  readonly hasFeed: boolean
  /** The name of the cookie that the guard reads tokens from; undefined if it reads none. */
  readonly cookieName: string | undefined
  /** Whether a request carries the cookie that this guard reads, with a valid token or not. */
  hasCookieOf(request: RequestView): boolean
  /**
   * Verifies one token. Returns the result at once if keys and log are already loaded, otherwise a promise.
   * Throws only what `onRefused` throws.
   */
  verify(
    token: string,
    options?: { readonly policy?: FreshnessPolicy },
  ): VerifyResult<Own> | Promise<VerifyResult<Own>>
  /**
   * Returns this guard with the requirements of a route. Throws a TypeError that names an invalid
   * requirement.
   */
  route(requirements: Requirements): RouteGuard<Own>
  /**
   * Resolves when the keys are loaded and, with a feed, the guard has its first lease. Starts loading if
   * needed. Rejects with a `JwksFault` or `FeedFault` after `readyTimeoutMs`, or at once if only an operator
   * can fix the cause. Later requests retry in any case.
   */
  ready(): Promise<void>
  /**
   * Whether the guard can decide about tokens under a policy now. It cannot if its clock and the authority's
   * differ by more than 60 s. Use it for the readiness check of your application. It also starts the connection to the feed. Otherwise a service that waits for readiness
   * before its first request would never be ready.
   */
  isFresh(policy?: FreshnessPolicy): boolean
  /**
   * Calls `changed` after each change of the revocation log, and at least twice a second. Returns the
   * function that stops these calls. An error that `changed` throws or rejects with is reported as a notice.
   * The other listeners and the feed continue.
   */
  watch(changed: () => void | Promise<void>): () => void
  metrics(): GuardMetrics
  /**
   * Ends connections and background work. Close it after the last request: a guard with a feed drops its lease
   * and then refuses every token with `revocations_unavailable`. It tells the authority, so that nobody waits
   * for this guard. A guard without a feed still verifies with the keys that it has.
   */
  close(): void
}

/**
 * Makes a guard. It opens no connection: the first request, `ready` or `isFresh` does. Throws a TypeError
 * that names the wrong option. `Own` is the type of the application's own claims. The guard does not check
 * their contents: the authority signs what your code gave it.
 */
export function createGuard<Own = unknown>(options: GuardOptions): Guard<Own> {
  const settings = readGuardOptions(options)
  const { feed, onNotice } = settings
  if (feed === undefined) onNotice(NO_FEED)
  const guard: Guard = new IssuerGuard(
    settings,
    feed === undefined ? createJwksSource(settings) : createFeedSource(settings, feed),
  )
  // The caller names the type of its own claims.
  return guard as Guard<Own>
}

function needsOperator(fault: Error | undefined): boolean {
  return fault instanceof FeedFault && fault.needsOperator
}

const NO_FEED =
  'This guard has no revocation feed (option feed). It accepts revoked tokens until they expire.'
/**
 * How often listeners are called when nothing arrives, in milliseconds. A lease expires without any message.
 */
const WATCH_EVERY_MS = 500
/**
 * Entries may arrive two hundred times a second, and there may be thousands of listeners. The guard waits at
 * least this many milliseconds between two rounds of calls, and at least four times as long as the last round
 * took. So listeners use at most a fifth of the process's time. They are still called twice a second.
 */
const NOTIFY_GAP_MS = 10
const NOTIFY_GAP_FACTOR = 4

class IssuerGuard implements Guard {
  readonly issuer: string
  readonly audience: string | readonly string[]
  readonly hasFeed: boolean
  readonly cookieName: string | undefined
  readonly #settings: GuardSettings
  readonly #source: KeySource
  readonly #check: TokenCheck
  readonly #refused: Partial<Record<GuardRefusalCode, number>> = {}
  readonly #watchers = new Set<() => void | Promise<void>>()
  #watching: NodeJS.Timeout | undefined
  #notifying: NodeJS.Timeout | undefined
  /** The version of the log when the listeners were last called. */
  #notified: number | undefined

  constructor(settings: GuardSettings, source: KeySource) {
    this.issuer = settings.issuer
    this.audience = settings.audience
    this.hasFeed = settings.feed !== undefined
    this.cookieName = settings.cookies?.name
    this.#settings = settings
    this.#source = source
    this.#check = new TokenCheck(settings, source.feed)
    source.onChange(() => this.#noteChange())
  }

  verify(
    token: string,
    { policy = this.#settings.policy }: { readonly policy?: FreshnessPolicy } = {},
  ): VerifyResult | Promise<VerifyResult> {
    return this.#loadAndVerify(token, policy)
  }

  /**
   * Checks a token, or uses the given result. If loading may turn the refusal into an acceptance, loads and
   * checks once more.
   */
  #loadAndVerify(
    token: string,
    policy: FreshnessPolicy,
    result: Verification = this.#check.check(token, this.#source.keys, policy),
  ): VerifyResult | Promise<VerifyResult> {
    if (result.ok) return { ok: true, claims: result.claims }
    const loading = this.#loadFor(result)
    if (loading === undefined) return this.#refuse(result)
    return loading.then(() => {
      const second = this.#check.check(token, this.#source.keys, policy)
      return second.ok ? { ok: true, claims: second.claims } : this.#refuse(second)
    })
  }

  authenticate(request: RequestView): VerifyResult | Promise<VerifyResult> {
    return this.#authenticate(request, undefined)
  }

  hasCookieOf(request: RequestView): boolean {
    const { cookies } = this.#settings
    return (
      cookies !== undefined && readCookie(request.values('cookie'), cookies.name).kind !== 'absent'
    )
  }

  challenge(refused: Refused): Challenge {
    return challengeFor(refused, this.issuer, this.#settings.resourceMetadata)
  }

  route(requirements: Requirements): RouteGuard {
    const required = readRequirements(requirements, this)
    return {
      authenticate: (request) => this.#authenticate(request, required),
      challenge: (refused) => this.challenge(refused),
    }
  }

  async ready(): Promise<void> {
    const { readyTimeoutMs, elapsed } = this.#settings
    const until = elapsed() + (this.hasFeed ? readyTimeoutMs : 0)
    do {
      if (this.#isReady()) return
      await this.#source.load()
      if (this.#isReady()) return
      // Waiting fixes neither a wrong secret nor an account that is not allowed to use the feed.
      if (needsOperator(this.#source.fault)) break
      if (elapsed() < until) await new Promise((resolve) => setTimeout(resolve, 50))
    } while (elapsed() < until)
    throw this.#source.fault ?? new Error('The guard is closed, or its authority did not answer.')
  }

  isFresh(policy: FreshnessPolicy = this.#settings.policy): boolean {
    if (!isPolicy(policy)) throw new TypeError('The policy must be strict, bounded or open.')
    this.#source.start()
    const { feed, keys } = this.#source
    if (keys === undefined) return false
    if (feed === undefined) return true
    if (feed.clock.isFarOff) return false
    const ageMs = feed.lease.ageMs()
    return policy === 'open' ? ageMs !== Infinity : ageMs <= POLICY_LIMITS_MS[policy]
  }

  watch(changed: () => void | Promise<void>): () => void {
    this.#watchers.add(changed)
    this.#watching ??= setInterval(() => this.#notify(), WATCH_EVERY_MS).unref()
    return () => {
      this.#watchers.delete(changed)
      if (this.#watchers.size === 0) this.#stopWatching()
    }
  }

  metrics(): GuardMetrics {
    const { feed, isConnected: connected } = this.#source
    const { verified, cached } = this.#check
    return {
      verified,
      cached,
      refused: { ...this.#refused },
      feed: feed && {
        connected,
        leaseAgeMs: feed.lease.ageMs(),
        position: feed.log?.position ?? 0,
        clockDifferenceMs: feed.clock.differenceMs,
        ...(feed.log?.size ?? { entries: 0, bytes: 0 }),
      },
    }
  }

  close(): void {
    this.#stopWatching()
    this.#source.close()
  }

  #authenticate(
    request: RequestView,
    required: ReadRequirements | undefined,
  ): VerifyResult | Promise<VerifyResult> {
    const policy = required?.policy ?? this.#settings.policy
    const plain = plainBearer(request.values('authorization'))
    const first =
      plain === undefined ? undefined : this.#check.check(plain, this.#source.keys, policy)
    if (first?.ok === true) return this.#conclude(first.claims, false, required, request)

    const reading = readRequestToken(request, this.#settings.cookies)
    if (!reading.ok) return this.#refuse(reading)
    const { token, isCookie } = reading
    const result = this.#loadAndVerify(token, policy, token === plain ? first : undefined)
    const conclude = (answer: VerifyResult): VerifyResult =>
      answer.ok ? this.#conclude(answer.claims, isCookie, required, request) : answer
    return 'ok' in result ? conclude(result) : result.then(conclude)
  }

  #conclude(
    claims: AccessTokenClaims,
    isCookie: boolean,
    required: ReadRequirements | undefined,
    request: RequestView,
  ): VerifyResult {
    const refused =
      (isCookie ? checkCookieClaims(request, claims) : undefined) ??
      (required === undefined || required.isOpen
        ? undefined
        : this.#decide(claims, required, request))
    return refused === undefined ? { ok: true, claims } : this.#refuse(refused)
  }

  #decide(
    claims: AccessTokenClaims,
    required: ReadRequirements,
    request: RequestView,
  ): Refused | undefined {
    const roles = this.#source.feed?.roles ?? {}
    return decideAccess(claims, required, { request, roles, clock: this.#settings.clock })
  }

  #isReady(): boolean {
    const { keys, feed } = this.#source
    if (keys === undefined || feed === undefined) return keys !== undefined
    return feed.lease.ageMs() !== Infinity && !feed.clock.isFarOff
  }

  /**
   * Returns a load that may turn a refusal into an acceptance. Undefined if there is none, or if it is too
   * early for one.
   */
  #loadFor({ code, reason }: Refused): Promise<void> | undefined {
    if (code === 'keys_unavailable' || code === 'revocations_unavailable')
      return this.#source.load()
    if (reason === 'key_pending') return this.#source.loadForPendingKey()
    return reason === 'key_unknown' ? this.#source.loadForUnknownKey() : undefined
  }

  #refuse(refused: Refused): Refused {
    const { code } = refused
    this.#refused[code] = (this.#refused[code] ?? 0) + 1
    const is503 = code === 'keys_unavailable' || code === 'revocations_unavailable'
    const whole = is503 ? { ...refused, retryAfterSec: this.#source.retryAfterSec } : refused
    if (code !== 'token_missing') this.#settings.onRefused(whole)
    return whole
  }

  // An echo does not change the version. Its effect on leases is checked twice a second anyway.
  #noteChange(): void {
    const version = this.#source.feed?.log?.version
    if (this.#watchers.size === 0 || version === this.#notified || this.#notifying !== undefined)
      return
    const { elapsed } = this.#settings
    const startedAt = elapsed()
    this.#notify()
    const gapMs = NOTIFY_GAP_FACTOR * (elapsed() - startedAt)
    this.#notifying = setTimeout(
      () => {
        this.#notifying = undefined
        this.#noteChange()
      },
      Math.min(Math.max(gapMs, NOTIFY_GAP_MS), WATCH_EVERY_MS),
    ).unref()
  }

  #notify(): void {
    this.#notified = this.#source.feed?.log?.version
    for (const changed of this.#watchers) void this.#call(changed)
  }

  async #call(changed: () => void | Promise<void>): Promise<void> {
    try {
      await changed()
    } catch (error) {
      const { message } = asError(error)
      // There is no caller to throw to. An error thrown from a timer would end the process.
      try {
        this.#settings.onNotice(`A listener of guard.watch threw an error: ${message}`)
      } catch {}
    }
  }

  #stopWatching(): void {
    clearInterval(this.#watching)
    clearTimeout(this.#notifying)
    this.#watching = undefined
    this.#notifying = undefined
  }
}
