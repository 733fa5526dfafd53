import type { Membership } from '../store/rows.ts'
import type { SessionState } from '../store/refresh.ts'
import { permissionsOf } from '../store/tenant-rights.ts'
import type { SessionServices } from './services.ts'

/** The permissions of the account behind a session, and the tenants that it is a member of. */
export interface Profile {
  /** The permissions of its global roles, sorted and without duplicates. */
  readonly permissions: readonly string[]
  /** The permissions of its roles in the tenant that the session is in, which count nowhere else. */
  readonly tenantPermissions: readonly string[]
  /** The tenant that the session is in. */
  readonly tenant: Membership | undefined
  readonly tenants: readonly Membership[]
}

/** Reads the profile of a session's account. */
export async function readProfile(
  { store }: SessionServices,
  { account }: SessionState,
): Promise<Profile> {
  const [definitions, tenants] = await Promise.all([
    store.roles.list(),
    store.tenants.membershipsOf(account.id),
  ])
  return {
    permissions: permissionsOf(account.roles, definitions),
    tenantPermissions: permissionsOf(account.tenantRoles, definitions),
    tenant: tenants.find(({ tenantId }) => tenantId === account.tenantId),
    tenants,
  }
}
