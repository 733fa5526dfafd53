import { grantToClient } from '../../sessions/client-credentials.ts'
import type { Caller, SessionServices } from '../../sessions/services.ts'
import { answerTokenJson, answerTokenRefusal } from './answers.ts'
import { readClientAuth } from './client-auth.ts'
import { readParameters, refuseClientWith } from './client-request.ts'

/**
 * `POST /oauth2/token`: an access token for a service account (RFC 6749 §4.4). What is wrong with the
 * request is said before anybody is asked who they are.
 */
export async function answerToken(
  services: SessionServices,
  request: Request,
  caller: Caller,
): Promise<Response> {
  const form = await readParameters(request)
  if (!form.ok) return form.response
  const { parameter } = form

  const grantType = parameter('grant_type')
  if (grantType === undefined) return answerTokenRefusal('grant_type_missing')
  if (grantType !== 'client_credentials') return answerTokenRefusal('grant_type_unsupported')
  if (parameter('scope') !== undefined) return answerTokenRefusal('scope_invalid')

  const auth = readClientAuth(request.headers.get('authorization'), {
    clientId: parameter('client_id'),
    secret: parameter('client_secret'),
  })
  if (!auth.ok) return refuseClientWith(services, auth)
  const granted = await grantToClient(services, auth.credentials, caller)
  if (!granted.ok) return refuseClientWith(services, granted)
  return answerTokenJson(200, {
    access_token: granted.access,
    token_type: 'Bearer',
    expires_in: granted.expiresInSec,
  })
}
