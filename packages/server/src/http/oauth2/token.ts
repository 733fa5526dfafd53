import { grantToClient } from '../../sessions/client-credentials.ts'
import type { Caller, Refusal, SessionParts } from '../../sessions/parts.ts'
import { readForm } from '../body.ts'
import { answerTokenJson, answerTokenRefusal } from './answers.ts'
import { readClientAuth } from './client-auth.ts'

/**
 * `POST /oauth2/token`: an access token for a service account (RFC 6749 §4.4). What is wrong with the
 * request is said before anybody is asked who they are.
 */
export async function answerToken(
  parts: SessionParts,
  request: Request,
  caller: Caller,
): Promise<Response> {
  const body = await readForm(request)
  if (!body.ok) return answerTokenRefusal(body.code)
  // A parameter without a value counts as left out (§3.2), one that nobody knows is ignored.
  const parameter = (name: string): string | undefined => {
    const value = body.fields?.get(name)
    return typeof value === 'string' && value !== '' ? value : undefined
  }

  const grantType = parameter('grant_type')
  if (grantType === undefined) return answerTokenRefusal('grant_type_missing')
  if (grantType !== 'client_credentials') return answerTokenRefusal('grant_type_unsupported')
  if (parameter('scope') !== undefined) return answerTokenRefusal('scope_invalid')

  const auth = readClientAuth(request.headers.get('authorization'), {
    clientId: parameter('client_id'),
    secret: parameter('client_secret'),
  })
  if (!auth.ok) return refuseWith(parts, auth)
  const granted = await grantToClient(parts, auth.credentials, caller)
  if (!granted.ok) return refuseWith(parts, granted)
  return answerTokenJson(200, {
    access_token: granted.access,
    token_type: 'Bearer',
    expires_in: granted.expiresInSec,
  })
}

function refuseWith({ access }: SessionParts, { code, retryAfterSec }: Refusal): Response {
  return answerTokenRefusal(code, {
    ...(retryAfterSec === undefined ? {} : { 'retry-after': String(retryAfterSec) }),
    // On every 401 (RFC 9110 §15.5.2), not only where the header was used (RFC 6749 §5.2).
    ...(code === 'client_invalid'
      ? { 'www-authenticate': `Basic realm="${access.issuer}", charset="UTF-8"` }
      : {}),
  })
}
