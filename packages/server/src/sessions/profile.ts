import type { Membership } from '../store/rows.ts'
import type { SessionState } from '../store/refresh.ts'
import type { SessionServices } from './services.ts'

/** The permissions of the account behind a session, and the tenants that it is a member of. */
export interface Profile {
  /** The permissions of all its roles, sorted and without duplicates. */
  readonly permissions: readonly string[]
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
  const held: ReadonlySet<string> = new Set(account.roles)
  const permissions = definitions
    .filter(({ name }) => held.has(name))
    .flatMap((role) => role.permissions)
  return {
    permissions: [...new Set(permissions)].toSorted(),
    tenant: tenants.find(({ tenantId }) => tenantId === account.tenantId),
    tenants,
  }
}
