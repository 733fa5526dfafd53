/**
 * Every way in which the server says no, in one table: the stable code, its HTTP status and what a
 * person reads. Codes are API: never renamed, only retired. No text ever holds a value.
 */
export const refusals = {
  // What was sent
  json_malformed: { status: 400, text: 'The body is not valid JSON.' },
  json_duplicate_member: { status: 400, text: 'The JSON body names a member twice.' },
  json_too_deep: { status: 400, text: 'The JSON body is nested too deeply.' },
  text_malformed: { status: 400, text: 'The body is not valid UTF-8.' },
  form_malformed: { status: 400, text: 'The form body cannot be read.' },
  form_duplicate_field: { status: 400, text: 'The form body names a field twice.' },
  body_not_object: { status: 400, text: 'The body must be an object.' },
  wait_invalid: { status: 400, text: 'The parameter wait can only be effective.' },
  fields_invalid: { status: 400, text: 'Some fields are missing or not valid.' },
  cookie_repeated: { status: 400, text: 'A cookie was sent twice.' },
  password_too_short: { status: 400, text: 'The new password is too short.' },
  password_too_long: { status: 400, text: 'The new password is too long.' },
  password_common: { status: 400, text: 'The new password is a common one.' },
  password_contains_username: { status: 400, text: 'The new password is made of the username.' },
  password_malformed: { status: 400, text: 'The new password cannot be typed again.' },
  username_invalid: { status: 400, text: 'The username cannot be taken.' },
  username_confusable: { status: 400, text: 'The username looks like another one.' },
  username_too_long: { status: 400, text: 'The username is too long.' },
  username_taken: { status: 409, text: 'There is an account with this username already.' },
  grant_type_missing: { status: 400, text: 'The parameter grant_type is missing.' },
  grant_type_unsupported: { status: 400, text: 'This grant type is not served here.' },
  token_missing: { status: 400, text: 'The parameter token is missing.' },
  token_of_another: { status: 400, text: 'The token was issued to another client.' },
  scope_invalid: { status: 400, text: 'There are no scopes to ask for.' },
  client_auth_repeated: { status: 400, text: 'The client must authenticate once, in one way.' },
  upgrade_required: { status: 426, text: 'This path is a WebSocket.' },
  not_found: { status: 404, text: 'Nothing is served at this path.' },
  method_not_allowed: { status: 405, text: 'This path does not take that method.' },
  body_too_large: { status: 413, text: 'The body is larger than 16 KiB.' },
  media_type_unsupported: { status: 415, text: 'This media type is not accepted here.' },
  content_encoding_unsupported: { status: 415, text: 'Compressed bodies are not accepted.' },

  // Who is asking
  credentials_invalid: { status: 401, text: 'No active account has these credentials.' },
  client_invalid: { status: 401, text: 'No active service account has these credentials.' },
  person_required: {
    status: 403,
    text: 'This is for people who have logged in. The token is the one of a service account.',
  },
  csrf_failed: {
    status: 403,
    text: 'The request came from another site, or without its CSRF token.',
  },
  feed_forbidden: {
    status: 403,
    text: 'The service account is bound to a tenant, and the feed is about all of them.',
  },
  tenant_forbidden: { status: 403, text: 'The account is not a member of this tenant.' },
  throttled: { status: 429, text: 'Too many tries. Wait before the next one.' },
  cookie_missing: { status: 401, text: 'There is no session in the cookies.' },
  account_disabled: { status: 401, text: 'The account of this token is disabled.' },
  token_invalid: { status: 401, text: 'The token is not valid.' },
  token_not_yet_valid: {
    status: 401,
    text: 'The token is from later than it is by the clock of this server.',
  },
  token_expired: { status: 401, text: 'The token has expired.' },
  token_wrong_type: { status: 401, text: 'The token is of another kind.' },
  token_type_missing: { status: 401, text: 'The token does not say its kind.' },
  token_exp_missing: { status: 401, text: 'The token does not say when it expires.' },
  token_id_missing: { status: 401, text: 'The token has no identifier.' },
  token_stale: { status: 401, text: 'The token is out of date. Refresh it.' },
  session_ended: { status: 401, text: 'The session has ended.' },
  session_expired: { status: 401, text: 'The session has expired.' },
  session_unknown: { status: 401, text: 'The token belongs to no known session.' },
  refresh_reused: { status: 401, text: 'The session was ended because its token was used twice.' },
  refresh_ahead: {
    status: 401,
    text: 'The session was ended because its token is newer than the store.',
  },

  // What the server cannot do now
  password_queue_full: { status: 503, text: 'Too many logins at once. Try again shortly.' },
  refresh_queue_full: { status: 503, text: 'Too many refreshes at once. Try again shortly.' },
  store_unavailable: { status: 503, text: 'The database cannot be reached. Try again shortly.' },
  signer_unavailable: {
    status: 503,
    text: 'The signing keys cannot be reached. Try again shortly.',
  },
  accounts_unavailable: {
    status: 503,
    text: 'The accounts cannot be reached. Try again shortly.',
  },
  internal_error: { status: 500, text: 'The server made a mistake. It has been logged.' },
} as const satisfies Record<string, { readonly status: number; readonly text: string }>

/** A code of the table. */
export type RefusalCode = keyof typeof refusals
