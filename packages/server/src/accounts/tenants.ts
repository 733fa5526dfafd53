import type { Clock } from '../base/clock.ts'
import { limits } from '../base/limits.ts'
import { assertOptions } from '../base/options.ts'
import { randomId, type Random } from '../base/random.ts'
import type { Account, Member, Membership, RoleDefinition, Tenant } from '../store/rows.ts'
import type { AuditContext } from '../store/audit-context.ts'
import type { Change } from '../store/change.ts'
import type { Store } from '../store/store.ts'
import {
  createInvitationMethods,
  type InvitationMethods,
  type WriteInvitation,
} from './invitations.ts'
import { no, unknown, yes, type Managed } from './managed.ts'
import { checkRoles } from './role-names.ts'
import { usernameKey } from './usernames.ts'

/**
 * Manages tenants and their members, for operators and embedding applications. `by` is the actor in the
 * audit.
 */
export interface TenantManager extends InvitationMethods {
  /** Creates a tenant. Its name has 1 to 64 of `a-z 0-9 -`. */
  create(name: string, by: string): Promise<Managed<Tenant>>
  /** Lists all tenants, by name. */
  list(): Promise<readonly Tenant[]>
  /** Ends all sessions in the tenant. Nobody can log in to it until it is enabled. */
  disable(name: string, by: string): Promise<Managed<Change>>
  /** Lets members log in to the tenant again. Ended sessions stay ended. */
  enable(name: string, by: string): Promise<Managed<Change>>
  /**
   * Makes an account a member with exactly these roles. They count only in that tenant, while the session is in
   * it. The first membership becomes the account's default tenant.
   */
  setMember(
    input: { username: string; tenant: string; roles: readonly string[] },
    by: string,
  ): Promise<Managed<Change>>
  /** Ends the membership. */
  removeMember(input: { username: string; tenant: string }, by: string): Promise<Managed<Change>>
  /** Sets the tenant of logins that do not name one. The account must be a member of it. */
  setDefault(input: { username: string; tenant: string }, by: string): Promise<Managed<Change>>
  /** Lists the memberships of an account in enabled tenants, by name. */
  membershipsOf(username: string): Promise<Managed<readonly Membership[]>>
  /** Lists up to `limit` members of a tenant, by username, also of a disabled tenant. */
  members(name: string, limit: number): Promise<Managed<readonly Member[]>>
}

/**
 * Manages the permissions of roles. Tokens carry only roles. Guards get the permissions over the revocation
 * feed.
 */
export interface RoleManager {
  /** Lists all role definitions. */
  list(): Promise<readonly RoleDefinition[]>
  /** Replaces the permissions of a role with exactly these. */
  define(role: RoleDefinition, by: string): Promise<Managed<Change>>
}

const MEMBER_OPTIONS: readonly string[] = ['username', 'tenant']

/** Dependencies of the tenant manager. */
export interface TenantManagerOptions {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  /** Undefined if the server sends no mail, or the application keeps the accounts. */
  readonly writeInvitation?: WriteInvitation | undefined
}

