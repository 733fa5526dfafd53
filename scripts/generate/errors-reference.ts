import { refusals as guardRefusals, type GuardRefusalCode } from '@countersign/guard'
import { refusals as jwtRefusals } from '@countersign/jwt'
import { refusals, type RefusalCode } from 'countersign'

import { groupBy } from '../lib/group-by.ts'
import { code, generatedNotice, renderTable } from '../lib/markdown.ts'

/** docs/reference/errors.md, from the tables of refusals of the three packages. */

export const path = 'docs/reference/errors.md'

/** The advice for each code. A code that is missing here gets the advice of its status. */
const AUTHORITY_ADVICE: Readonly<Partial<Record<RefusalCode, string>>> = {
  json_malformed: 'Send one JSON object in UTF-8.',
  text_malformed: 'Encode the body as UTF-8.',
  fields_invalid: 'Correct the fields that the answer names.',
  wait_invalid: 'Send `?wait=effective`, or leave the parameter out.',
  wait_interrupted: 'Do not repeat the request. Wait for 30 seconds.',
  cookie_repeated:
    'Delete the cookies of this site. Another application on the domain may set the same names.',
  password_too_short: 'Choose a password of at least 12 characters.',
  password_common: 'Choose a password that is not on lists of common ones.',
  password_compromised:
    'Choose another password. See [Breached passwords](../operations/breached-passwords.md).',
  username_taken: 'Choose another username.',
  username_confusable: 'Choose a username that does not look like an existing one.',
  grant_type_unsupported: 'Use `grant_type=client_credentials`.',
  scope_invalid: 'Leave the parameter `scope` out.',
  client_auth_repeated:
    'Send the client id and secret either in `Authorization: Basic` or in the body.',
  upgrade_required: 'Open the path as a WebSocket.',
  not_found: 'Check the path in the HTTP reference.',
  method_not_allowed: 'Use a method of the `Allow` header.',
  body_too_large: 'Send a smaller body.',
  media_type_unsupported:
    'Set `Content-Type` to a media type that the HTTP reference names for this path.',
  content_encoding_unsupported: 'Send the body without `Content-Encoding`.',
  credentials_invalid:
    'Ask the person for username and password again. A disabled account gets the same answer.',
  client_invalid:
    'Check the client id and secret. A disabled service account gets the same answer.',
  person_required: 'Use the access token of a person.',
  csrf_failed:
    'Send the CSRF token in `X-CSRF-Token`, from an origin that `COUNTERSIGN_ORIGINS` lists.',
  feed_forbidden: 'Use a service account without a tenant for the guard.',
  tenant_forbidden: 'Name a tenant of which the account is a member.',
  throttled: 'Wait for the seconds in `Retry-After`.',
  cookie_missing: 'Log in.',
  account_disabled: 'An administrator can enable the account: `countersign accounts enable NAME`.',
  token_missing: 'Send the parameter `token` in the body.',
  token_invalid: 'Log in again. To see why, run `countersign token inspect TOKEN`.',
  token_expired: 'Refresh, or log in again when the refresh token has expired.',
  dpop_proof_invalid:
    'Send a new proof for each request, for exactly its method and URL, with the key of the login.',
  dpop_nonce_required: 'Repeat the request with the nonce in the header `DPoP-Nonce`.',
  token_stale: 'Refresh once, then repeat the request. Nobody has to log in again.',
  token_wrong_type:
    'Send an access token where one is expected, and a refresh token only to refresh.',
  second_factor_required:
    'Ask for one of the `methods`, and send it with the ticket to `/api/token/second-factor/` or `/auth/login/second-factor`.',
  second_factor_enrolment_required:
    'Send the person to `/sign-in`, or set up one of `enrol` with the ticket: `/auth/second-factor/enrol`.',
  ticket_void: 'Begin the login again.',
  factor_wrong: 'Ask for the next code. The ticket stays valid.',
  passkey_refused: 'Try again with a new challenge, or use another method.',
  challenge_void: 'Ask for a new challenge.',
  factor_unavailable:
    'Use one of the `methods`. To set up a factor at a login, send `enrol: true`.',
  factor_locked:
    'Use another method. An operator unlocks the app: `countersign accounts factors reset`.',
  insufficient_user_authentication:
    'Let the person confirm who they are at `/auth/step-up`, then repeat the request. An account without a second factor reaches `aal2` by setting one up.',
  passkey_unknown:
    'Use another method. The client tells the password manager to forget the passkey.',
  session_ended: 'Log in again.',
  session_expired: 'Log in again.',
  session_unknown: 'Log in again.',
  refresh_reused:
    'Log in again. If the client uses each refresh token once, somebody copied the token.',
  refresh_elsewhere:
    'Refresh again with the newest refresh token. Send refreshes from one place; see the guide for browsers.',
  refresh_ahead: 'Log in again. The database lost its last writes; see the operations guide.',
  internal_error: 'Read the log of the authority. Please report the problem.',
}

