/**
 * Every refusal of the server in one table: the stable code, the HTTP status, and the text for people. A text
 * says what happened, why, and what to do next. It contains no value and no double quote. RFC 6749 §5.2
 * forbids double quotes in `error_description`. Codes are part of the API: they are never renamed, only
 * retired. The texts of unreadable bodies and of failures are also part of the SimpleJWT contract.
 */
export const refusals = {
  // The request
  json_malformed: { status: 400, text: 'The body is not valid JSON.' },
  json_duplicate_member: { status: 400, text: 'The JSON body names a member twice.' },
  json_too_deep: { status: 400, text: 'The JSON body is nested too deeply.' },
  text_malformed: { status: 400, text: 'The body is not valid UTF-8.' },
  form_malformed: { status: 400, text: 'The form body cannot be read.' },
  form_duplicate_field: { status: 400, text: 'The form body names a field twice.' },
  body_not_object: {
    status: 400,
    text: 'The body is not a JSON object. Send an object with the fields of this route, or a form.',
  },
  request_ambiguous: {
    status: 400,
    text: 'The request has two Host headers, or a transfer encoding other than chunked. Send one Host header, and a body without transfer encoding or in chunks.',
  },
  wait_invalid: {
    status: 400,
    text: 'The parameter wait has an unknown value, so nothing was done. Send wait=effective, or leave it out.',
  },
  fields_invalid: {
    status: 400,
    text: 'Some fields are missing or not valid. Compare them with the documentation at /docs.',
  },
  cookie_repeated: {
    status: 400,
    text: 'The request has a cookie of this server twice. Delete the cookies of this site and try again.',
  },
  password_too_short: {
    status: 400,
    text: 'The new password is too short. Choose one of at least 12 characters.',
  },
  password_too_long: {
    status: 400,
    text: 'The new password is too long. Choose one of at most 4,096 bytes.',
  },
  password_common: {
    status: 400,
    text: 'The new password is on a list of common passwords. Choose another one.',
  },
  password_compromised: {
    status: 400,
    text: 'The new password is known from a data breach, so attackers try it. Choose another one, and change it wherever else you use it.',
  },
  password_contains_username: {
    status: 400,
    text: 'The new password is made of the username. Choose another one.',
  },
  password_malformed: {
    status: 400,
    text: 'The new password begins or ends with a space, has a NUL character, or is not valid Unicode. Choose another one.',
  },
  username_invalid: { status: 400, text: 'The username is not allowed. Choose another one.' },
  username_confusable: {
    status: 400,
    text: 'The username looks like that of another account. Choose another one.',
  },
  username_too_long: {
    status: 400,
    text: 'The username is too long. Choose one of at most 150 characters.',
  },
  username_taken: {
    status: 409,
    text: 'An account with this username exists already. Choose another one.',
  },
  email_invalid: {
    status: 400,
    text: 'This is not an e-mail address. Check its spelling.',
  },
  email_unproved: {
    status: 400,
    text: 'This server takes no address at sign-up. Leave the field email out, log in, and add the address then.',
  },
  email_missing: {
    status: 400,
    text: 'The account has no e-mail address. Add one first.',
  },
  code_wrong: {
    status: 400,
    text: 'The code is wrong. Check it, or ask for a new mail.',
  },
  code_missing: {
    status: 400,
    text: 'This browser did not ask for the mail. Type the code from the mail too.',
  },
  code_void: {
    status: 400,
    text: 'The code or link has expired, was used, or was replaced by a newer mail. Ask for a new mail.',
  },
  code_elsewhere: {
    status: 400,
    text: 'Log in first, or open the link in the browser that asked for the mail.',
  },
  password_required: {
    status: 400,
    text: 'Choose a password: this browser did not ask for the mail.',
  },
  email_unverified: {
    status: 403,
    text: 'The account has no verified e-mail address. Verify the address of the account first.',
  },
  invitation_void: {
    status: 400,
    text: 'The invitation has expired, was accepted, withdrawn or replaced by a newer one. Ask for a new invitation.',
  },
  invitation_for_another: {
    status: 403,
    text: 'The invitation is for another account. Log in with the account whose address was invited.',
  },
  roles_invalid: {
    status: 400,
    text: 'The roles are not valid, or the account would have too many. Send fewer roles.',
  },
  role_forbidden: {
    status: 403,
    text: 'You can only give roles that are defined and whose permissions you have in this tenant.',
  },
  member_protected: {
    status: 403,
    text: 'The member has permissions that you do not have. Ask somebody who has them.',
  },
  last_administrator: {
    status: 409,
    text: 'Nobody else could manage this tenant afterwards. Give another member the role first.',
  },
  tenant_disabled: {
    status: 409,
    text: 'The tenant is disabled. An operator has to enable it first.',
  },
  email_taken: {
    status: 409,
    text: 'Another account has this e-mail address. Log in to that account, or reset its password.',
  },
  grant_type_missing: {
    status: 400,
    text: 'The parameter grant_type is missing. Send grant_type=client_credentials.',
  },
  grant_type_unsupported: {
    status: 400,
    text: 'This grant type is not supported. Send grant_type=client_credentials.',
  },
  token_missing: {
    status: 400,
    text: 'The parameter token is missing. Send the token as a field of the form.',
  },
  token_of_another: {
    status: 400,
    text: 'The token was issued to another client, so this service account must not revoke it.',
  },
  scope_invalid: {
    status: 400,
    text: 'Scopes are not supported. Leave the parameter scope out.',
  },
  client_auth_repeated: {
    status: 400,
    text: 'The service account authenticated in two ways. Send its id and secret in the Authorization header or in the form, not in both.',
  },
  upgrade_required: {
    status: 426,
    text: 'This path is a WebSocket. Connect with an upgrade to websocket, or poll /revocations.',
  },
  not_found: { status: 404, text: 'There is nothing at this path.' },
  method_not_allowed: {
    status: 405,
    text: 'This path does not support this method. The Allow header lists the methods that it supports.',
  },
  body_too_large: { status: 413, text: 'The body is larger than 16 KiB.' },
  media_type_unsupported: {
    status: 415,
    text: 'This path does not accept the media type of the body. Check the Content-Type header.',
  },
  content_encoding_unsupported: { status: 415, text: 'Compressed bodies are not accepted.' },

  // The sender
  credentials_invalid: {
    status: 401,
    text: 'The username or the password is wrong, or the account is disabled.',
  },
  second_factor_required: {
    status: 401,
    text: 'The login is right so far, and also needs a second factor: send the ticket with a code to /api/token/second-factor/.',
  },
  second_factor_enrolment_required: {
    status: 401,
    text: 'The login is right so far, but this account must set up a second factor first: open /sign-in in a browser.',
  },
  ticket_void: {
    status: 401,
    text: 'This sign-in was finished or has expired. Begin again.',
  },
  factor_wrong: {
    status: 401,
    text: 'The code is wrong, has expired, or was used before. Enter the next code.',
  },
  passkey_refused: {
    status: 401,
    text: 'The passkey was not accepted. Try again, or use another method.',
  },
  passkey_unknown: {
    status: 401,
    text: 'This passkey was removed from its account, or belongs to another server. Use another method, and delete the passkey on your device.',
  },
  challenge_void: {
    status: 400,
    text: 'This request was answered before or has expired. Begin again.',
  },
  factor_unavailable: {
    status: 400,
    text: 'The account cannot use this method. Use one of the methods of the answer before, or set one up with enrol: true.',
  },
  factor_locked: {
    status: 403,
    text: 'There were too many wrong codes. Use another method, or ask the operator to reset the authenticator app.',
  },
  factors_full: {
    status: 409,
    text: 'The account has as many passkeys as it may have. Remove one first.',
  },
  passkey_taken: { status: 409, text: 'This passkey is enrolled already.' },
  passkeys_off: {
    status: 409,
    text: 'Passkeys need a public URL with a host name. Ask the operator to set COUNTERSIGN_PUBLIC_URL.',
  },
  insufficient_user_authentication: {
    status: 401,
    text: 'This needs a recent sign-in. Confirm who you are at /auth/step-up, and try again.',
  },
  client_invalid: {
    status: 401,
    text: 'The client id or the secret is wrong, or the service account is disabled.',
  },
  person_required: {
    status: 403,
    text: 'This route is for people who have logged in, and the access token belongs to a service account.',
  },
  csrf_failed: {
    status: 403,
    text: 'The request came from a page of another site, or without its CSRF token. Get the token from /auth/csrf and send it as X-CSRF-Token.',
  },
  feed_forbidden: {
    status: 403,
    text: 'The service account is bound to a tenant, and the revocation feed covers all tenants. Use one that is not bound to a tenant.',
  },
  tenant_forbidden: { status: 403, text: 'The account is not a member of this tenant.' },
  throttled: {
    status: 429,
    text: 'Too many attempts. Wait for the number of seconds in the Retry-After header.',
  },
  cookie_missing: { status: 401, text: 'The request has no refresh cookie. Log in first.' },
  account_disabled: { status: 401, text: 'The account of this token is disabled.' },
  token_invalid: { status: 401, text: 'The token is not valid.' },
  token_expired: { status: 401, text: 'The token has expired.' },
  token_wrong_type: { status: 401, text: 'The token is of another type than this route needs.' },
  token_type_missing: { status: 401, text: 'The token has no token_type claim.' },
  token_exp_missing: { status: 401, text: 'The token has no exp claim.' },
  token_id_missing: { status: 401, text: 'The token has no jti claim.' },
  dpop_proof_invalid: {
    status: 401,
    text: 'The token is bound to a key, and the DPoP proof of the request is missing or not valid.',
  },
  dpop_nonce_required: {
    status: 401,
    text: 'Repeat the request with a DPoP proof that contains the nonce in the header DPoP-Nonce.',
  },
  token_stale: {
    status: 401,
    text: 'The token is out of date, because its account or session has changed. Refresh it.',
  },
  session_ended: { status: 401, text: 'The session has ended. Log in again.' },
  session_expired: { status: 401, text: 'The session has expired. Log in again.' },
  session_unknown: { status: 401, text: 'The session of the token does not exist. Log in again.' },
  refresh_reused: {
    status: 401,
    text: 'The session was ended because its refresh token was used twice. Log in again.',
  },
  refresh_elsewhere: {
    status: 401,
    text: 'The refresh token was used a moment ago from another address and another user agent. The session continues. Refresh with its newest token.',
  },
  refresh_ahead: {
    status: 401,
    text: 'The session was ended because its refresh token is newer than the database. Log in again.',
  },

  // The server
  password_queue_full: { status: 503, text: 'Too many logins at once. Try again shortly.' },
  refresh_queue_full: { status: 503, text: 'Too many refreshes at once. Try again shortly.' },
  wait_interrupted: {
    status: 503,
    text: 'The revocation is stored, but the server stopped before every guard confirmed it. It is in force everywhere after 30 seconds.',
  },
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