/** Creates the manager of tenants. */
export function createTenantManager({
  store,
  clock,
  random,
  writeInvitation,
}: TenantManagerOptions): TenantManager {
  // Over 70 lines, and not split: it only lists short methods that share these helpers.
  const auditBy = (by: string): AuditContext => ({ at: clock.nowMs(), actor: by })

  async function withTenant<Value>(
    name: string,
    act: (tenant: Tenant) => Promise<Managed<Value>>,
  ): Promise<Managed<Value>> {
    const tenant = await store.tenants.find(name)
    return tenant === undefined
      ? no('tenant_unknown', `There is no tenant "${name}".`)
      : act(tenant)
  }

  async function withMember(
    { username, tenant }: { username: string; tenant: string },
    act: (account: Account, tenant: Tenant) => Promise<Managed<Change>>,
  ): Promise<Managed<Change>> {
    const account = await store.accounts.find(usernameKey(username))
    if (account === undefined) return unknown(username)
    return withTenant(tenant, (found) => act(account, found))
  }

  return {
    ...createInvitationMethods({ store, clock }, writeInvitation, withTenant),

    async create(name, by) {
      if (!/^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/.test(name)) {
        return no(
          'tenant_name_invalid',
          'The name of a tenant has 1 to 64 of a-z, 0-9 and "-", and no "-" at its ends.',
        )
      }
      const tenant: Tenant = {
        id: `ten_${randomId(random)}`,
        name,
        disabledAt: undefined,
        hardPosition: 0,
        createdAt: clock.nowMs(),
      }
      const created = await store.tenants.create(tenant, auditBy(by))
      return created === 'taken'
        ? no('tenant_taken', `There is a tenant "${name}" already.`)
        : yes(tenant)
    },

    list: () => store.tenants.list(),

    disable: (name, by) =>
      withTenant(name, async ({ id }) => yes(await store.tenants.disable(id, auditBy(by)))),

    enable: (name, by) =>
      withTenant(name, async ({ id }) => yes(await store.tenants.enable(id, auditBy(by)))),

    async setMember(input, by) {
      assertOptions('tenants.setMember', input, [...MEMBER_OPTIONS, 'roles'])
      const { roles } = input
      return withMember(input, async (account, tenant) => {
        // A token in the tenant carries the global roles and the roles in the tenant.
        const problem = checkRoles(account.roles, roles)
        if (problem !== undefined) return { ok: false, ...problem }
        const sorted = [...new Set(roles)].toSorted()
        return yes(await store.tenants.setMember(account.id, tenant.id, sorted, auditBy(by)))
      })
    },

    async removeMember(input, by) {
      assertOptions('tenants.removeMember', input, MEMBER_OPTIONS)
      return withMember(input, async (account, tenant) =>
        yes(await store.tenants.removeMember(account.id, tenant.id, auditBy(by))),
      )
    },

    async setDefault(input, by) {
      assertOptions('tenants.setDefault', input, MEMBER_OPTIONS)
      return withMember(input, async (account, tenant) => {
        const change = await store.tenants.setDefault(account.id, tenant.id, auditBy(by))
        return change === 'unknown'
          ? no(
              'member_unknown',
              `The account "${input.username}" is not a member of "${input.tenant}".`,
            )
          : yes(change)
      })
    },

    async membershipsOf(username) {
      const account = await store.accounts.find(usernameKey(username))
      return account === undefined
        ? unknown(username)
        : yes(await store.tenants.membershipsOf(account.id))
    },

    members: (name, limit) =>
      withTenant(name, async ({ id }) => yes(await store.tenants.membersOf(id, limit))),
  }
}

/** Creates the manager of role definitions. */
export function createRoleManager({
  store,
  clock,
}: Pick<TenantManagerOptions, 'store' | 'clock'>): RoleManager {
  return {
    list: () => store.roles.list(),

    async define(role, by) {
      assertOptions('roles.define', role, ['name', 'permissions'])
      const { name, permissions } = role
      const problem = checkRoles([name]) ?? checkPermissions(permissions)
      if (problem !== undefined) return { ok: false, ...problem }
      const sorted = [...new Set(permissions)].toSorted()
      const context = { at: clock.nowMs(), actor: by }
      return yes(await store.roles.define({ name, permissions: sorted }, context))
    },
  }
}

function checkPermissions(
  permissions: readonly string[],
): { readonly code: 'permissions_invalid'; readonly text: string } | undefined {
  const code = 'permissions_invalid'
  if (permissions.length > limits.permissionsMax) {
    return { code, text: `A role has at most ${limits.permissionsMax} permissions.` }
  }
  const isFine = (each: string): boolean =>
    each.length <= limits.roleCharsMax && /^[A-Za-z0-9*][A-Za-z0-9_.:/*-]*$/.test(each)
  if (permissions.every(isFine)) return undefined
  const text = `A permission has at most ${limits.roleCharsMax} characters, of letters, digits and "_", ".", ":", "/", "*", "-".`
  return { code, text }
}
