import { endByRefreshToken } from '../../sessions/end.ts'
import { inspectToken, type Inspected } from '../../sessions/inspect.ts'
import type { Caller, Refusal, SessionServices } from '../../sessions/services.ts'
import { countTry } from '../../sessions/sign-in.ts'
import type { Client } from '../../store/rows.ts'
import { answerTokenRefusal } from './answers.ts'
import { readTokenRequest, refuseClientWith } from './client-request.ts'

/** How many of its own tokens a service account may take back at once, and then one in each interval. */
const OWN_RATE = { triesMax: 100, intervalMs: 1_000 } as const

/** The client of log-ins without one. */
const FIRST_PARTY = 'first-party'

/**
 * `POST /oauth2/revoke` (RFC 7009): a refresh token ends its session, an access token is taken back alone.
 * 200 too for what is no good token (§2.2). A service account may do so with its own tokens, and, unless
 * it is bound to a tenant, with those of log-ins without a client: it shows the token itself.
 */
export async function answerRevoke(
  services: SessionServices,
  request: Request,
  caller: Caller,
): Promise<Response> {
  const asked = await readTokenRequest(services, request, caller)
  if (!asked.ok) return asked.response
  const token = await inspectToken(services, asked.token)
  if (token.ok) {
    if (!mayRevoke(asked.client, token)) return answerForeign(asked.client)
    const throttled = await countOwn(services, token, asked.client)
    if (throttled !== undefined) return refuseClientWith(services, throttled)
    await revokeFor(services, asked.token, token, asked.client, caller)
  } else if (asked.client.tenantId === undefined) {
    // An old copy of a refresh token that still lives ends its session too, as at a log-out.
    await endByRefreshToken(services, asked.token, caller)
  }
  return answerDone()
}

/** A service account of a tenant cannot tell a token of others that lives from none: introspection shows neither. */
function answerForeign({ tenantId }: Client): Response {
  return tenantId === undefined ? answerTokenRefusal('token_of_another') : answerDone()
}

function answerDone(): Response {
  return new Response(null, { status: 200, headers: { 'cache-control': 'no-store' } })
}

function mayRevoke({ id, tenantId }: Client, token: Inspected): boolean {
  const owner = token.kind === 'access' ? token.claims.client_id : token.state.session.clientId
  return owner === id || (owner === FIRST_PARTY && tenantId === undefined)
}

/**
 * Each is an entry that the log keeps and every guard gets, and a service account has its own tokens for the asking.
 * Those of people are not counted: a gateway that logs many out at once must not wait.
 */
async function countOwn(
  services: SessionServices,
  token: Inspected,
  { id }: Client,
): Promise<Refusal | undefined> {
  const isOwn = token.kind === 'access' && token.claims.sub === id
  return isOwn ? countTry(services, [{ key: `revoke:${id}`, ...OWN_RATE }]) : undefined
}

async function revokeFor(
  services: SessionServices,
  text: string,
  token: Inspected,
  client: Client,
  caller: Caller,
): Promise<void> {
  if (token.kind === 'refresh') {
    await endByRefreshToken(services, text, caller)
    return
  }
  const origin = { at: services.clock.nowMs(), actor: client.id, address: caller.address }
  await services.store.revocations.revokeToken(token.claims.jti, token.claims.sub, origin)
}
