import {
  type AcceptedToken,
  type CheckReport,
  createVerifier,
  decodeUnverified,
  explainToken,
  type JwtRefusalCode,
  type KeySet,
  type Refused,
  type TokenCheck,
  type VerifierOptions,
  type VerifyingKey,
} from '@countersign/jwt'

/** The claims of an access token (RFC 9068 §2.2) as the authority issues it. */
export interface AccessTokenClaims {
  /** The issuer's URL. */
  readonly iss: string
  /** The id of the account or service account. It never changes and is never reused for another account. */
  readonly sub: string
  /** The services that the token is for. */
  readonly aud: string | readonly string[]
  /** Seconds since 1970 (NumericDate, RFC 7519 §2), like `iat` and `auth_time`. */
  readonly exp: number
  readonly iat: number
  /** Identifies this token. */
  readonly jti: string
  /**
   * The OAuth client, or `first-party` for a direct login. For a service account its own id, equal to `sub`.
   */
  readonly client_id: string
  /** The session: one login on one device. Absent only if `sub` equals `client_id`. */
  readonly sid?: string
  /** The position of the revocation log when the token was issued: a safe integer of at least 0. */
  readonly rvp: number
  /** Global roles: those that count everywhere. The roles in a tenant are in `tenant_roles`. */
  readonly roles: readonly string[]
  /** The id of the current tenant. */
  readonly tid?: string
  /** The name of the current tenant. */
  readonly tenant_name?: string
  /** The roles in the current tenant, which count nowhere else. Present exactly if `tid` is. */
  readonly tenant_roles?: readonly string[]
  /** Scopes, separated by spaces (RFC 6749 §3.3). */
  readonly scope?: string
  readonly auth_time?: number
  /** How the person proved who they are (RFC 8176). */
  readonly amr?: readonly string[]
  /** The authentication context class of that proof (OpenID Connect Core §2). */
  readonly acr?: string
  /** `access`, for Django services. */
  readonly token_type?: string
  /** The account's id in Django if it has one, otherwise `sub`. */
  readonly user_id?: string
  /** Hash of the session's CSRF token (`csrfHash`). Present only in tokens that are issued for a cookie. */
  readonly csh?: string
  /**
   * The key that the token is bound to (RFC 9449 §6.1): the thumbprint of the client's public key. The sender of
   * the token must prove that they hold the key. This verifier does not check that; a guard does.
   */
  readonly cnf?: { readonly jkt: string }
  /** The application's own claims. */
  readonly [claim: string]: unknown
}

/**
 * An access token that was accepted. With a cache it is the same object at each use, and its claims are
 * deeply frozen. `mark` is 0 at first. A caller that compares tokens with a log stores there the log version
 * that it compared with.
 */
export type AcceptedAccessToken = Pick<
  AcceptedToken<AccessTokenClaims>,
  'ok' | 'claims' | 'header' | 'mark'
>

/** The result of verifying an access token. `claim` in a refusal is the name of a claim, never its value. */
export type AccessTokenResult =
  | AcceptedAccessToken
  | { readonly ok: false; readonly code: JwtRefusalCode; readonly claim?: string }

/** What an access token must match. */
export interface AccessTokenVerifierOptions {
  readonly keys: VerifyingKey | KeySet
  /** Compared with `iss` byte for byte. */
  readonly issuer: string
  /** One of these must be in `aud`, exactly. */
  readonly audience: string | readonly string[]
  /** How far clocks may differ, in seconds, 0 to 60. Default 5. */
  readonly toleranceSec?: number
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly clock?: () => number
  /**
   * How many verified tokens the verifier remembers: 8 to 1,048,576, or 0 (default) for none. Times are still
   * checked at every use. A token takes about 1 kB.
   */
  readonly cacheEntriesMax?: number
}

/** Verifies access tokens. Synchronous: it uses neither network nor store. */
export interface AccessTokenVerifier {
  verify(token: string): AccessTokenResult
}

/** By how many seconds the clocks of an authority and a service may differ by default. */
export const TOLERANCE_SEC_DEFAULT = 5

const REQUIRED = ['iss', 'sub', 'aud', 'exp', 'iat', 'jti', 'client_id', 'rvp', 'roles']

