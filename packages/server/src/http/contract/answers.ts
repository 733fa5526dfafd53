import type { Refused } from '@countersign/guard'

import { refusals, type RefusalCode } from '../../base/refusals.ts'
import type { Refusal } from '../../sessions/services.ts'
import { RETRY_AFTER_SEC, describePending } from '../problem.ts'
import { pythonTypeOf } from './fields.ts'

const baseHeaders = {
  'content-type': 'application/json',
  vary: 'Accept',
  allow: 'POST, OPTIONS',
  'cache-control': 'no-store',
  // Of the security headers, only this one matters for JSON. Each further header costs a refresh a
  // microsecond.
  'x-content-type-options': 'nosniff',
}

/** Makes an answer in SimpleJWT's form: compact JSON with the keys in the given order. */
export function answerJson(
  status: number,
  body: unknown,
  headers?: Record<string, string>,
): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: headers === undefined ? baseHeaders : { ...baseHeaders, ...headers },
  })
}

/** SimpleJWT's text for each refusal of a token. */
const tokenDetails: Partial<Record<RefusalCode, string>> = {
  token_invalid: 'Token is invalid',
  session_unknown: 'Token is invalid',
  token_stale: 'Token is expired',
  token_expired: 'Token is expired',
  session_expired: 'Token is expired',
  token_wrong_type: 'Token has wrong type',
  token_type_missing: 'Token has no type',
  token_exp_missing: "Token has no 'exp' claim",
  token_id_missing: 'Token has no id',
  session_ended: 'Token is blacklisted',
  refresh_reused: 'Token is blacklisted',
  refresh_elsewhere: 'Token is blacklisted',
  refresh_ahead: 'Token is blacklisted',
}

const challenge = { 'www-authenticate': 'Bearer realm="api"' }

/** Answers too many attempts in the form of Django REST Framework. */
export function answerThrottled(retryAfterSec: number): Response {
  const unit = retryAfterSec === 1 ? 'second' : 'seconds'
  return answerJson(
    429,
    { detail: `Request was throttled. Expected available in ${retryAfterSec} ${unit}.` },
    { 'retry-after': String(retryAfterSec) },
  )
}

/** Answers a request without the right proof (RFC 9449 §8). */
export function answerUnproven(refused: Pick<Refused, 'code' | 'dpopNonce'>): Response {
  const code = refused.code === 'dpop_nonce_required' ? refused.code : 'dpop_proof_invalid'
  const nonce = refused.dpopNonce === undefined ? {} : { 'dpop-nonce': refused.dpopNonce }
  return answerJson(401, { detail: refusals[code].text, code }, { ...challenge, ...nonce })
}

/** Answers a refusal with SimpleJWT's text and form. */
export function answerRefusal(code: RefusalCode): Response {
  const detail = tokenDetails[code]
  if (detail !== undefined) {
    return answerJson(401, { detail, code: 'token_not_valid' }, challenge)
  }
  switch (code) {
    case 'credentials_invalid':
      return answerJson(
        401,
        { detail: 'No active account found with the given credentials' },
        challenge,
      )
    case 'account_disabled':
      return answerJson(401, { detail: 'No active account found for the given token.' }, challenge)
    case 'dpop_proof_invalid':
    case 'ticket_void':
    case 'factor_wrong':
    case 'passkey_refused':
    case 'passkey_unknown':
      return answerJson(401, { detail: refusals[code].text, code }, challenge)
    case 'factor_locked':
    case 'factor_unavailable':
    case 'challenge_void':
      return answerJson(refusals[code].status, { detail: refusals[code].text, code })
    default:
      return answerPlain(code)
  }
}

/**
 * Answers a right password to which a second factor is missing. Frontends that know nothing of it show `detail`, as for
 * every failed login.
 */
export function answerPending(
  code: RefusalCode,
  pending: NonNullable<Refusal['pending']>,
): Response {
  const detail = refusals[code].text
  return answerJson(401, { detail, code, ...describePending(pending) }, challenge)
}

/** Refuses a body that could not be read. `contentType` is the value of the Content-Type header. */
export function answerBodyRefusal(code: RefusalCode, contentType: string): Response {
  switch (code) {
    case 'json_malformed':
    case 'json_duplicate_member':
    case 'json_too_deep':
    case 'text_malformed':
      return answerJson(400, { detail: `JSON parse error - ${refusals[code].text}` })
    case 'form_malformed':
    case 'form_duplicate_field': {
      const kind = /^\s*multipart/i.test(contentType) ? 'Multipart form' : 'Form'
      return answerJson(400, { detail: `${kind} parse error - ${refusals[code].text}` })
    }
    case 'media_type_unsupported':
      return answerJson(415, { detail: `Unsupported media type "${contentType}" in request.` })
    default:
      return answerRefusal(code)
  }
}

function answerPlain(code: RefusalCode): Response {
  const { status, text } = refusals[code]
  return answerJson(
    status,
    { detail: text },
    status === 503 ? { 'retry-after': String(RETRY_AFTER_SEC) } : undefined,
  )
}

/**
 * Answers a refusal at `verify`. For a revoked token it is 400 with `non_field_errors` instead of 401, as in
 * SimpleJWT.
 */
export function answerVerifyRefusal(code: RefusalCode): Response {
  return tokenDetails[code] === 'Token is blacklisted'
    ? answerJson(400, { non_field_errors: ['Token is blacklisted'] })
    : answerRefusal(code)
}

/** Answers 405 with SimpleJWT's text. */
export function answerMethodNotAllowed(method: string): Response {
  return answerJson(405, { detail: `Method "${method}" not allowed.` })
}

/** Answers 400 for a JSON body that is not an object. */
export function answerNotObject(value: unknown): Response {
  const text =
    value === null
      ? 'No data provided'
      : `Invalid data. Expected a dictionary, but got ${pythonTypeOf(value)}.`
  return answerJson(400, { non_field_errors: [text] })
}
