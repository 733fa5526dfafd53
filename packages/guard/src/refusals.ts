/**
 * Every refusal that a guard sends to its callers, in one table: the stable code, the HTTP status, the text
 * for a person, and the `error` of RFC 6750 §3.1, RFC 9449 §7.1 and §9, or RFC 9470 §3. `error` is undefined if no token was sent or
 * the refusal is not about the token.
 *
 * The table is short on purpose: a precise cause would tell a forger how far a token got. The cause is the
 * `reason` of a refusal, for logs only. Codes are API: never renamed, only retired.
 */
export const refusals = {
  token_missing: {
    status: 401,
    text: 'This request requires an access token.',
    error: undefined,
  },
  request_malformed: {
    status: 400,
    text: 'Send the access token exactly once: as "Bearer" in Authorization, or in its cookie.',
    error: 'invalid_request',
  },
  token_invalid: {
    status: 401,
    text: 'The access token is not valid.',
    error: 'invalid_token',
  },
  token_expired: {
    status: 401,
    text: 'The access token has expired.',
    error: 'invalid_token',
  },
  token_stale: {
    status: 401,
    text: 'The access token is out of date. Refresh it.',
    error: 'invalid_token',
  },
  session_ended: {
    status: 401,
    text: 'The session or the account of this access token has ended. Log in again.',
    error: 'invalid_token',
  },
  dpop_proof_invalid: {
    status: 401,
    text: 'The access token is bound to a key, and the DPoP proof of the request is missing or not valid.',
    error: 'invalid_dpop_proof',
  },
  dpop_nonce_required: {
    status: 401,
    text: 'Repeat the request with a DPoP proof that contains the nonce in the header DPoP-Nonce.',
    error: 'use_dpop_nonce',
  },
  insufficient_user_authentication: {
    status: 401,
    text: 'This request requires a stronger or more recent login.',
    error: 'insufficient_user_authentication',
  },
  role_missing: {
    status: 403,
    text: 'The account does not have a role that allows this.',
    error: 'insufficient_scope',
  },
  permission_missing: {
    status: 403,
    text: 'The account does not have the permission to do this.',
    error: 'insufficient_scope',
  },
  scope_missing: {
    status: 403,
    text: 'The access token does not have the scopes that this requires.',
    error: 'insufficient_scope',
  },
  tenant_mismatch: {
    status: 403,
    text: 'The access token is not for the tenant of this request.',
    error: 'insufficient_scope',
  },
  csrf_failed: {
    status: 403,
    text: 'This request came from another site, or lacks the CSRF token of its session.',
    error: undefined,
  },
  revocations_unavailable: {
    status: 503,
    text: 'The server cannot tell at the moment whether the access token was revoked. Try again shortly.',
    error: undefined,
  },
  keys_unavailable: {
    status: 503,
    text: 'The server cannot verify access tokens at the moment. Try again shortly.',
    error: undefined,
  },
  dpop_unavailable: {
    status: 503,
    text: 'The server cannot check DPoP proofs at the moment. Try again shortly.',
    error: undefined,
  },
} as const satisfies Record<
  string,
  { readonly status: number; readonly text: string; readonly error: string | undefined }
>

/** A code of this table. */
export type GuardRefusalCode = keyof typeof refusals

/** A refused request. */
export interface Refused {
  readonly ok: false
  /** The code that the caller receives. */
  readonly code: GuardRefusalCode
  /** The precise cause, for logs and metrics. Never send it to the caller. */
  readonly reason: string
  /** The name of the claim that `reason` is about, if there is one. Never its value. */
  readonly claim?: string
  /** Whole seconds, at least 1, after which a retry may succeed. Only with a 503. */
  readonly retryAfterSec?: number
  /** What a new login must satisfy (RFC 9470 §3). Only with `insufficient_user_authentication`. */
  readonly stepUp?: { readonly acr_values?: string; readonly max_age?: string }
  /** True if the request presented its token with the scheme `DPoP`. The challenge then has that scheme. */
  readonly isDpop?: true
  /** The nonce for the next proof (RFC 9449 §8 and §9), for the header `DPoP-Nonce`. */
  readonly dpopNonce?: string
}
