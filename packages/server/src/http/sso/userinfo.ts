import {
  challengeFor,
  readBearer,
  readDpopToken,
  viewOfRequest,
  type Refused,
} from '@countersign/guard'

import { isOwnAccountId } from '../../accounts/source.ts'
import { inspectAsGuard } from '../../sessions/inspect.ts'

import { personClaims } from '../../sso/scopes.ts'
import { readRegistration } from '../../sso/registration.ts'
import { checkKey } from '../authenticate.ts'
import { answerJson } from '../browser/session-answers.ts'
import type { HttpServices } from '../services.ts'

/**
 * `GET` and `POST /oauth2/userinfo` (OpenID Connect Core 1.0 §5.3): the claims about the person of an access token with
 * the scope `openid`. The token is checked against the store, so a session that has ended is refused at once.
 */
export async function answerUserinfo(services: HttpServices, request: Request): Promise<Response> {
  const { sessions } = services
  const values = viewOfRequest(request).values('authorization')
  const [bearer, dpop] = [readBearer(values), readDpopToken(values)]
  const reading = dpop.ok ? dpop : bearer
  if (!reading.ok) {
    return reading.code === 'token_missing' ? challenge(services, 401) : invalid(services)
  }
  const { token } = reading
  const inspected = await inspectAsGuard(sessions, token)
  if (!inspected.ok || inspected.kind !== 'access') return invalid(services)
  const { claims, username } = inspected
  if (username === undefined) return invalid(services)
  const unproven = await checkKey(sessions, request, { token, isDpop: dpop.ok }, claims)
  if (unproven !== undefined) return refuseKey(services, unproven)
  const scopes = claims.scope?.split(' ') ?? []
  if (!scopes.includes('openid')) {
    return challenge(services, 403, 'insufficient_scope', 'The token needs the scope openid.')
  }
  const { sub, client_id: clientId } = claims
  const wantsAccount = scopes.includes('email') && isOwnAccountId(sub)
  const account = wantsAccount ? await sessions.store.accounts.get(sub) : undefined
  const answer = answerJson(200, { sub, ...personClaims(scopes, username, account) })
  await letPagesRead(services, request, clientId, answer)
  return answer
}

/** A token that is bound to a key needs the proof of its holder (RFC 9449 §7). */
function refuseKey({ sessions }: HttpServices, refused: Refused): Response {
  const details = { dpopAlgorithms: sessions.dpop.algorithms }
  const { status, headers, body } = challengeFor(refused, sessions.access.issuer, details)
  return new Response(body, { status, headers })
}

/** A page of the application may read the answer: its origin is that of a redirect URI. */
async function letPagesRead(
  { sessions }: HttpServices,
  request: Request,
  clientId: string,
  answer: Response,
): Promise<void> {
  const origin = request.headers.get('origin')
  if (origin === null || origin === 'null') return
  const view = await sessions.store.sso.applications.view(clientId)
  const uris =
    view === undefined ? [] : readRegistration(view.application.registration).redirectUris
  if (!uris.some((uri) => URL.parse(uri)?.origin === origin)) return
  answer.headers.append('vary', 'Origin')
  answer.headers.set('access-control-allow-origin', origin)
}

function invalid(services: HttpServices): Response {
  return challenge(services, 401, 'invalid_token', 'The access token is not valid.')
}

function challenge(
  { sessions }: HttpServices,
  status: number,
  error?: string,
  description?: string,
): Response {
  const parts = [
    `Bearer realm="${sessions.access.issuer}"`,
    ...(error === undefined ? [] : [`error="${error}"`, `error_description="${description}"`]),
  ]
  const answer = answerJson(
    status,
    error === undefined ? {} : { error, error_description: description },
  )
  answer.headers.set('www-authenticate', parts.join(', '))
  return answer
}
