import { grantToClient, type ClientCredentials } from '../../sessions/client-credentials.ts'
import type { Caller, SessionServices } from '../../sessions/services.ts'
import { answerTokenJson } from './answers.ts'
import { refuseClientWith } from './client-request.ts'

/** `POST /oauth2/token`: an access token for a service account (RFC 6749 §4.4). */
export async function answerToken(
  services: SessionServices,
  credentials: ClientCredentials,
  caller: Caller,
): Promise<Response> {
  const granted = await grantToClient(services, credentials, caller)
  if (!granted.ok) return refuseClientWith(services, granted)
  return answerTokenJson(200, {
    access_token: granted.access,
    token_type: 'Bearer',
    expires_in: granted.expiresInSec,
  })
}
