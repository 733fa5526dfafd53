import { createKeySet, type KeySet } from '../jwk/key-set.ts'
import { assertKeys } from '../jws/select-key.ts'
import { assertTyp } from '../jws/typ.ts'
import type { VerifyingKey } from '../key/key.ts'
import { TOLERANCE_SEC_MAX } from '../limits.ts'
import type { ClaimsPolicy } from './claims.ts'
import { CACHE_ENTRIES_MAX, WAYS } from './token-cache.ts'

/** What a verifier accepts. No option has a permissive default. */
export interface VerifierOptions {
  /** One key, or a set from which the header's `kid` selects. Read once, when the verifier is created. */
  readonly keys: VerifyingKey | KeySet
  /** The kind of token. `at+jwt` also matches `application/at+jwt`, in any case (RFC 7515 §4.1.9). */
  readonly typ: string
  /** The issuer that `iss` must equal exactly. */
  readonly issuer: string
  /**
   * The `aud` of a token must contain one of these. With `null`, a token that has an `aud` is refused: use it
   * for kinds of token that have no audience.
   */
  readonly audience: string | readonly string[] | null
  /** Claims that must be present and not null, besides `exp`, `iss` and `aud`. */
  readonly requiredClaims?: readonly string[]
  /** The longest accepted time since `iat`, in seconds. It makes `iat` required. */
  readonly maxAgeSec?: number
  /**
   * How far the clocks of issuer and verifier may differ, in seconds: 0 (default) to 60. Applies to `exp`,
   * `nbf`, `iat` and `maxAgeSec`.
   */
  readonly toleranceSec?: number
  /** The current time in milliseconds since 1970. Default: `Date.now`. */
  readonly clock?: () => number
  /**
   * How many verified tokens the verifier remembers: 8 to 1,048,576, rounded down to eight times a power of
   * two, or 0 (default) for none. A remembered token costs a look-up. Its times are still checked at every
   * use. An entry takes about 1 kB for an access token, and at most 8 KiB plus its claims.
   */
  readonly cacheEntriesMax?: number
}

/** The options of a verifier, checked and complete. */
export interface VerifierSettings {
  readonly keys: VerifyingKey | KeySet
  /** In the spelling that `normalizeTyp` returns. */
  readonly typ: string
  readonly policy: ClaimsPolicy
  /**
   * Returns the current time in milliseconds since 1970. Throws a `TypeError` if the clock returns no finite
   * number.
   */
  readonly readNow: () => number
  readonly cacheEntriesMax: number
}

/** Checks the options and fills in the defaults. Throws a `TypeError` that names the first wrong option. */
export function readVerifierOptions(options: VerifierOptions): VerifierSettings {
  const keys = readKeys(options.keys)
  const typ = assertTyp(options.typ)
  const policy = readPolicy(options)
  const clock = options.clock ?? Date.now
  return {
    keys,
    typ,
    policy,
    readNow: () => readClock(clock),
    cacheEntriesMax: readCacheSize(options),
  }
}

// A key set that the caller made is copied. Otherwise its keys could change after they were checked.
function readKeys(keys: VerifyingKey | KeySet): VerifyingKey | KeySet {
  const checked = assertKeys(keys)
  return 'keys' in keys ? createKeySet(checked) : keys
}

// Every comparison with NaN is false, so a token would never expire.
function readClock(clock: () => number): number {
  const now = clock()
  if (!Number.isFinite(now)) throw new TypeError('The clock must return milliseconds since 1970.')
  return now
}

function readCacheSize({ cacheEntriesMax = 0 }: VerifierOptions): number {
  const isSize = Number.isInteger(cacheEntriesMax) && cacheEntriesMax <= CACHE_ENTRIES_MAX
  if (!isSize || (cacheEntriesMax !== 0 && cacheEntriesMax < WAYS)) {
    throw new TypeError(`The option cacheEntriesMax must be 0 or ${WAYS} to ${CACHE_ENTRIES_MAX}.`)
  }
  return cacheEntriesMax
}

function readPolicy(options: VerifierOptions): ClaimsPolicy {
  const { issuer, audience, requiredClaims = [], maxAgeSec, toleranceSec = 0 } = options
  if (typeof issuer !== 'string' || issuer === '') {
    throw new TypeError('The option issuer must be a string that is not empty.')
  }
  if (!Array.isArray(requiredClaims) || !requiredClaims.every(isText)) {
    throw new TypeError('The option requiredClaims must be an array of names.')
  }
  if (maxAgeSec !== undefined && !(Number.isFinite(maxAgeSec) && maxAgeSec > 0)) {
    throw new TypeError('The option maxAgeSec must be a positive number.')
  }
  if (!(Number.isFinite(toleranceSec) && toleranceSec >= 0 && toleranceSec <= TOLERANCE_SEC_MAX)) {
    throw new TypeError(`The option toleranceSec must be 0 to ${TOLERANCE_SEC_MAX}.`)
  }
  if (options.clock !== undefined && typeof options.clock !== 'function') {
    throw new TypeError('The option clock must be a function.')
  }
  return {
    issuer,
    audiences: readAudiences(audience),
    requiredClaims: [...requiredClaims],
    maxAgeMs: maxAgeSec === undefined ? undefined : maxAgeSec * 1000,
    toleranceMs: toleranceSec * 1000,
  }
}

function readAudiences(audience: VerifierOptions['audience']): ReadonlySet<string> | null {
  if (audience === null) return null
  const audiences = typeof audience === 'string' ? [audience] : audience
  if (!Array.isArray(audiences) || audiences.length === 0 || !audiences.every(isText)) {
    throw new TypeError('The option audience must be null, a string or an array of strings.')
  }
  return new Set(audiences)
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}
