import { isOwnAccountId } from '../../accounts/source.ts'
import { inspectAsGuard } from '../../sessions/inspect.ts'
import { readBearer, viewOfRequest } from '@countersign/guard'

import { personClaims } from '../../sso/scopes.ts'
import { readRegistration } from '../../sso/registration.ts'
import { answerJson } from '../browser/session-answers.ts'
import type { HttpServices } from '../services.ts'

/**
 * `GET` and `POST /oauth2/userinfo` (OpenID Connect Core 1.0 §5.3): the claims about the person of an access token with
 * the scope `openid`. The token is checked against the store, so a session that has ended is refused at once.
 */
export async function answerUserinfo(services: HttpServices, request: Request): Promise<Response> {
  const { sessions } = services
  const bearer = readBearer(viewOfRequest(request).values('authorization'))
  if (!bearer.ok) {
    return bearer.code === 'token_missing' ? challenge(services, 401) : invalid(services)
  }
  const inspected = await inspectAsGuard(sessions, bearer.token)
  if (!inspected.ok || inspected.kind !== 'access') return invalid(services)
  const { claims, username } = inspected
  // A token that is bound to a key needs a proof, which is not Bearer.
  if (username === undefined || claims['cnf'] !== undefined) return invalid(services)
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
