import {
  type AccessTokenVerifier,
  type AcceptedAccessToken,
  createAccessTokenVerifier,
} from './access-token.ts'
import { decodeUnverified, type KeySet } from '@countersign/jwt'
import type { GuardSettings } from '../guard-options.ts'
import { POLICY_LIMITS_MS, type FreshnessPolicy } from './policy.ts'
import type { Refused } from '../refusals.ts'
import { Misconfiguration } from './misconfiguration.ts'
import type { RevocationFeed } from '../revocations/feed.ts'
import { decideStanding } from '../revocations/rule.ts'

/** An accepted token, or its refusal. */
export type Verification = AcceptedAccessToken | Refused

/** The log version that means "no log" in the marks of tokens. */
const NO_LOG_VERSION = 1

/**
 * Checks tokens with the keys and the log that are current at each call. Every token goes through this check.
 * Synchronous, without network.
 */
export class TokenCheck {
  readonly #settings: GuardSettings
  readonly #feed: RevocationFeed | undefined
  readonly #misconfiguration: Misconfiguration
  #verifier: AccessTokenVerifier | undefined
  #keys: KeySet | undefined
  /** The time of the current check, in milliseconds since 1970. It is read once for the whole check. */
  #now = 0
  /** How many tokens were accepted, and how many of them without a signature check. */
  verified = 0
  cached = 0

  constructor(settings: GuardSettings, feed: RevocationFeed | undefined) {
    this.#settings = settings
    this.#feed = feed
    this.#misconfiguration = new Misconfiguration(settings)
  }

  /** Checks a token. `keys` are the current keys; undefined if there are none. */
  check(token: string, keys: KeySet | undefined, policy: FreshnessPolicy): Verification {
    const verifier = this.#verifierFor(keys)
    if (verifier === undefined) return refuse('keys_unavailable')
    this.#now = this.#settings.clock()
    const result = verifier.verify(token)
    if (!result.ok) {
      const { code: reason, claim } = result
      if (reason === 'key_unknown' && this.#isOfKilledKey(token)) {
        return refuse('token_stale', 'key_killed')
      }
      if (this.verified === 0) this.#misconfiguration.note(reason, token)
      const code = reason === 'token_expired' ? 'token_expired' : 'token_invalid'
      return { ok: false, code, reason, ...(claim === undefined ? {} : { claim }) }
    }
    const refused = this.#checkStanding(result) ?? this.#checkLease(policy)
    if (refused !== undefined) return refused
    this.verified += 1
    return result
  }

  /**
   * Returns the verifier of a key set, which is created when the set is first used. Its token cache ends with
   * it, so removing a key from the set also forgets the tokens that it signed.
   */
  #verifierFor(keys: KeySet | undefined): AccessTokenVerifier | undefined {
    if (keys === this.#keys) return this.#verifier
    this.#keys = keys
    this.#verifier =
      keys && createAccessTokenVerifier({ ...this.#settings, keys, clock: () => this.#now })
    return this.#verifier
  }

  /**
   * Compares a token with the log. The token's mark holds the log version of the last comparison. While the
   * log stays at that version, the token stays accepted.
   */
  #checkStanding(token: AcceptedAccessToken): Refused | undefined {
    const log = this.#feed?.log
    if (this.#feed !== undefined && log === undefined) return refuse('revocations_unavailable')
    const version = log === undefined ? NO_LOG_VERSION : log.version
    if (token.mark === version) {
      this.cached += 1
      return undefined
    }
    // Someone who has stolen the key of the next month could sign with it now. The authority does not.
    if (this.#feed?.isPending(token.header.kid ?? '') === true) {
      return refuse('token_invalid', 'key_pending')
    }
    const standing = log === undefined ? 'stands' : decideStanding(token.claims, log)
    if (standing !== 'stands') return refuse(standing)
    // Without the cache, the token is a new object each time, and marking it has no effect.
    token.mark = version
    return undefined
  }

  #checkLease(policy: FreshnessPolicy): Refused | undefined {
    if (this.#feed === undefined) return undefined
    const ageMs = this.#feed.lease.ageMs(this.#now)
    const limitMs = policy === 'open' ? this.#settings.keysMaxAgeMs : POLICY_LIMITS_MS[policy]
    return ageMs <= limitMs ? undefined : refuse('revocations_unavailable')
  }

  // The `kid` of an unverified token proves nothing. Here it only selects the refusal.
  #isOfKilledKey(token: string): boolean {
    if (this.#feed === undefined) return false
    const decoded = decodeUnverified(token)
    const kid = decoded.ok ? decoded.header['kid'] : undefined
    return typeof kid === 'string' && this.#feed.isKilled(kid)
  }
}

function refuse(code: Refused['code'], reason: string = code): Refused {
  return { ok: false, code, reason }
}
