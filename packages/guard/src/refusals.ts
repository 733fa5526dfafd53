/**
 * Everything a guard says to the outside, in one table: the stable code, the HTTP status, the text a
 * person reads and the `error` of RFC 6750 §3.1 or RFC 9470 §3 (none when no token was sent, and none where it is not about the token).
 *
 * The table is short on purpose: a precise cause would tell whoever forges a token how far it came.
 * The cause is the `reason` of a refusal, for logs only. Codes are API: never renamed, only retired.
 */
export const refusals = {
  token_missing: {
    status: 401,
    text: 'This request needs an access token.',
    error: undefined,
  },
  request_malformed: {
    status: 400,
    text: 'The access token must be sent once: behind "Bearer" in Authorization, or in its cookie.',
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
    text: 'What the access token was given for has ended: a session, or the account. Sign in again.',
    error: 'invalid_token',
  },
  insufficient_user_authentication: {
    status: 401,
    text: 'This needs a stronger or a more recent sign-in.',
    error: 'insufficient_user_authentication',
  },
  role_missing: {
    status: 403,
    text: 'The account does not have a role that may do this.',
    error: 'insufficient_scope',
  },
  permission_missing: {
    status: 403,
    text: 'The account does not have the permission to do this.',
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
    text: 'It cannot be told at the moment whether the access token still stands. Try again shortly.',
    error: undefined,
  },
  keys_unavailable: {
    status: 503,
    text: 'Access tokens cannot be checked at the moment. Try again shortly.',
    error: undefined,
  },
} as const satisfies Record<
  string,
  { readonly status: number; readonly text: string; readonly error: string | undefined }
>

/** A code of the table. */
export type GuardRefusalCode = keyof typeof refusals

/** A request that was turned away. */
export interface Refused {
  readonly ok: false
  /** What the caller is told. */
  readonly code: GuardRefusalCode
  /** The precise cause, for logs and metrics only: never send it to the caller. */
  readonly reason: string
  /** The claim that `reason` is about, where there is one. A name, never a value. */
  readonly claim?: string
  /** Whole seconds, at least 1, after which a retry may succeed. Only with a 503. */
  readonly retryAfterSec?: number
  /** What a sign-in must be like (RFC 9470 §3). Only with `insufficient_user_authentication`. */
  readonly stepUp?: { readonly acr_values?: string; readonly max_age?: string }
}
