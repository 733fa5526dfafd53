import type { Client } from '../store/rows.ts'
import { countTry } from './count-try.ts'
import { endByRefreshToken } from './end.ts'
import { inspectToken, type Inspected } from './inspect.ts'
import type { Revoking } from './own-sessions.ts'
import { refuse, type Caller, type Refusal, type SessionServices } from './services.ts'

// A service account may revoke this many of its own access tokens at once, and then one in each interval.
const OWN_RATE = { triesMax: 100, intervalMs: 1_000 } as const

/** The `client_id` of logins without a client. */
const FIRST_PARTY = 'first-party'

/**
 * Revokes a token for a service account (RFC 7009). A refresh token ends its session. An access token is
 * revoked without its session. Succeeds for a token that is not valid (RFC 7009 §2.2).
 *
 * A service account may revoke its own tokens. Unless it is bound to a tenant, it may also revoke tokens of
 * logins without a client, because it presents the token itself. For any other token it gets
 * `token_of_another`. A service account of a tenant gets success instead, and nothing is revoked. Otherwise
 * it could find out which tokens of other tenants are valid.
 */
export async function revokeByClient(
  services: SessionServices,
  client: Client,
  token: string,
  caller: Caller,
): Promise<Revoking | Refusal> {
  const inspected = await inspectToken(services, token)
  if (!inspected.ok) {
    // An old copy of a live session's refresh token ends the session too, as at a logout.
    return client.tenantId === undefined ? endSession(services, token, caller) : REVOKED_NOTHING
  }
  if (!mayRevoke(client, inspected)) {
    return client.tenantId === undefined ? refuse('token_of_another') : REVOKED_NOTHING
  }
  const throttled = await countOwn(services, inspected, client)
  if (throttled !== undefined) return throttled
  if (inspected.kind === 'refresh') return endSession(services, token, caller)
  const { jti, sub } = inspected.claims
  const context = { at: services.clock.nowMs(), actor: client.id, address: caller.address }
  const change = await services.store.revocations.revokeToken(jti, sub, context)
  return { ok: true, hasRevoked: change === 'changed' }
}

const REVOKED_NOTHING: Revoking = { ok: true, hasRevoked: false }

async function endSession(
  services: SessionServices,
  token: string,
  caller: Caller,
): Promise<Revoking> {
  const ended = await endByRefreshToken(services, token, caller)
  return { ok: true, hasRevoked: ended.ok }
}

function mayRevoke({ id, tenantId }: Client, token: Inspected): boolean {
  const owner = token.kind === 'access' ? token.claims.client_id : token.state.session.clientId
  return owner === id || (owner === FIRST_PARTY && tenantId === undefined)
}

/**
 * Limits how fast a service account revokes its own tokens. Each revocation is an entry that the log keeps
 * and every guard receives, and a service account can get any number of tokens. Tokens of people are not
 * counted, because a gateway that logs out many people at once must not wait.
 */
async function countOwn(
  services: SessionServices,
  token: Inspected,
  { id }: Client,
): Promise<Refusal | undefined> {
  const isOwn = token.kind === 'access' && token.claims.sub === id
  return isOwn ? countTry(services, [{ key: `revoke:${id}`, ...OWN_RATE }]) : undefined
}
