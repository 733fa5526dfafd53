import type { Session } from './session.ts'

/** The roles and permissions that a person needs to see a part of a page. The rules are those of the guard. */
export interface Requirement {
  /** The account must have one of these roles. Only global roles count, unless there is a `tenant`. */
  readonly roles?: readonly string[]
  /** The account must have all of these permissions, from the roles that count. */
  readonly permissions?: readonly string[]
  /** The name or id of the tenant that the session must be in. `*`: any tenant. Its roles then count, too. */
  readonly tenant?: string
}

/** Whether the person who is logged in meets a requirement. Nobody meets one without a session. Pure. */
export function isAuthorized(
  session: Session | null | undefined,
  { roles, permissions = [], tenant }: Requirement,
): boolean {
  if (!session) return false
  const isThere =
    tenant === undefined ||
    (session.tenant !== null && ['*', session.tenant.id, session.tenant.name].includes(tenant))
  const held = (own: readonly string[], inTenant: readonly string[] = []): Set<string> =>
    new Set(tenant === undefined ? own : [...own, ...inTenant])
  const heldRoles = held(session.roles, session.tenant_roles)
  const heldPermissions = held(session.permissions, session.tenant_permissions)
  return (
    isThere &&
    (roles === undefined || roles.some((role) => heldRoles.has(role))) &&
    permissions.every((permission) => heldPermissions.has(permission))
  )
}
