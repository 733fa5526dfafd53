import type { AccessTokenClaims } from './verification/access-token.ts'
import { plainBearer } from './request/bearer.ts'
import { challengeFor, type Challenge, type ChallengeDetails } from './request/challenge.ts'
import { readCookie } from './request/cookies.ts'
import type { GuardOptions, GuardSettings } from './guard-options.ts'
import { BoundRequests } from './dpop/bound-requests.ts'
import type { DpopResult } from './dpop/dpop-check.ts'
import { createFeedSource, createJwksSource, type KeySource } from './keys/key-source.ts'
import { isPolicy, POLICY_LIMITS_MS, type FreshnessPolicy } from './verification/policy.ts'
import { readGuardOptions } from './read-options.ts'
import type { GuardRefusalCode, Refused } from './refusals.ts'
import { checkCookieClaims, readRequestToken, type TokenReading } from './request/request-token.ts'
import type { RequestView } from './request/request-view.ts'
import {
  decideAccess,
  type ReadRequirements,
  readRequirements,
  type Requirements,
} from './verification/requirements.ts'
import { FeedFault } from './revocations/feed-fault.ts'
import { TokenCheck, type Verification } from './verification/token-check.ts'
import { Watchers } from './watchers.ts'

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

/** How one token is verified. */
export interface VerifyOptions {
  readonly policy?: FreshnessPolicy
  /** The thumbprint of the key that the sender of the token has proved to hold. */
  readonly jkt?: string | undefined
}

/** How a request presented its token: a header with the scheme `Bearer` or `DPoP`, or a cookie. */
type Presented = 'bearer' | 'dpop' | 'cookie'

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
  /**
   * How the guard takes tokens that are bound to a key (RFC 9449): the algorithms of proofs, and whether it refuses
   * other tokens. Undefined if it refuses bound tokens, and for a combined guard, whose parts may differ.
   */
  readonly dpop:
    | { readonly algorithms: readonly string[]; readonly isRequired: boolean }
    | undefined
  /** Whether a request carries the cookie that this guard reads, with a valid token or not. */
  hasCookieOf(request: RequestView): boolean
  /**
   * Verifies one token. Returns the result at once if keys and log are already loaded, otherwise a promise.
   * Throws only what `onRefused` throws. It refuses a token that is bound to a key, because it sees no proof. If you
   * have checked a proof yourself, pass the thumbprint of its key as `jkt`: then only tokens of that key pass.
   */
  verify(token: string, options?: VerifyOptions): VerifyResult<Own> | Promise<VerifyResult<Own>>
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
const BOUND_REFUSED =
  'A client sends access tokens that are bound to a key (DPoP), and this guard refuses them. Set the option dpop: { publicUrl } to take them.'

class IssuerGuard implements Guard {
  readonly issuer: string
  readonly audience: string | readonly string[]
  readonly hasFeed: boolean
  readonly cookieName: string | undefined
  readonly dpop: BoundRequests | undefined
  readonly #settings: GuardSettings
  readonly #source: KeySource
  readonly #check: TokenCheck
  readonly #refused: Partial<Record<GuardRefusalCode, number>> = {}
  readonly #watchers: Watchers
  readonly #challenge: ChallengeDetails
  #isBoundNoticed = false

  constructor(settings: GuardSettings, source: KeySource) {
    this.issuer = settings.issuer
    this.audience = settings.audience
    this.hasFeed = settings.feed !== undefined
    this.cookieName = settings.cookies?.name
    this.#settings = settings
    this.#source = source
    this.#check = new TokenCheck(settings, source.feed)
    this.#watchers = new Watchers(settings, () => source.feed?.log?.version)
    this.dpop = settings.dpop && new BoundRequests(settings.dpop)
    this.#challenge = {
      resourceMetadata: settings.resourceMetadata,
      dpopAlgorithms: this.dpop?.algorithms,
      isDpopRequired: this.dpop?.isRequired,
    }
    source.onChange(() => this.#watchers.noteChange())
  }

