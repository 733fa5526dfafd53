import type { Refused } from '@countersign/guard'
import type { z } from 'zod'

import { endByRefreshToken } from '../../sessions/end.ts'
import { explainNoRefreshToken, inspectToken } from '../../sessions/inspect.ts'
import type { Refresher } from '../../sessions/refresh.ts'
import type { Caller, Granted, Refusal, SessionServices } from '../../sessions/services.ts'
import { signIn } from '../../sessions/sign-in.ts'
import { readBody } from '../body.ts'
import {
  answerBodyRefusal,
  answerJson,
  answerNotObject,
  answerPending,
  answerRefusal,
  answerThrottled,
  answerUnproven,
  answerVerifyRefusal,
} from './answers.ts'
import { proveKey } from '../prove-key.ts'
import { parseFields } from '../router/parse.ts'
import { readTextFields } from './fields.ts'

/** A request to the SimpleJWT contract, and its caller. */
export interface ContractVisit {
  readonly request: Request
  readonly caller: Caller
}

/** `POST /api/token/`: logs in. The username is in the field `usernameField`. */
export function answerObtain(
  services: SessionServices,
  usernameField: string,
  visit: ContractVisit,
): Promise<Response> {
  return withFields(visit, [usernameField, 'password'], async (fields) => {
    const credentials = {
      username: fields[usernameField] ?? '',
      password: fields['password'] ?? '',
    }
    const proven = await withKey(services, visit)
    if (!proven.ok) return answerUnproven(proven)
    const granted = await signIn(services, credentials, proven.caller)
    if (granted.ok) return answerJson(200, { refresh: granted.refresh, access: granted.access })
    return answerNotGranted(granted)
  })
}

/** Answers a login that is refused, or that waits for a second factor. */
export function answerNotGranted({ code, retryAfterSec, pending }: Refusal): Response {
  if (retryAfterSec !== undefined) return answerThrottled(retryAfterSec)
  return pending === undefined ? answerRefusal(code) : answerPending(code, pending)
}

/** `POST /api/token/refresh/`: exchanges a refresh token for the next pair of tokens. */
export function answerRefresh(
  services: SessionServices,
  refresh: Refresher,
  visit: ContractVisit,
): Promise<Response> {
  return withFields(visit, ['refresh'], async ({ refresh: token }) => {
    // Otherwise a copied refresh would count as a reuse, and end the session of its victim.
    const isGenuine = visit.request.headers.has('dpop') && services.verifyRefresh(token).ok
    const proven = await withKey(services, visit, !isGenuine)
    if (!proven.ok) return answerUnproven(proven)
    const granted = await refresh(token, proven.caller)
    return granted.ok
      ? answerJson(200, { access: granted.access, refresh: granted.refresh })
      : answerRefusal(explainNoRefreshToken(services, token, granted.code))
  })
}

/** `POST /api/token/verify/`: whether a token would be accepted now. */
export function answerVerify(services: SessionServices, visit: ContractVisit): Promise<Response> {
  return withFields(visit, ['token'], async ({ token }) => {
    const standing = await inspectToken(services, token)
    return standing.ok ? answerJson(200, {}) : answerVerifyRefusal(standing.code)
  })
}

/** `POST /api/token/blacklist/`: ends the session of a refresh token. */
export function answerBlacklist(
  services: SessionServices,
  visit: ContractVisit,
): Promise<Response> {
  return withFields(visit, ['refresh'], async ({ refresh: token }) => {
    const ended = await endByRefreshToken(services, token, visit.caller)
    return ended.ok
      ? answerJson(200, {})
      : answerRefusal(explainNoRefreshToken(services, token, ended.code))
  })
}

/**
 * Adds the key that a request proves to its caller, so that the tokens of the answer are bound to it (RFC 9449 §5). A
 * request without the header `DPoP` proves none.
 *
 * The proof of a login may be repeated: whoever has copied the login has its password, and gets tokens of a key that they
 * do not hold. Remembering it would let strangers write into the database.
 */
async function withKey(
  services: SessionServices,
  { request, caller }: ContractVisit,
  mayRepeat = true,
): Promise<{ readonly ok: true; readonly caller: Caller } | Refused> {
  if (!request.headers.has('dpop')) return { ok: true, caller }
  const proven = await proveKey(services, request, { mayRepeat })
  return proven.ok ? { ok: true, caller: { ...caller, jkt: proven.jkt } } : proven
}

/** Reads the body and its text fields. Calls `act` only if the request has all fields. */
async function withFields<Name extends string>(
  { request }: ContractVisit,
  names: readonly Name[],
  act: (values: Readonly<Record<Name, string>>) => Promise<Response>,
): Promise<Response> {
  const body = await readBody(request, { numbersAsWritten: true })
  if (!body.ok) return answerBodyRefusal(body.code, request.headers.get('content-type') ?? '')
  if (body.fields === undefined) return answerNotObject(body.value)
  const fields = readTextFields(body.fields, names)
  return fields.ok ? act(fields.values) : answerJson(400, fields.errors)
}

/**
 * `POST /api/token/second-factor/` and `/api/token/passkey/`: bodies that are not only texts. An invalid field gets a
 * list of errors, like every other.
 */
export async function answerFactor<Fields>(
  services: SessionServices,
  visit: ContractVisit,
  schema: z.ZodType<Fields>,
  act: (
    fields: Fields,
    caller: Caller,
  ) => Promise<(Granted & { readonly recoveryCodes?: readonly string[] }) | Refusal>,
): Promise<Response> {
  const { request } = visit
  const body = await readBody(request)
  if (!body.ok) return answerBodyRefusal(body.code, request.headers.get('content-type') ?? '')
  if (body.fields === undefined) return answerNotObject(body.value)
  const parsed = parseFields(schema, body.fields)
  if (!parsed.ok) {
    const isMissing = (name: string): boolean => !new Map(body.fields).has(name)
    const errors = (parsed.fields ?? []).map((name) => [
      name,
      [isMissing(name) ? 'This field is required.' : 'Not a valid value.'],
    ])
    return answerJson(400, Object.fromEntries(errors))
  }
  const proven = await withKey(services, visit)
  if (!proven.ok) return answerUnproven(proven)
  const granted = await act(parsed.value, proven.caller)
  if (!granted.ok) return answerNotGranted(granted)
  const { refresh, access, recoveryCodes = [] } = granted
  const codes = recoveryCodes.length === 0 ? {} : { recovery_codes: recoveryCodes }
  return answerJson(200, { refresh, access, ...codes })
}
