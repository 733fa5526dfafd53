import { checkRoles } from '../accounts/role-names.ts'
import type { AuditContext } from '../store/audit-context.ts'
import type { Account } from '../store/rows.ts'
import type { Store } from '../store/store.ts'
import type { RoleRule, UpstreamProfile, UpstreamProvider } from './provider.ts'

/** The roles that a sign-in gives and takes. */
export interface RoleChanges {
  readonly add: readonly string[]
  readonly remove: readonly string[]
}

/**
 * Decides which roles change at a sign-in. Pure. The provider owns the roles of its map, and no other role: of these,
 * the account has exactly those of its groups afterwards.
 */
export function decideRoles(
  current: readonly string[],
  { map }: RoleRule,
  groups: readonly string[],
): RoleChanges {
  const owned = new Set(Object.values(map).flat())
  const due = new Set(
    groups.flatMap((group) => (Object.hasOwn(map, group) ? (map[group] ?? []) : [])),
  )
  return {
    add: [...due].filter((role) => !current.includes(role)),
    remove: current.filter((role) => owned.has(role) && !due.has(role)),
  }
}

/**
 * Gives an account the roles of its groups. The tokens of the account become stale if a role changes. Removes first, so
 * that a full list has room.
 */
export async function applyRoles(
  { accounts }: Store,
  account: Pick<Account, 'id' | 'roles'>,
  { roles: rule, name }: UpstreamProvider,
  { groups }: UpstreamProfile,
  context: Omit<AuditContext, 'actor'>,
): Promise<void> {
  if (rule === undefined) return
  const { add, remove } = decideRoles(account.roles, rule, groups)
  const by: AuditContext = { ...context, actor: `upstream:${name}` }
  for (const role of remove) await accounts.removeRole(account.id, role, by)
  const roles = account.roles.filter((role) => !remove.includes(role))
  for (const role of add) {
    // Too many roles would make tokens too long. The others count.
    if (checkRoles([...roles, role]) !== undefined) continue
    await accounts.addRole(account.id, role, by)
    roles.push(role)
  }
}
