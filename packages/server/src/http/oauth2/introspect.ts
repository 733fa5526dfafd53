import { inspectForClient, type Inspected } from '../../sessions/inspect.ts'
import type { Caller, SessionServices } from '../../sessions/services.ts'
import { answerTokenJson } from './answers.ts'
import { readTokenRequest } from './client-request.ts'

/**
 * `POST /oauth2/introspect` (RFC 7662): what the authority says of a token now, for services that hold no
 * copy of the revocation log. Of a token that is not good it says that alone, and not why (§2.2). A
 * service account that is bound to a tenant hears of tokens of that tenant only.
 */
export async function answerIntrospect(
  services: SessionServices,
  request: Request,
  caller: Caller,
): Promise<Response> {
  const asked = await readTokenRequest(services, request, caller)
  if (!asked.ok) return asked.response
  const token = await inspectForClient(services, asked.client, asked.token)
  return answerTokenJson(200, token.ok ? describe(services, token) : { active: false })
}

function describe({ access }: SessionServices, token: Inspected): object {
  if (token.kind === 'access') {
    const { claims, username } = token
    const { csh: _, ...shown } = claims
    return {
      ...shown,
      // After the claims: an application may have added some of these names.
      active: true,
      token_type: 'Bearer',
      ...(username === undefined ? {} : { username }),
    }
  }
  const { sub, sid, iat, exp, jti } = token.claims
  const { session, username } = token.state
  const client = { client_id: session.clientId }
  return { active: true, iss: access.issuer, sub, sid, iat, exp, jti, ...client, username }
}
