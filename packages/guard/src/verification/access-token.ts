import {
  type AcceptedToken,
  createVerifier,
  type KeySet,
  type JwtRefusalCode,
  type VerifyingKey,
} from '@countersign/jwt'

/** The claims of an access token (RFC 9068 §2.2) as the authority mints them. */
export interface AccessTokenClaims {
  /** The issuer's URL. */
  readonly iss: string
  /** The account, or the service account. Stable, never given to another one. */
  readonly sub: string
  /** The services the token is for. */
  readonly aud: string | readonly string[]
  /** Seconds since 1970 (NumericDate, RFC 7519 §2), like `iat` and `auth_time`. */
  readonly exp: number
  readonly iat: number
  /** Names this one token. */
  readonly jti: string
  /** The OAuth client, or `first-party` for a direct log-in. A service account's own id: its `sub`. */
  readonly client_id: string
  /** The session: one log-in on one device. Left out only where `sub` is `client_id`. */
  readonly sid?: string
  /** Position of the revocation log when the token was issued: a safe integer of at least 0. */
  readonly rvp: number
  /** Global roles and those of the current tenant. */
  readonly roles: readonly string[]
  /** The current tenant. */
  readonly tid?: string
  /** Scopes, separated by spaces (RFC 6749 §3.3). */
  readonly scope?: string
  readonly auth_time?: number
  /** How the person proved who they are (RFC 8176). */
  readonly amr?: readonly string[]
  /** How strong that proof was (OpenID Connect Core §2). */
  readonly acr?: string
  /** `access`, for Django services. */
  readonly token_type?: string
  /** The account's id in Django where there is one, else `sub`. */
  readonly user_id?: string
  /** Hash of the session's CSRF token (`csrfHash`): only in tokens that are minted for a cookie. */
  readonly csh?: string
  /** The application's own claims. */
  readonly [claim: string]: unknown
}

/**
 * An access token that was accepted. With a cache it is the same object at each sight, its claims frozen
 * through and through. `mark` is for who checks tokens against a log: 0 at first.
 */
export type AcceptedAccessToken = Pick<
  AcceptedToken<AccessTokenClaims>,
  'ok' | 'claims' | 'header' | 'mark'
>

/** What the verifier of access tokens answers. A refusal's `claim` is a name, never a value. */
export type AccessTokenResult =
  | AcceptedAccessToken
  | { readonly ok: false; readonly code: JwtRefusalCode; readonly claim?: string }

/** What an access token is held against. */
export interface AccessTokenVerifierOptions {
  readonly keys: VerifyingKey | KeySet
  /** Compared exactly with `iss`, byte for byte. */
  readonly issuer: string
  /** One of these must stand in `aud`, exactly. */
  readonly audience: string | readonly string[]
  /** How far clocks may differ, in seconds, 0 to 60. Default 5. */
  readonly toleranceSec?: number
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly clock?: () => number
  /**
   * How many verified tokens are remembered: 8 to 1,048,576, or 0 (default) for none. Times are
   * checked at every sight. About 1 kB each.
   */
  readonly cacheEntriesMax?: number
}

/** Checks one access token after the other. Synchronous; no network, no store. */
export interface AccessTokenVerifier {
  verify(token: string): AccessTokenResult
}

/** Seconds by which the clocks of an authority and a service may differ by default. */
export const TOLERANCE_SEC_DEFAULT = 5

const REQUIRED = ['iss', 'sub', 'aud', 'exp', 'iat', 'jti', 'client_id', 'rvp', 'roles']

/** Each claim that this package types, and whether a value has that type. */
const CLAIM_TYPES: ReadonlyArray<readonly [claim: string, holds: (value: unknown) => boolean]> = [
  ['sub', isText],
  ['jti', isText],
  ['client_id', isText],
  ['sid', optional(isText)],
  // A position that cannot be compared would slip past every watermark: NaN > x is false.
  ['rvp', isPosition],
  ['roles', isTextList],
  ['tid', optional(isText)],
  ['scope', optional(isString)],
  ['auth_time', optional(isFiniteNumber)],
  ['amr', optional(isTextList)],
  ['acr', optional(isString)],
  ['token_type', optional(isString)],
  ['user_id', optional(isString)],
  ['csh', optional(isText)],
]

/**
 * Gives the verifier of access tokens (RFC 9068 §4): `typ` is `at+jwt`, so no other kind of JWT from
 * the same issuer passes, and issuer, audience, life and the type of every named claim are checked.
 * The authority uses it for its own tokens, so there is one rule in one place.
 */
export function createAccessTokenVerifier(
  options: AccessTokenVerifierOptions,
): AccessTokenVerifier {
  const { keys, issuer, audience, toleranceSec = TOLERANCE_SEC_DEFAULT, clock } = options
  const { cacheEntriesMax = 0 } = options
  const verifier = createVerifier<AccessTokenClaims>({
    keys,
    typ: 'at+jwt',
    issuer,
    audience,
    requiredClaims: REQUIRED,
    toleranceSec,
    cacheEntriesMax,
    ...(clock === undefined ? {} : { clock }),
  })

  return {
    verify(token) {
      const result = verifier.verify(token)
      // Claims out of the cache cannot change, so those with a mark were found right before.
      if (!result.ok || result.mark !== undefined) return result
      const { claims } = result
      const claim = firstIllTyped(claims)
      if (claim !== undefined) return { ok: false, code: 'claim_invalid', claim }
      if (lacksSession(claims)) return { ok: false, code: 'claim_missing', claim: 'sid' }
      result.mark = 0
      return result
    },
  }
}

/**
 * Whether a session should be named and is not. A service account has none (RFC 6749 §4.4): it acts for
 * itself, so its `sub` is its `client_id` (RFC 9068 §2.2). A person's token without `sid` would outlive
 * the end of its session, since no watermark of one would fit it.
 */
function lacksSession({ sub, client_id, sid }: AccessTokenClaims): boolean {
  return sid === undefined && sub !== client_id
}

function firstIllTyped(claims: AccessTokenClaims): string | undefined {
  for (const [claim, holds] of CLAIM_TYPES) if (!holds(claims[claim])) return claim
  return undefined
}

function isString(value: unknown): boolean {
  return typeof value === 'string'
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== ''
}

function isTextList(value: unknown): boolean {
  return Array.isArray(value) && value.every(isText)
}

function isPosition(value: unknown): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function isFiniteNumber(value: unknown): boolean {
  return Number.isFinite(value)
}

function optional(holds: (value: unknown) => boolean): (value: unknown) => boolean {
  return (value) => value === undefined || holds(value)
}
