import { endByRefreshToken } from '../../sessions/end.ts'
import { inspectToken, type Inspected } from '../../sessions/inspect.ts'
import type { Caller, SessionParts } from '../../sessions/parts.ts'
import type { Client } from '../../store/rows.ts'
import { answerTokenRefusal } from './answers.ts'
import { readTokenRequest } from './client-request.ts'

/** The client of log-ins without one. */
const FIRST_PARTY = 'first-party'

/**
 * `POST /oauth2/revoke` (RFC 7009): a refresh token ends its session, an access token is taken back alone.
 * 200 too for what is no good token (§2.2). A service account may do so with its own tokens, and, unless
 * it is bound to a tenant, with those of log-ins without a client: it shows the token itself.
 */
export async function answerRevoke(
  parts: SessionParts,
  request: Request,
  caller: Caller,
): Promise<Response> {
  const asked = await readTokenRequest(parts, request, caller)
  if (!asked.ok) return asked.response
  const token = await inspectToken(parts, asked.token)
  if (token.ok) {
    if (!mayRevoke(asked.client, token)) return answerTokenRefusal('token_of_another')
    await takeBack(parts, asked.token, token, asked.client, caller)
  } else if (asked.client.tenantId === undefined) {
    // An old copy of a refresh token that still lives ends its session too, as at a log-out.
    await endByRefreshToken(parts, asked.token, caller)
  }
  return new Response(null, { status: 200, headers: { 'cache-control': 'no-store' } })
}

function mayRevoke({ id, tenantId }: Client, token: Inspected): boolean {
  const owner = token.kind === 'access' ? token.claims.client_id : token.state.session.clientId
  return owner === id || (owner === FIRST_PARTY && tenantId === undefined)
}

async function takeBack(
  parts: SessionParts,
  text: string,
  token: Inspected,
  client: Client,
  caller: Caller,
): Promise<void> {
  if (token.kind === 'refresh') {
    await endByRefreshToken(parts, text, caller)
    return
  }
  const origin = { at: parts.clock.nowMs(), actor: client.id, address: caller.address }
  await parts.store.revocations.takeBackToken(token.claims.jti, token.claims.sub, origin)
}
