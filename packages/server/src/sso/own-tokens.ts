import type { AccessTokenClaims } from '@countersign/guard'

import { toEpochSec } from '../base/clock.ts'
import { inspectAsGuard, inspectToken } from '../sessions/inspect.ts'
import type { Revoking } from '../sessions/own-sessions.ts'
import type { Caller, SessionServices } from '../sessions/services.ts'
import { decideGeneration, isChainOver } from '../store/decide-generation.ts'
import { whyOver } from '../store/standing.ts'
import { isGenuineRefresh, readRefreshValue } from './refresh-value.ts'

/** A live token of an application: the claims of an access token, or what is known about a refresh token. */
export type OwnToken =
  | {
      readonly kind: 'access'
      readonly claims: AccessTokenClaims
      readonly username: string | undefined
    }
  | { readonly kind: 'refresh'; readonly claims: Readonly<Record<string, unknown>> }

/**
 * Revokes a token of an application (RFC 7009 §2.1). A refresh token ends its grant, with all tokens that came from it.
 * An access token is revoked alone. A token of anybody else counts as one that is not valid: nothing happens.
 */
export async function revokeOwnToken(
  services: SessionServices,
  applicationId: string,
  token: string,
  { address }: Caller,
): Promise<Revoking> {
  const { store } = services
  const context = { at: store.clock.nowMs(), actor: applicationId, address }
  const found = await findChain(services, applicationId, token)
  if (found !== undefined) {
    const change = await store.sso.grants.revokeGrant(found.chain.grantId, context)
    return { ok: true, hasRevoked: change === 'changed' }
  }
  const inspected = await inspectToken(services, token)
  if (
    !inspected.ok ||
    inspected.kind !== 'access' ||
    inspected.claims.client_id !== applicationId
  ) {
    return { ok: true, hasRevoked: false }
  }
  const { jti, sub } = inspected.claims
  const change = await store.revocations.revokeToken(jti, sub, context)
  return { ok: true, hasRevoked: change === 'changed' }
}

/** Returns a live token of an application. Undefined for any other token: the application may not know more. */
export async function inspectOwnToken(
  services: SessionServices,
  applicationId: string,
  token: string,
): Promise<OwnToken | undefined> {
  const refresh = await inspectRefresh(services, applicationId, token)
  if (refresh !== undefined) return refresh
  const inspected = await inspectAsGuard(services, token)
  return inspected.ok && inspected.kind === 'access' && inspected.claims.client_id === applicationId
    ? { kind: 'access', claims: inspected.claims, username: inspected.username }
    : undefined
}

async function inspectRefresh(
  services: SessionServices,
  applicationId: string,
  token: string,
): Promise<OwnToken | undefined> {
  const found = await findChain(services, applicationId, token)
  if (found?.session === undefined || whyOver(found.session) !== undefined) return undefined
  const { chain, session, generation } = found
  const now = services.store.clock.nowMs()
  const decision = decideGeneration(chain, generation, { ...services.rotation, now })
  if (isChainOver(chain, now) || decision === 'old' || decision === 'ahead') return undefined
  return {
    kind: 'refresh',
    claims: {
      iss: services.access.issuer,
      sub: session.account.id,
      client_id: applicationId,
      sid: chain.sessionId,
      iat: toEpochSec(chain.rotatedAt),
      exp: toEpochSec(Math.min(chain.expiresAt, chain.endsAt)),
      username: session.username,
    },
  }
}

/** Finds the row of a refresh token of this application. An old copy finds it too: whoever has it may revoke. */
async function findChain({ store }: SessionServices, applicationId: string, token: string) {
  const value = readRefreshValue(token)
  const read = value && (await store.sso.refreshes.read(value.chainId))
  if (value === undefined || read === undefined) return undefined
  const isOwn = read.chain.applicationId === applicationId && isGenuineRefresh(read.chain, value)
  return isOwn ? { ...read, generation: value.generation } : undefined
}
