import { checkRoles } from '../accounts/role-names.ts'
import { limits } from '../base/limits.ts'
import type { InvitationSummary } from '../store/invitations.ts'
import type { Member, Tenant } from '../store/rows.ts'
import type { TenantActor, TenantPermission, TenantRefusal } from '../store/tenant-rights.ts'
import { auditContextOf, type CurrentSession } from './own-sessions.ts'
import { readProfile } from './profile.ts'
import { refuse, type Caller, type Refusal, type SessionServices } from './services.ts'

/** A tenant that the person of a session manages. */
export interface ManagedTenant {
  readonly tenant: Tenant
  readonly actor: TenantActor
  /** The username of the person. */
  readonly username: string
}

/** Why a person may not do something in a tenant. The guard has the answer for a missing permission. */
export type TenantRefused = Refusal | { readonly ok: false; readonly code: 'permission_missing' }

/**
 * Finds a tenant by its name or id for a person who has the permission: through a global role, or through a
 * role in that tenant if the session is in it. For anybody else, a tenant of others looks like an unknown one.
 */
export async function findManagedTenant(
  services: SessionServices,
  { state }: CurrentSession,
  nameOrId: string,
  permission: TenantPermission,
): Promise<{ readonly ok: true; readonly managed: ManagedTenant } | TenantRefused> {
  const { tenants } = services.store
  // Only ids contain "_".
  const tenant = await (nameOrId.includes('_') ? tenants.get(nameOrId) : tenants.find(nameOrId))
  const { account, username } = state
  const profile = await readProfile(services, state)
  const isInTenant = tenant !== undefined && profile.tenant?.tenantId === tenant.id
  const isGlobal = profile.permissions.includes(permission)
  if (tenant === undefined || !(isInTenant || isGlobal)) return refuse('not_found')
  if (!isGlobal && !profile.tenantPermissions.includes(permission)) {
    return { ok: false, code: 'permission_missing' }
  }
  if (tenant.disabledAt !== undefined) return refuse('tenant_disabled')
  const actor = { accountId: account.id, isInTenant }
  return { ok: true, managed: { tenant, actor, username } }
}

/** Lists the members of a tenant, by username, at most `limits.membersListedMax`. */
export async function listMembers(
  { store }: SessionServices,
  { tenant }: ManagedTenant,
): Promise<readonly Member[]> {
  return store.tenants.membersOf(tenant.id, limits.membersListedMax)
}

/** Sets the roles of a member to exactly these, or ends the membership without `roles`. */
export async function changeMember(
  services: SessionServices,
  { tenant, actor }: ManagedTenant,
  { sub, roles }: { readonly sub: string; readonly roles: readonly string[] | undefined },
  caller: Caller,
): Promise<{ readonly ok: true; readonly hasRevoked: boolean } | TenantRefused> {
  const problem = checkRoles([], roles ?? [])
  if (problem !== undefined) return { ok: false, code: problem.code, text: problem.text }
  const change = await services.store.tenants.changeMember(
    {
      accountId: sub,
      tenantId: tenant.id,
      roles: roles && [...new Set(roles)].toSorted(),
    },
    actor,
    auditContextOf(services, actor.accountId, caller),
  )
  if (change === 'changed' || change === 'unchanged') {
    return { ok: true, hasRevoked: change === 'changed' }
  }
  return tenantRefusal(change)
}

/** The refusal of a request that the store refused. */
export function tenantRefusal(refusal: TenantRefusal): TenantRefused {
  if (refusal === 'permission_missing') return { ok: false, code: refusal }
  return refuse(refusal === 'unknown' ? 'not_found' : refusal)
}

/** Lists the open invitations of a tenant, the newest first, at most `limits.membersListedMax`. */
export async function listInvitations(
  { store }: SessionServices,
  { tenant }: ManagedTenant,
): Promise<readonly InvitationSummary[]> {
  return store.invitations.list(tenant.id, limits.membersListedMax)
}

/** Withdraws an open invitation of a tenant. */
export async function withdrawInvitation(
  services: SessionServices,
  { tenant, actor }: ManagedTenant,
  id: string,
  caller: Caller,
): Promise<{ readonly ok: true } | TenantRefused> {
  const context = auditContextOf(services, actor.accountId, caller)
  const { invitations } = services.store
  const change = await invitations.withdraw({ id, tenantId: tenant.id }, actor, context)
  return change === 'changed' ? { ok: true } : tenantRefusal(change)
}
