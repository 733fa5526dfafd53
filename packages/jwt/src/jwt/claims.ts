import { NUMERIC_DATE_MAX } from '../limits.ts'
import { refuse, refuseClaim, type Refused } from '../refusals.ts'

/** The claims of a verified token: the registered ones (RFC 7519 §4.1) and any others. */
export interface JwtClaims {
  readonly iss: string
  readonly sub?: string
  readonly aud?: string | readonly string[]
  /** Seconds since 1970. */
  readonly exp: number
  /** Seconds since 1970. */
  readonly nbf?: number
  /** Seconds since 1970. */
  readonly iat?: number
  readonly jti?: string
  readonly [claim: string]: unknown
}

/** The conditions under which claims are accepted. Times are in milliseconds. */
export interface ClaimsPolicy {
  readonly issuer: string
  /** One of these must be in `aud`. With `null` there must be no `aud`. */
  readonly audiences: ReadonlySet<string> | null
  readonly requiredClaims: readonly string[]
  readonly maxAgeMs: number | undefined
  readonly toleranceMs: number
}

type Claims = Readonly<Record<string, unknown>>

/** The name of one check of the claims: a claim, or the rule that is checked. */
export type ClaimCheck =
  | 'exp'
  | 'nbf'
  | 'iat'
  | 'max_age'
  | 'iss'
  | 'aud'
  | 'sub'
  | 'jti'
  | 'required'

interface NamedCheck {
  readonly name: ClaimCheck
  /** `now` is in milliseconds since 1970. */
  readonly check: (claims: Claims, policy: ClaimsPolicy, now: number) => Refused | undefined
}

/** All checks of the claims, in the order in which the verifier runs them. No check depends on the result of another. */
export const CLAIM_CHECKS: readonly NamedCheck[] = [
  { name: 'exp', check: checkExpiry },
  { name: 'nbf', check: checkNotBefore },
  { name: 'iat', check: checkIssuedAt },
  { name: 'max_age', check: checkAge },
  { name: 'iss', check: checkIssuer },
  { name: 'aud', check: checkAudience },
  { name: 'sub', check: (claims) => checkString(claims, 'sub') },
  { name: 'jti', check: (claims) => checkString(claims, 'jti') },
  { name: 'required', check: checkRequired },
]

/**
 * Checks claims whose signature was already verified, and returns the first refusal. Pure: it reads no clock;
 * `now` is in milliseconds since 1970. Every check looks at the type before the value. Other libraries
 * compared first and accepted an `iss` of `["I"]` or an `exp` of `"9999999999"` (CVE-2025-30144).
 */
export function checkClaims(
  claims: Claims,
  policy: ClaimsPolicy,
  now: number,
): Refused | undefined {
  for (const { check } of CLAIM_CHECKS) {
    const refused = check(claims, policy, now)
    if (refused !== undefined) return refused
  }
  return undefined
}

function checkExpiry(
  claims: Claims,
  { toleranceMs }: ClaimsPolicy,
  now: number,
): Refused | undefined {
  const exp = claims['exp']
  if (exp === undefined) return refuseClaim('claim_missing', 'exp')
  if (!isNumericDate(exp)) return refuseClaim('claim_invalid', 'exp')
  // A token is expired at `exp` itself (RFC 7519 §4.1.4: "on or after").
  return now >= exp * 1000 + toleranceMs ? refuse('token_expired') : undefined
}

function checkNotBefore(
  claims: Claims,
  { toleranceMs }: ClaimsPolicy,
  now: number,
): Refused | undefined {
  const nbf = claims['nbf']
  if (nbf === undefined) return undefined
  if (!isNumericDate(nbf)) return refuseClaim('claim_invalid', 'nbf')
  if (now < nbf * 1000 - toleranceMs) return refuse('token_not_yet_valid')
  return isAfterExpiry(claims, nbf) ? refuseClaim('claim_invalid', 'nbf') : undefined
}

