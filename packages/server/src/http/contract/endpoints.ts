import { endByRefreshToken } from '../../sessions/end.ts'
import { explainNoRefreshToken, inspectToken } from '../../sessions/inspect.ts'
import type { Caller, SessionServices } from '../../sessions/services.ts'
import type { Refresher } from '../../sessions/refresh.ts'
import { signIn } from '../../sessions/sign-in.ts'
import { readBody } from '../body.ts'
import {
  answerBodyRefusal,
  answerJson,
  answerNotObject,
  answerRefusal,
  answerThrottled,
  answerVerifyRefusal,
} from './answers.ts'
import { readTextFields } from './fields.ts'

/** One endpoint of the SimpleJWT contract: POST, JSON or form in, JSON out. */
export type ContractEndpoint = (request: Request, caller: Caller) => Promise<Response>

/** The four endpoints by their paths. An `Authorization` header on them is ignored, as there. */
export function createContractEndpoints(
  services: SessionServices,
  refresh: Refresher,
): ReadonlyMap<string, ContractEndpoint> {
  return new Map([
    [
      '/api/token',
      endpoint(['username', 'password'], async (credentials, caller) => {
        const granted = await signIn(services, credentials, caller)
        if (!granted.ok) {
          return granted.retryAfterSec === undefined
            ? answerRefusal(granted.code)
            : answerThrottled(granted.retryAfterSec)
        }
        return answerJson(200, { refresh: granted.refresh, access: granted.access })
      }),
    ],
    [
      '/api/token/refresh',
      endpoint(['refresh'], async ({ refresh: token }, caller) => {
        const granted = await refresh(token, caller)
        if (!granted.ok) return answerRefusal(explainNoRefreshToken(services, token, granted.code))
        return answerJson(200, { access: granted.access, refresh: granted.refresh })
      }),
    ],
    [
      '/api/token/verify',
      endpoint(['token'], async ({ token }) => {
        const standing = await inspectToken(services, token)
        return standing.ok ? answerJson(200, {}) : answerVerifyRefusal(standing.code)
      }),
    ],
    [
      '/api/token/blacklist',
      endpoint(['refresh'], async ({ refresh: token }, caller) => {
        const ended = await endByRefreshToken(services, token, caller)
        if (!ended.ok) return answerRefusal(explainNoRefreshToken(services, token, ended.code))
        return answerJson(200, {})
      }),
    ],
  ])
}

/** Reads the body and its text fields; `act` sees only requests that have them all. */
function endpoint<Name extends string>(
  names: readonly Name[],
  act: (values: Readonly<Record<Name, string>>, caller: Caller) => Promise<Response>,
): ContractEndpoint {
  return async (request, caller) => {
    const body = await readBody(request)
    if (!body.ok) return answerBodyRefusal(body.code, request.headers.get('content-type') ?? '')
    if (body.fields === undefined) return answerNotObject(body.value)
    const fields = readTextFields(body.fields, names)
    return fields.ok ? act(fields.values, caller) : answerJson(400, fields.errors)
  }
}