  verify(
    token: string,
    { policy = this.#settings.policy, jkt }: VerifyOptions = {},
  ): VerifyResult | Promise<VerifyResult> {
    const result = this.#loadAndVerify(token, policy)
    return 'ok' in result
      ? this.#checkKey(result, jkt)
      : result.then((late) => this.#checkKey(late, jkt))
  }

  /** Refuses a token that is bound to another key than the given one. Without a key, to any. */
  #checkKey(result: VerifyResult, jkt: string | undefined): VerifyResult {
    if (!result.ok) return result
    const isMissing = jkt === undefined && this.dpop?.isRequired === true
    return result.claims.cnf?.jkt !== jkt || isMissing ? this.#refuseBinding(result.claims) : result
  }

  /**
   * Checks a token, or uses the given result. If loading may turn the refusal into an acceptance, loads and
   * checks once more.
   */
  #loadAndVerify(
    token: string,
    policy: FreshnessPolicy,
    result: Verification = this.#check.check(token, this.#source.keys, policy),
    presented?: Presented,
  ): VerifyResult | Promise<VerifyResult> {
    if (result.ok) return { ok: true, claims: result.claims }
    const loading = this.#loadFor(result)
    if (loading === undefined) return this.#refuse(result, presented)
    return loading.then(() => {
      const second = this.#check.check(token, this.#source.keys, policy)
      return second.ok ? { ok: true, claims: second.claims } : this.#refuse(second, presented)
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
    return challengeFor(refused, this.issuer, this.#challenge)
  }

  route(requirements: Requirements): RouteGuard {
    const required = readRequirements(requirements, this)
    const details = { ...this.#challenge, scope: required.scopes.join(' ') }
    return {
      authenticate: (request) => this.#authenticate(request, required),
      challenge: (refused) => challengeFor(refused, this.issuer, details),
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
    return this.#watchers.add(changed)
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
    this.#watchers.stop()
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
    if (first?.ok === true) return this.#conclude(first.claims, 'bearer', required, request)

    const reading = readRequestToken(request, this.#settings.cookies, this.dpop !== undefined)
    if (!reading.ok) return this.#refuse(reading)
    const { token } = reading
    const presented = presentedOf(reading)
    const known = token === plain ? first : undefined
    const result = this.#loadAndVerify(token, policy, known, presented)
    const conclude = (answer: VerifyResult): VerifyResult | Promise<VerifyResult> => {
      if (!answer.ok) return answer
      return presented === 'dpop'
        ? this.#concludeBound(answer.claims, token, required, request)
        : this.#conclude(answer.claims, presented, required, request)
    }
    return 'ok' in result ? conclude(result) : result.then(conclude)
  }

  /** Checks a verified token that came as `Bearer` or in a cookie. Anybody who has copied it can send it like that. */
  #conclude(
    claims: AccessTokenClaims,
    presented: Exclude<Presented, 'dpop'>,
    required: ReadRequirements | undefined,
    request: RequestView,
  ): VerifyResult {
    if (claims.cnf !== undefined || this.dpop?.isRequired === true) {
      return this.#refuseBinding(claims)
    }
    const refused =
      (presented === 'cookie' ? checkCookieClaims(request, claims) : undefined) ??
      this.#decide(claims, required, request)
    return refused === undefined ? { ok: true, claims } : this.#refuse(refused)
  }

  /** Checks a verified token that came with the scheme `DPoP`. */
  #concludeBound(
    claims: AccessTokenClaims,
    token: string,
    required: ReadRequirements | undefined,
    request: RequestView,
  ): VerifyResult | Promise<VerifyResult> {
    const { cnf } = claims
    if (cnf === undefined || this.dpop === undefined) return this.#refuseBinding(claims, 'dpop')
    const proven = this.dpop.check(request, token, cnf.jkt)
    const conclude = (result: DpopResult): VerifyResult => {
      const refused = result.ok ? this.#decide(claims, required, request) : result
      return refused === undefined ? { ok: true, claims } : this.#refuse(refused, 'dpop')
    }
    return 'ok' in proven ? conclude(proven) : proven.then(conclude)
  }

  /** Refuses a token that is bound to a key but was not presented with its proof, or the other way round. */
  #refuseBinding({ cnf }: AccessTokenClaims, presented?: Presented): Refused {
    if (cnf !== undefined && this.dpop === undefined && !this.#isBoundNoticed) {
      this.#isBoundNoticed = true
      try {
        this.#settings.onNotice(BOUND_REFUSED)
      } catch {
        // The caller authenticates a request, and must get its answer.
      }
    }
    const reason = cnf === undefined ? 'dpop_not_bound' : 'dpop_bound'
    return this.#refuse({ ok: false, code: 'token_invalid', reason }, presented)
  }

  #decide(
    claims: AccessTokenClaims,
    required: ReadRequirements | undefined,
    request: RequestView,
  ): Refused | undefined {
    if (required === undefined || required.isOpen) return undefined
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

  #refuse(refused: Refused, presented?: Presented): Refused {
    const { code } = refused
    this.#refused[code] = (this.#refused[code] ?? 0) + 1
    const is503 = code === 'keys_unavailable' || code === 'revocations_unavailable'
    const waiting = is503 ? { ...refused, retryAfterSec: this.#source.retryAfterSec } : refused
    const whole = presented === 'dpop' ? { ...waiting, isDpop: true as const } : waiting
    if (code !== 'token_missing') this.#settings.onRefused(whole)
    return whole
  }
}

function presentedOf({ isCookie, isDpop }: TokenReading & { readonly ok: true }): Presented {
  if (isDpop) return 'dpop'
  return isCookie ? 'cookie' : 'bearer'
}
