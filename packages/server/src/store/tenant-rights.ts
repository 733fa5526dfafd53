import { limits } from '../base/limits.ts'
import type { RoleDefinition } from './rows.ts'

/** The permission to invite, list and remove members of a tenant. */
export const TENANT_MEMBERS = 'tenant.members'
/** The permission to change the roles of members of a tenant. */
export const TENANT_ROLES = 'tenant.roles'

/** The permissions of people who manage a tenant. Global roles give them in every tenant. */
export type TenantPermission = typeof TENANT_MEMBERS | typeof TENANT_ROLES

/**
 * A person who manages a tenant. The store reads their roles in the step that depends on them, so an
 * administrator who was removed a moment ago changes nothing more.
 */
export interface TenantActor {
  readonly accountId: string
  /** Whether their session is in the tenant. Otherwise their roles in it do not count. */
  readonly isInTenant: boolean
}

/** Why a change of a tenant was refused. `unknown`: there is no such tenant, member or invitation. */
export type TenantRefusal =
  | 'unknown'
  | 'permission_missing'
  | 'role_forbidden'
  | 'roles_invalid'
  | 'member_protected'
  | 'last_administrator'
  | 'tenant_disabled'

/** The roles of a person that count in a tenant, and their permissions. */
export interface TenantRights {
  readonly roles: readonly string[]
  readonly permissions: readonly string[]
}

/** Returns the permissions of some roles, sorted and without duplicates. */
export function permissionsOf(
  roles: readonly string[],
  definitions: readonly RoleDefinition[],
): readonly string[] {
  const permissions = definitions
    .filter(({ name }) => roles.includes(name))
    .flatMap((role) => role.permissions)
  return [...new Set(permissions)].toSorted()
}

/**
 * Checks that a person may give all of these roles. Nobody gives more than they have: a role must be defined,
 * and the person must have all its permissions. A role without permissions is for services that check its name,
 * so only somebody who has the role may give it.
 */
export function checkGiving(
  roles: readonly string[],
  rights: TenantRights,
  definitions: readonly RoleDefinition[],
): 'role_forbidden' | undefined {
  const mayGive = (role: string): boolean => {
    const definition = definitions.find(({ name }) => name === role)
    if (definition === undefined) return false
    if (definition.permissions.length === 0) return rights.roles.includes(role)
    return hasAll(rights, definition.permissions)
  }
  return roles.every(mayGive) ? undefined : 'role_forbidden'
}

/**
 * Decides whether a person may change the roles of a member, or remove the member. Pure.
 *
 * Whoever has fewer permissions than the member may not touch the member. Otherwise somebody who may only
 * manage members could remove the owner. Whoever is the last one with a permission to manage the tenant keeps
 * it, because afterwards only an operator could give it back.
 */
export function decideMemberChange({
  before,
  after,
  rights,
  definitions,
  heldByOthers,
}: {
  /** The roles of the member. Undefined if the account is not a member. */
  readonly before: readonly string[] | undefined
  /** The new roles. Undefined: the membership ends. */
  readonly after: readonly string[] | undefined
  readonly rights: TenantRights
  readonly definitions: readonly RoleDefinition[]
  /** The permissions that another enabled member has. */
  readonly heldByOthers: readonly TenantPermission[]
}): TenantRefusal | undefined {
  const needed = after === undefined ? TENANT_MEMBERS : TENANT_ROLES
  if (!rights.permissions.includes(needed)) return 'permission_missing'
  if (before === undefined) return 'unknown'
  const had = permissionsOf(before, definitions)
  if (!hasAll(rights, had)) return 'member_protected'
  const added = (after ?? []).filter((role) => !before.includes(role))
  const forbidden = checkGiving(added, rights, definitions)
  if (forbidden !== undefined) return forbidden
  const keeps = permissionsOf(after ?? [], definitions)
  const isLast = ([TENANT_MEMBERS, TENANT_ROLES] as const).some(
    (each) => had.includes(each) && !keeps.includes(each) && !heldByOthers.includes(each),
  )
  return isLast ? 'last_administrator' : undefined
}

function hasAll({ permissions }: TenantRights, needed: readonly string[]): boolean {
  return needed.every((each) => permissions.includes(each))
}

/**
 * Whether these global roles and roles in a tenant are too many or too long for a token, which carries both
 * lists. A role that is in both lists is in the token twice.
 */
export function areTooManyRoles(
  roles: readonly string[],
  tenantRoles: readonly string[],
): 'number' | 'length' | undefined {
  if (new Set([...roles, ...tenantRoles]).size > limits.rolesMax) return 'number'
  const lists = [...new Set(roles), ...new Set(tenantRoles)]
  return JSON.stringify(lists).length > limits.rolesBytesMax ? 'length' : undefined
}
