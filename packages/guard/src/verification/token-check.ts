import {
  type AccessTokenVerifier,
  type AcceptedAccessToken,
  createAccessTokenVerifier,
} from './access-token.ts'
import { decodeUnverified, type KeySet } from '@countersign/jwt'
import type { GuardSettings } from '../guard-options.ts'
import { POLICY_LIMITS_MS, type FreshnessPolicy } from './policy.ts'
import type { Refused } from '../refusals.ts'
import type { RevocationFeed } from '../revocations/feed.ts'
import { decideStanding } from '../revocations/rule.ts'

/** A token that was checked, or why it is refused. */
export type Verification = AcceptedAccessToken | Refused

/** The state of the log that tokens of a guard without one were checked at. */
const NO_LOG_VERSION = 1

/**
 * Checks tokens with the keys and the log as they are at each call: the one path that every token takes.
 * Synchronous; no network.
 */
export class TokenCheck {
  readonly #settings: GuardSettings
  readonly #feed: RevocationFeed | undefined
  #verifier: AccessTokenVerifier | undefined
  #keys: KeySet | undefined
  /** The time of the check that is going on, in milliseconds since 1970: read once for all of it. */
  #now = 0
  /** How many tokens were accepted, and how many of them without a signature check. */
  verified = 0
  cached = 0

  constructor(settings: GuardSettings, feed: RevocationFeed | undefined) {
    this.#settings = settings
    this.#feed = feed
  }

  /** Checks a token. `keys` are those of now: undefined while there are none. */
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
      const code = reason === 'token_expired' ? 'token_expired' : 'token_invalid'
      return { ok: false, code, reason, ...(claim === undefined ? {} : { claim }) }
    }
    const refused = this.#checkStanding(result) ?? this.#checkLease(policy)
    if (refused !== undefined) return refused
    this.verified += 1
    return result
  }

  /**
   * One verifier for each key set, made when the set is first used. Its cache of tokens goes with it:
   * a key that has left the set takes along what it has signed.
   */
  #verifierFor(keys: KeySet | undefined): AccessTokenVerifier | undefined {
    if (keys === this.#keys) return this.#verifier
    this.#keys = keys
    this.#verifier =
      keys && createAccessTokenVerifier({ ...this.#settings, keys, clock: () => this.#now })
    return this.#verifier
  }

  /** A token remembers the version of the log that it was held against: until that moves, it stands. */
  #checkStanding(token: AcceptedAccessToken): Refused | undefined {
    const log = this.#feed?.log
    if (this.#feed !== undefined && log === undefined) return refuse('revocations_unavailable')
    const version = log === undefined ? NO_LOG_VERSION : log.version
    if (token.mark === version) {
      this.cached += 1
      return undefined
    }
    const standing = log === undefined ? 'stands' : decideStanding(token.claims, log)
    if (standing !== 'stands') return refuse(standing)
    // What is not remembered is a new object each time, and costs nothing to mark.
    token.mark = version
    return undefined
  }

  #checkLease(policy: FreshnessPolicy): Refused | undefined {
    if (this.#feed === undefined) return undefined
    const ageMs = this.#feed.lease.ageMs(this.#now)
    const limitMs = policy === 'open' ? this.#settings.keysMaxAgeMs : POLICY_LIMITS_MS[policy]
    return ageMs <= limitMs ? undefined : refuse('revocations_unavailable')
  }

  // What the token says of its key is nobody's word, and only decides which refusal it gets.
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
