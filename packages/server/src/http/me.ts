import type { SessionServices } from '../sessions/services.ts'
import type { SessionState } from '../store/refresh.ts'
import { answerJson } from './browser/session-answers.ts'

/** `GET /auth/me`: who the access token's account is now, and what it may do. */
export async function answerMe(
  { store }: SessionServices,
  { session, account, username }: SessionState,
): Promise<Response> {
  const [definitions, memberships] = await Promise.all([
    store.roles.list(),
    store.tenants.membershipsOf(account.id),
  ])
  const held: ReadonlySet<string> = new Set(account.roles)
  const permissions = definitions
    .filter(({ name }) => held.has(name))
    .flatMap((role) => role.permissions)
  const current = memberships.find(({ tenantId }) => tenantId === account.tenantId)
  return answerJson(200, {
    sub: account.id,
    username,
    user_id: account.userId,
    roles: account.roles,
    permissions: [...new Set(permissions)].toSorted(),
    tenant: current === undefined ? null : { id: current.tenantId, name: current.tenantName },
    tenants: memberships.map(({ tenantId, tenantName }) => ({ id: tenantId, name: tenantName })),
    sid: session.id,
    auth_time: Math.floor(session.createdAt / 1000),
  })
}