/** The advice for a service. A code that is missing here gets the advice of the authority's code. */
const GUARD_ADVICE: Readonly<Partial<Record<GuardRefusalCode, string>>> = {
  token_missing: 'Send an access token: `Authorization: Bearer TOKEN`.',
  request_malformed: 'Send one access token, in one place.',
  insufficient_user_authentication:
    'Ask the person to log in again, as the header `WWW-Authenticate` demands.',
  role_missing:
    'Give the account the role: `countersign accounts roles add NAME ROLE`. For a role in a tenant, the requirement must name the `tenant`.',
  permission_missing:
    'Give a role of the account the permission: `countersign roles define`. For a role in a tenant, the requirement must name the `tenant`.',
  scope_missing: 'Ask the person for the scopes that the header `WWW-Authenticate` names.',
  dpop_proof_invalid:
    'Send a new proof for each request, for exactly its method and URL. The log of the service has the cause.',
  dpop_nonce_required: 'Repeat the request with the nonce in the header `DPoP-Nonce`.',
  dpop_unavailable:
    'Wait for the seconds in `Retry-After`. Check the store of used proofs of the service.',
  tenant_mismatch: 'Refresh with the tenant of the request.',
  revocations_unavailable:
    'Wait for the seconds in `Retry-After`. Check that the guard reaches the revocation feed.',
  keys_unavailable:
    'Wait for the seconds in `Retry-After`. Check that the guard reaches the key set.',
}

const ADVICE_OF_STATUS: Readonly<Record<number, string>> = {
  400: 'Correct the request. The text names the mistake.',
  401: 'Log in again.',
  403: 'Use an account that may do this.',
  503: 'Wait for the seconds in `Retry-After`, then try again.',
}

/** The page. */
export function render(): string {
  const jwtRows = Object.entries(jwtRefusals).map(([name, text]) => [code(name), text])
  return `# Error codes

${generatedNotice('the tables of refusals in packages/server, packages/guard and packages/jwt')}

Codes are part of the API. They are never renamed. Texts may change.

## The authority

Errors are problem documents (RFC 9457) with the code in the member \`code\`:

\`\`\`json
{ "type": "about:blank", "title": "Unauthorized", "status": 401, "detail": "The session has ended.", "code": "session_ended" }
\`\`\`

Two groups of routes answer in the form of their standard instead. The routes \`/api/token/\` and below answer as SimpleJWT
does: refused tokens have the code \`token_not_valid\`. The routes below \`/oauth2\` have the \`error\` of RFC 6749, with the
text below as its \`error_description\`. Three errors are problem documents there too: an unknown path, a wrong value of
\`wait\` and, below \`/oauth2\`, a wrong method. The audit and the log name the code of this table in each case.

${renderGroups(refusals, AUTHORITY_ADVICE)}
## The guard

A service with a guard answers with these codes. The reason in \`WWW-Authenticate\` follows RFC 6750 and RFC 9470.

${renderGroups(guardRefusals, { ...AUTHORITY_ADVICE, ...GUARD_ADVICE })}
## The JWT library

\`verify\` of \`@countersign/jwt\` returns \`{ ok: false, code }\`. A guard logs these codes as the \`reason\` of a refusal, and
never sends them to clients: a precise reason would help an attacker who forges tokens.

${renderTable(['Code', 'Reason'], jwtRows)}
`
}

interface Row {
  readonly status: number
  readonly text: string
}

/** Returns a table for each HTTP status, in ascending order. */
function renderGroups(
  table: Readonly<Record<string, Row>>,
  advice: Readonly<Record<string, string>>,
): string {
  const groups = groupBy(Object.entries(table), ([, { status }]) => status)
  return [...groups]
    .toSorted(([a], [b]) => a - b)
    .map(([status, rows]) => {
      const cells = rows.map(([name, { text }]) => [
        code(name),
        text,
        advice[name] ?? ADVICE_OF_STATUS[status] ?? '',
      ])
      return `### ${status}\n\n${renderTable(['Code', 'Text', 'What to do'], cells)}\n`
    })
    .join('\n')
}
