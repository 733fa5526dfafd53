import { refusals, type RefusalCode } from '../../base/refusals.ts'
import { RETRY_AFTER_SEC } from '../problem.ts'

/** The `error` of RFC 6749 §5.2 for these refusals. All other refusals are `invalid_request`. */
const ERRORS: Partial<Record<RefusalCode, string>> = {
  client_invalid: 'invalid_client',
  grant_type_unsupported: 'unsupported_grant_type',
  scope_invalid: 'invalid_scope',
  token_of_another: 'unauthorized_client',
  // These errors are from §4.1.2.1, because §5.2 has no error for them.
  throttled: 'temporarily_unavailable',
  store_unavailable: 'temporarily_unavailable',
  internal_error: 'server_error',
}

/** Returns the `error` of RFC 6749 for a refusal. */
export function oauthErrorOf(code: RefusalCode): string {
  return ERRORS[code] ?? 'invalid_request'
}

/** Makes an answer of the token endpoint. It must not be cached (RFC 6749 §5.1). */
export function answerTokenJson(
  status: number,
  body: object,
  more: Record<string, string> = {},
): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: {
      'content-type': 'application/json',
      'cache-control': 'no-store',
      pragma: 'no-cache',
      'x-content-type-options': 'nosniff',
      ...more,
    },
  })
}

/** Makes a refusal in the form of RFC 6749 §5.2. */
export function answerTokenRefusal(code: RefusalCode, more: Record<string, string> = {}): Response {
  const { status, text } = refusals[code]
  return answerTokenJson(
    status,
    { error: oauthErrorOf(code), error_description: text },
    { ...(status === 503 ? { 'retry-after': String(RETRY_AFTER_SEC) } : {}), ...more },
  )
}
