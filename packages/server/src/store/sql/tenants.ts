import type { AuditEvent, RoleDefinition, Tenant } from '../rows.ts'
import type { AuditContext } from '../audit-context.ts'
import type { Change } from '../change.ts'
import type { TenantStore } from '../store.ts'
import {
  areTooManyRoles,
  decideMemberChange,
  TENANT_MEMBERS,
  TENANT_ROLES,
  type TenantActor,
  type TenantPermission,
  type TenantRefusal,
} from '../tenant-rights.ts'
import { findById } from './account-rows.ts'
import { auditChange } from './audit.ts'
import { columnsOf, toMember, toMembership } from './columns.ts'
import type { Database, Row, Transaction } from './database.ts'
import {
  hasOtherMember,
  putMember,
  readDefinitions,
  readRights,
  removeMember,
  rolesOfMember,
} from './membership-rows.ts'
import { appendRevocation } from './revocations.ts'

const tenants = columnsOf('tenants')

/** Tenants and memberships in SQL. It is not split, because it lists the methods of one interface. */
export function createTenantStore(db: Database): TenantStore {
  return {
    create: async (tenant, context) =>
      db.write(async (tx) => {
        const created = await tx.run(
          `INSERT INTO tenants (id, name, disabled_at, hard_position, created_at)
           VALUES (?, ?, NULL, 0, ?) ON CONFLICT (name) DO NOTHING`,
          tenant.id,
          tenant.name,
          tenant.createdAt,
        )
        if (created === 0) return 'taken'
        await audit(tx, 'tenant_created', context, tenant.id)
        return 'created'
      }),

    find: async (name) =>
      db.step(async (tx) => {
        const row = await tx.get('SELECT * FROM tenants WHERE name = ?', name)
        return row === undefined ? undefined : toTenant(row)
      }),

    get: async (tenantId) =>
      db.step(async (tx) => {
        const row = await tx.get('SELECT * FROM tenants WHERE id = ?', tenantId)
        return row === undefined ? undefined : toTenant(row)
      }),

    list: async () =>
      db.step(async (tx) => (await tx.all('SELECT * FROM tenants ORDER BY name')).map(toTenant)),

    disable: async (tenantId, context) =>
      db.write(async (tx) => {
        const changed = await tx.run(
          'UPDATE tenants SET disabled_at = ? WHERE id = ? AND disabled_at IS NULL',
          context.at,
          tenantId,
        )
        if (changed === 0) return 'unchanged'
        await audit(tx, 'tenant_disabled', context, tenantId)
        // One entry and one row are enough, whatever the number of sessions in the tenant.
        const position = await appendRevocation(tx, 'tenant', tenantId, 'hard', context.at)
        await tx.run('UPDATE tenants SET hard_position = ? WHERE id = ?', position, tenantId)
        return 'changed'
      }),

    enable: async (tenantId, context) =>
      db.write(async (tx) => {
        const changed = await tx.run(
          'UPDATE tenants SET disabled_at = NULL WHERE id = ? AND disabled_at IS NOT NULL',
          tenantId,
        )
        if (changed === 0) return 'unchanged'
        await audit(tx, 'tenant_enabled', context, tenantId)
        return 'changed'
      }),

    setMember: async (accountId, tenantId, roles, context) =>
      db.write(async (tx) =>
        (await putMember(tx, { accountId, tenantId, roles }, context)) ? 'changed' : 'unchanged',
      ),

    changeMember: async (member, actor, context) =>
      db.write(async (tx) => changeMember(tx, member, actor, context)),

    removeMember: async (accountId, tenantId, context) =>
      db.write(async (tx) =>
        (await removeMember(tx, accountId, tenantId, context)) ? 'changed' : 'unchanged',
      ),

    setDefault: async (accountId, tenantId, context) =>
      db.write(async (tx) => {
        const changed = await tx.run(
          `UPDATE accounts SET default_tenant = ? WHERE id = ? AND EXISTS
             (SELECT 1 FROM memberships WHERE account_id = accounts.id AND tenant_id = ?)`,
          tenantId,
          accountId,
          tenantId,
        )
        if (changed === 0) return 'unknown'
        await audit(tx, 'default_tenant_set', context, tenantId, accountId)
        return 'changed'
      }),

    membershipsOf: async (accountId) =>
      db.step(async (tx) =>
        (
          await tx.all(
            `SELECT m.tenant_id, m.roles, t.name FROM memberships m JOIN tenants t ON t.id = m.tenant_id
             WHERE m.account_id = ? AND t.disabled_at IS NULL ORDER BY t.name`,
            accountId,
          )
        ).map(toMembership),
      ),

    membersOf: async (tenantId, limit) =>
      db.step(async (tx) =>
        (
          await tx.all(
            `SELECT m.account_id, m.roles, m.created_at AS since, a.username, a.disabled_at,
               a.default_tenant IS NOT DISTINCT FROM m.tenant_id AS is_default
             FROM memberships m JOIN accounts a ON a.id = m.account_id
             WHERE m.tenant_id = ? ORDER BY a.username LIMIT ?`,
            tenantId,
            limit,
          )
        ).map(toMember),
      ),
  }
}

/** Returns which permissions to manage the tenant another enabled member has. */
async function readHeldByOthers(
  tx: Transaction,
  member: { readonly accountId: string; readonly tenantId: string },
  definitions: readonly RoleDefinition[],
): Promise<readonly TenantPermission[]> {
  const held: TenantPermission[] = []
  for (const each of [TENANT_MEMBERS, TENANT_ROLES] as const) {
    if (await hasOtherMember(tx, member, each, definitions)) held.push(each)
  }
  return held
}

async function changeMember(
  tx: Transaction,
  member: Parameters<TenantStore['changeMember']>[0],
  actor: TenantActor,
  context: AuditContext,
): Promise<Change | TenantRefusal> {
  const { accountId, tenantId, roles } = member
  const tenant = await tx.get('SELECT disabled_at FROM tenants WHERE id = ?', tenantId)
  if (tenant === undefined) return 'unknown'
  if (tenant['disabled_at'] !== null) return 'tenant_disabled'
  const definitions = await readDefinitions(tx)
  const refusal = decideMemberChange({
    before: await rolesOfMember(tx, accountId, tenantId),
    after: roles,
    rights: await readRights(tx, actor, tenantId, definitions),
    definitions,
    heldByOthers: await readHeldByOthers(tx, member, definitions),
  })
  if (refusal !== undefined) return refusal
  const globalRoles = (await findById(tx, accountId))?.roles ?? []
  if (areTooManyRoles(globalRoles, roles ?? []) !== undefined) return 'roles_invalid'
  const isChanged =
    roles === undefined
      ? await removeMember(tx, accountId, tenantId, context)
      : await putMember(tx, { accountId, tenantId, roles }, context)
  return isChanged ? 'changed' : 'unchanged'
}

async function audit(
  tx: Transaction,
  event: AuditEvent,
  context: AuditContext,
  tenantId: string,
  accountId?: string,
): Promise<void> {
  await auditChange(tx, accountId, event, context, tenantId)
}

function toTenant(row: Row): Tenant {
  return {
    id: tenants.text(row, 'id'),
    name: tenants.text(row, 'name'),
    disabledAt: tenants.integerOrUndefined(row, 'disabled_at'),
    hardPosition: tenants.integer(row, 'hard_position'),
    createdAt: tenants.integer(row, 'created_at'),
  }
}
