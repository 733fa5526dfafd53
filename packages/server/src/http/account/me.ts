import { isOwnAccountId } from '../../accounts/source.ts'
import { readProfile } from '../../sessions/profile.ts'
import type { SessionServices } from '../../sessions/services.ts'
import type { SessionState } from '../../store/refresh.ts'
import { answerJson } from '../browser/session-answers.ts'

/** `GET /auth/me`: the account behind the access token, with its current roles and permissions. */
export async function answerMe(services: SessionServices, state: SessionState): Promise<Response> {
  return answerJson(200, await describeAccount(services, state))
}

/** Describes the account of a session, as in the schema `me`, with its current roles and permissions. */
export async function describeAccount(
  services: SessionServices,
  state: SessionState,
): Promise<Record<string, unknown>> {
  const { session, account, username } = state
  const own = isOwnAccountId(account.id) ? await services.store.accounts.get(account.id) : undefined
  const { permissions, tenantPermissions, tenant, tenants } = await readProfile(services, state)
  return {
    sub: account.id,
    username,
    ...(own?.email === undefined
      ? {}
      : { email: own.email.address, email_verified: own.email.verifiedAt !== undefined }),
    user_id: account.userId,
    roles: account.roles,
    permissions,
    ...(tenant === undefined
      ? {}
      : { tenant_roles: account.tenantRoles, tenant_permissions: tenantPermissions }),
    tenant: tenant === undefined ? null : { id: tenant.tenantId, name: tenant.tenantName },
    tenants: tenants.map(({ tenantId, tenantName }) => ({ id: tenantId, name: tenantName })),
    sid: session.id,
    auth_time: Math.floor(session.authenticatedAt / 1000),
    amr: session.amr,
    ...(session.acr === undefined ? {} : { acr: session.acr }),
  }
}