/** Each claim that this package types, and whether a value has that type. */
const CLAIM_TYPES: ReadonlyArray<readonly [claim: string, holds: (value: unknown) => boolean]> = [
  ['sub', isText],
  ['jti', isText],
  ['client_id', isText],
  ['sid', optional(isText)],
  // A position that cannot be compared would pass every watermark: NaN > x is false.
  ['rvp', isPosition],
  ['roles', isTextList],
  ['tid', optional(isText)],
  ['tenant_name', optional(isText)],
  ['tenant_roles', optional(isTextList)],
  ['scope', optional(isString)],
  ['auth_time', optional(isFiniteNumber)],
  ['amr', optional(isTextList)],
  ['acr', optional(isString)],
  ['token_type', optional(isString)],
  ['user_id', optional(isString)],
  ['csh', optional(isText)],
  // A token that is bound in a way that nobody here can check must not pass for one that is not bound.
  ['cnf', optional(isKeyBinding)],
]

/**
 * Makes a verifier of access tokens (RFC 9068 §4). `typ` must be `at+jwt`, so no other kind of JWT from the
 * same issuer passes. It checks issuer, audience, times and the type of every named claim. The authority uses
 * it for its own tokens, so authority and services apply the same rule.
 */
export function createAccessTokenVerifier(
  options: AccessTokenVerifierOptions,
): AccessTokenVerifier {
  const verifier = createVerifier<AccessTokenClaims>(verifierOptions(options))
  return {
    verify(token) {
      const result = verifier.verify(token)
      // Claims from the cache cannot change, so a token with a mark has passed these checks before.
      if (!result.ok || result.mark !== undefined) return result
      const refused = checkAccessClaims(result.claims)
      if (refused !== undefined) return refused
      result.mark = 0
      return result
    },
  }
}

/**
 * The result of one check. `access_claims` checks the types of the claims, that the token names a session, and
 * that the claims about a tenant are complete.
 */
export type AccessTokenReport =
  | CheckReport
  | { readonly check: 'access_claims'; readonly refused: Refused | undefined }

/** A check of the access token verifier. */
export type AccessTokenCheck = TokenCheck | AccessTokenReport['check']

/**
 * Runs the checks of an access token verifier with these options and reports each of them, in order, as
 * `explainToken` of `@countersign/jwt` does. For tools that show a person everything that is wrong with a
 * token. Never use it to accept a token, because the token may be forged.
 */
export function explainAccessToken(
  token: string,
  options: AccessTokenVerifierOptions,
): readonly AccessTokenReport[] {
  const reports = explainToken(token, verifierOptions(options))
  const decoded = decodeUnverified(token)
  if (!decoded.ok) return reports
  return [...reports, { check: 'access_claims', refused: checkAccessClaims(decoded.claims) }]
}

function verifierOptions(options: AccessTokenVerifierOptions): VerifierOptions {
  const { keys, issuer, audience, toleranceSec = TOLERANCE_SEC_DEFAULT, clock } = options
  return {
    keys,
    typ: 'at+jwt',
    issuer,
    audience,
    requiredClaims: REQUIRED,
    toleranceSec,
    cacheEntriesMax: options.cacheEntriesMax ?? 0,
    ...(clock === undefined ? {} : { clock }),
  }
}

type Claims = Readonly<Record<string, unknown>>

function checkAccessClaims(claims: Claims): Refused | undefined {
  const claim = firstIllTyped(claims)
  if (claim !== undefined) return { ok: false, code: 'claim_invalid', claim }
  const missing = lacksSession(claims) ? 'sid' : missingTenantClaim(claims)
  return missing === undefined ? undefined : { ok: false, code: 'claim_missing', claim: missing }
}

/**
 * Returns the missing claim of a token that has only some of the claims about a tenant. The first versions of the authority put
 * the roles in the tenant into `roles`. Such a token is refused, because they must not pass for global roles.
 */
function missingTenantClaim({ tid, tenant_name, tenant_roles }: Claims): string | undefined {
  if (tid !== undefined) return tenant_roles === undefined ? 'tenant_roles' : undefined
  return tenant_name !== undefined || tenant_roles !== undefined ? 'tid' : undefined
}

/**
 * Whether a token without `sid` should have one. A service account has no session (RFC 6749 §4.4): it acts
 * for itself, so its `sub` equals its `client_id` (RFC 9068 §2.2). A person's token without `sid` would
 * outlive the end of its session, because no watermark of a session would match it.
 */
function lacksSession({ sub, client_id, sid }: Claims): boolean {
  return sid === undefined && sub !== client_id
}

function firstIllTyped(claims: Claims): string | undefined {
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

function isKeyBinding(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Object.keys(value).length !== 1) return false
  // A SHA-256 as base64url has 43 characters.
  return 'jkt' in value && typeof value.jkt === 'string' && /^[\w-]{43}$/.test(value.jkt)
}

function optional(holds: (value: unknown) => boolean): (value: unknown) => boolean {
  return (value) => value === undefined || holds(value)
}
