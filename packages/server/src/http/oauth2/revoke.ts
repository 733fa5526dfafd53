import { revokeByClient } from '../../sessions/revoke-token.ts'
import type { Caller, SessionServices } from '../../sessions/services.ts'
import { readTokenRequest, refuseClientWith } from './client-request.ts'

/** `POST /oauth2/revoke` (RFC 7009). The answer is 200 for a token that is not valid, too (§2.2). */
export async function answerRevoke(
  services: SessionServices,
  request: Request,
  caller: Caller,
): Promise<Response> {
  const asked = await readTokenRequest(services, request, caller)
  if (!asked.ok) return asked.response
  const revoked = await revokeByClient(services, asked.client, asked.token, caller)
  return revoked.ok
    ? new Response(null, { status: 200, headers: { 'cache-control': 'no-store' } })
    : refuseClientWith(services, revoked)
}
