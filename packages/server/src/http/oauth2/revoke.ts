import { revokeByClient } from '../../sessions/revoke-token.ts'
import type { Caller, SessionServices } from '../../sessions/services.ts'
import type { Client } from '../../store/rows.ts'
import { withoutRevocation } from '../effective.ts'
import { refuseClientWith } from './client-request.ts'

/** `POST /oauth2/revoke` (RFC 7009). The answer is also 200 for a token that is not valid (§2.2). */
export async function answerRevoke(
  services: SessionServices,
  client: Client,
  token: string,
  caller: Caller,
): Promise<Response> {
  const revoked = await revokeByClient(services, client, token, caller)
  if (!revoked.ok) return refuseClientWith(services, revoked)
  const answer = new Response(null, { status: 200, headers: { 'cache-control': 'no-store' } })
  return revoked.hasRevoked ? answer : withoutRevocation(answer)
}
