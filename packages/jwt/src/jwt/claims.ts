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

/** What claims must be to be accepted. Times are in milliseconds. */
export interface ClaimsPolicy {
  readonly issuer: string
  /** One of these must be in `aud`; `null` when there must be no `aud`. */
  readonly audiences: ReadonlySet<string> | null
  readonly requiredClaims: readonly string[]
  readonly maxAgeMs: number | undefined
  readonly toleranceMs: number
}

type Claims = Readonly<Record<string, unknown>>

/**
 * Checks claims whose signature is already known to be right. Pure: reads no clock; `now` is in
 * milliseconds since 1970. Types come before values throughout: an `iss` of `["I"]` or an `exp` of
 * `"9999999999"` has passed elsewhere because it was compared first (CVE-2025-30144).
 */
export function checkClaims(
  claims: Claims,
  policy: ClaimsPolicy,
  now: number,
): Refused | undefined {
  return (
    checkTimes(claims, policy, now) ??
    checkIssuer(claims, policy.issuer) ??
    checkAudience(claims, policy.audiences) ??
    checkString(claims, 'sub') ??
    checkString(claims, 'jti') ??
    checkRequired(claims, policy.requiredClaims)
  )
}

function checkTimes(claims: Claims, policy: ClaimsPolicy, now: number): Refused | undefined {
  const exp = claims['exp']
  const nbf = claims['nbf']
  const iat = claims['iat']
  const { toleranceMs, maxAgeMs } = policy

  if (exp === undefined) return refuseClaim('claim_missing', 'exp')
  if (!isNumericDate(exp)) return refuseClaim('claim_invalid', 'exp')
  // At `exp` itself the token is already too old (RFC 7519 §4.1.4: "on or after").
  if (now >= exp * 1000 + toleranceMs) return refuse('token_expired')

  if (nbf !== undefined) {
    if (!isNumericDate(nbf)) return refuseClaim('claim_invalid', 'nbf')
    if (now < nbf * 1000 - toleranceMs) return refuse('token_not_yet_valid')
  }
  if (iat !== undefined) {
    if (!isNumericDate(iat)) return refuseClaim('claim_invalid', 'iat')
    if (now < iat * 1000 - toleranceMs) return refuse('token_issued_in_future')
  }
  if (maxAgeMs === undefined) return undefined
  if (iat === undefined) return refuseClaim('claim_missing', 'iat')
  return now >= iat * 1000 + maxAgeMs + toleranceMs ? refuse('token_too_old') : undefined
}

/** When a token is valid, in milliseconds since 1970: from the first on, and before the second. */
export interface ValidityMs {
  readonly fromMs: number
  readonly untilMs: number
}

/**
 * The time within which claims that `checkClaims` has accepted stay accepted. The terms are written
 * as they are there, so that the two agree to the last bit.
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

function checkIssuer(claims: Claims, issuer: string): Refused | undefined {
  const iss = claims['iss']
  if (iss === undefined) return refuseClaim('claim_missing', 'iss')
  if (typeof iss !== 'string') return refuseClaim('claim_invalid', 'iss')
  return iss === issuer ? undefined : refuse('issuer_mismatch')
}

function checkAudience(claims: Claims, audiences: ReadonlySet<string> | null): Refused | undefined {
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

function checkRequired(claims: Claims, names: readonly string[]): Refused | undefined {
  // Own members only: `toString` and `constructor` are there in every object.
  const missing = names.find((name) => !Object.hasOwn(claims, name) || claims[name] === null)
  return missing === undefined ? undefined : refuseClaim('claim_missing', missing)
}

/** True for seconds since 1970 up to the year 9999, fractions included (RFC 7519 §2). */
export function isNumericDate(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= NUMERIC_DATE_MAX
}
