import type { AccessTokenClaims } from './verification/access-token.ts'
import { plainBearer } from './request/bearer.ts'
import { challengeFor, type Challenge } from './request/challenge.ts'
import { readCookie } from './request/cookies.ts'
import { type GuardOptions, type GuardSettings, readGuardOptions } from './guard-options.ts'
import { createFeedSource, createJwksSource, type KeySource } from './keys/key-source.ts'
import { isPolicy, POLICY_LIMITS_MS, type FreshnessPolicy } from './verification/policy.ts'
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

/** What a guard answers about a token. The claims are frozen unless `cacheEntriesMax` is 0. */
export type VerifyResult = { readonly ok: true; readonly claims: AccessTokenClaims } | Refused

/** A guard as one route has it. */
export interface RouteGuard {
  /**
   * Checks a request: finds its token in the Authorization header, or in the cookie where the option
   * `cookies` is on, verifies it, for a cookie that no other site sent the request, and what the route
   * requires.
   */
  authenticate(request: RequestView): VerifyResult | Promise<VerifyResult>
  /** The answer to a request that was refused. */
  challenge(refused: Refused): Challenge
}

/** Numbers about a guard, for monitoring. Counts are since it was made. */
export interface GuardMetrics {
  /** Tokens that were accepted, and how many of them by the cache alone. */
  readonly verified: number
  readonly cached: number
  readonly refused: Readonly<Partial<Record<GuardRefusalCode, number>>>
  /** The rest is about the feed: undefined without one. */
  readonly feed:
    | {
        readonly connected: boolean
        /** How old the copy of the log may be, in milliseconds; `Infinity` before the first lease. */
        readonly leaseAgeMs: number
        readonly position: number
        /** Subjects in memory, and the bytes of their tables. */
        readonly entries: number
        readonly bytes: number
      }
    | undefined
}

/** Verifies the access tokens of one issuer for one service. Made once at start, used by all requests. */
export interface Guard extends RouteGuard {
  readonly issuer: string
  readonly audience: string | readonly string[]
  /** Whether it has a revocation feed. */
  readonly hasFeed: boolean
  /** The cookie that it takes tokens from, where it does. */
  readonly cookieName: string | undefined
  /** Whether a request carries this guard's cookie, good or bad. */
  hasCookieOf(request: RequestView): boolean
  /**
   * Checks one token. The answer is there at once while keys and log are loaded; it is a promise only when
   * they must be fetched first. Throws what `onRefused` throws, nothing else.
   */
  verify(
    token: string,
    options?: { readonly policy?: FreshnessPolicy },
  ): VerifyResult | Promise<VerifyResult>
  /** This guard with what a route requires. Throws a TypeError that names a requirement that is wrong. */
  route(requirements: Requirements): RouteGuard
  /**
   * Resolves when keys are loaded and, with a feed, the first lease is held; starts loading if need be.
   * Rejects with a `JwksFault` or `FeedFault` when that fails, at once where only an operator can mend it;
   * requests keep trying in any case.
   */
  ready(): Promise<void>
  /**
   * Whether tokens can be decided by a policy now: for the application's own readiness. Starts connecting to
   * the feed if nothing has yet, so that a service that waits for it before its first request becomes fresh.
   */
  isFresh(policy?: FreshnessPolicy): boolean
  /**
   * Calls after each change of what was taken back, and now and then. Gives what ends it. What a call throws or
   * rejects with is a notice: it must not keep the others, or the feed, from going on.
   */
  watch(changed: () => void | Promise<void>): () => void
  metrics(): GuardMetrics
  /** Ends connections and background work. What is loaded goes on verifying, and grows old. */
  close(): void
}

/**
 * Makes a guard. Opens no connection yet: the first request, `ready` or `isFresh` does. Throws a TypeError
 * that names the option when one is wrong.
 */
export function createGuard(options: GuardOptions): Guard {
  const settings = readGuardOptions(options)
  const { feed, onNotice } = settings
  if (feed === undefined) onNotice(NO_FEED)
  return new IssuerGuard(
    settings,
    feed === undefined ? createJwksSource(settings) : createFeedSource(settings, feed),
  )
}

function needsOperator(fault: Error | undefined): boolean {
  return fault instanceof FeedFault && fault.needsOperator
}

const NO_FEED =
  'This guard has no revocation feed (option feed): what was taken back is accepted until it expires.'
/** How often watchers are called though nothing has come, in milliseconds: leases run out in silence. */
const WATCH_EVERY_MS = 500
/**
 * Entries come up to twenty times a second; watchers, who may be thousands, are called with this much between, or
 * four times as long as the calls took: they get a fifth of the process at most, and still twice a second.
 */
const NOTIFY_GAP_MS = 100
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
  /** The version of the log that watchers were called about last. */
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

  /** Checks a token, or takes what came of that, and once more where loading may turn a refusal into a yes. */
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
      // Waiting mends neither a wrong secret nor an account that may not have the feed.
      if (needsOperator(this.#source.fault)) break
      if (elapsed() < until) await new Promise((resolve) => setTimeout(resolve, 50))
    } while (elapsed() < until)
    throw this.#source.fault ?? new Error('The guard is closed, or its authority does not answer.')
  }

  isFresh(policy: FreshnessPolicy = this.#settings.policy): boolean {
    if (!isPolicy(policy)) throw new TypeError('The policy must be strict, bounded or open.')
    this.#source.start()
    const { feed, keys } = this.#source
    if (keys === undefined) return false
    if (feed === undefined) return true
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
    return keys !== undefined && (feed === undefined || feed.lease.ageMs() !== Infinity)
  }

  /** What may turn a refusal into a yes, if there is something and it is allowed now. */
  #loadFor({ code, reason }: Refused): Promise<void> | undefined {
    if (code === 'keys_unavailable' || code === 'revocations_unavailable')
      return this.#source.load()
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

  // An echo changes nothing that is not looked after anyway, twice a second.
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
      // There is no caller to throw to: from a timer, an error here would end the whole process.
      try {
        this.#settings.onNotice(`Who watches the guard has thrown: ${message}`)
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