function checkIssuedAt(
  claims: Claims,
  { toleranceMs }: ClaimsPolicy,
  now: number,
): Refused | undefined {
  const iat = claims['iat']
  if (iat === undefined) return undefined
  if (!isNumericDate(iat)) return refuseClaim('claim_invalid', 'iat')
  if (now < iat * 1000 - toleranceMs) return refuse('token_issued_in_future')
  return isAfterExpiry(claims, iat) ? refuseClaim('claim_invalid', 'iat') : undefined
}

/**
 * Whether a token begins after its own end. Such a token was never valid. Within the tolerance, the checks of
 * both times could still pass.
 */
function isAfterExpiry({ exp }: Claims, date: number): boolean {
  return isNumericDate(exp) && date > exp
}

function checkAge(
  claims: Claims,
  { maxAgeMs, toleranceMs }: ClaimsPolicy,
  now: number,
): Refused | undefined {
  if (maxAgeMs === undefined) return undefined
  const iat = claims['iat']
  if (iat === undefined) return refuseClaim('claim_missing', 'iat')
  if (!isNumericDate(iat)) return refuseClaim('claim_invalid', 'iat')
  return now >= iat * 1000 + maxAgeMs + toleranceMs ? refuse('token_too_old') : undefined
}

/** When a token is valid, in milliseconds since 1970: from `fromMs` on, and before `untilMs`. */
export interface ValidityMs {
  readonly fromMs: number
  readonly untilMs: number
}

/**
 * The time within which claims that `checkClaims` has accepted stay accepted. Each term is written as in the
 * checks above, so that both agree to the last bit.
 */
export function validityOf(claims: Claims, policy: ClaimsPolicy): ValidityMs {
  const exp = claims['exp']
  const nbf = claims['nbf']
  const iat = claims['iat']
  const { toleranceMs, maxAgeMs } = policy
  const nbfMs = isNumericDate(nbf) ? nbf * 1000 - toleranceMs : -Infinity
  const iatMs = isNumericDate(iat) ? iat * 1000 - toleranceMs : -Infinity
  const expMs = isNumericDate(exp) ? exp * 1000 + toleranceMs : -Infinity
  const hasAge = maxAgeMs !== undefined && isNumericDate(iat)
  const ageMs = hasAge ? iat * 1000 + maxAgeMs + toleranceMs : Infinity
  return { fromMs: Math.max(nbfMs, iatMs), untilMs: Math.min(expMs, ageMs) }
}

function checkIssuer(claims: Claims, { issuer }: ClaimsPolicy): Refused | undefined {
  const iss = claims['iss']
  if (iss === undefined) return refuseClaim('claim_missing', 'iss')
  if (typeof iss !== 'string') return refuseClaim('claim_invalid', 'iss')
  return iss === issuer ? undefined : refuse('issuer_mismatch')
}

function checkAudience(claims: Claims, { audiences }: ClaimsPolicy): Refused | undefined {
  const aud = claims['aud']
  if (audiences === null) return aud === undefined ? undefined : refuse('audience_mismatch')
  if (aud === undefined) return refuseClaim('claim_missing', 'aud')
  if (typeof aud === 'string') return audiences.has(aud) ? undefined : refuse('audience_mismatch')
  if (!Array.isArray(aud) || !aud.every((entry) => typeof entry === 'string')) {
    return refuseClaim('claim_invalid', 'aud')
  }
  return aud.some((entry) => audiences.has(entry)) ? undefined : refuse('audience_mismatch')
}

function checkString(claims: Claims, name: 'sub' | 'jti'): Refused | undefined {
  const value = claims[name]
  if (value === undefined || typeof value === 'string') return undefined
  return refuseClaim('claim_invalid', name)
}

function checkRequired(claims: Claims, { requiredClaims }: ClaimsPolicy): Refused | undefined {
  // Only own members count: every object inherits `toString` and `constructor`.
  const missing = requiredClaims.find(
    (name) => !Object.hasOwn(claims, name) || claims[name] === null,
  )
  return missing === undefined ? undefined : refuseClaim('claim_missing', missing)
}

/** True for seconds since 1970 up to the year 9999, fractions included (RFC 7519 §2). */
export function isNumericDate(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= NUMERIC_DATE_MAX
}
