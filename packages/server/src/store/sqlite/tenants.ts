import type { AuditEvent, Tenant } from '../rows.ts'
import type { AuditContext } from '../audit-context.ts'
import type { Change } from '../change.ts'
import type { TenantStore } from '../store.ts'
import {
  areTooManyRoles,
  decideMemberChange,
  type TenantActor,
  type TenantRefusal,
} from '../tenant-rights.ts'
import { findById } from './account-rows.ts'
import { auditChange } from './audit.ts'
import { columnsOf, toMember, toMembership } from './columns.ts'
import { step, type Row, type SqliteDatabase } from './database.ts'
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

/** Tenants and memberships on SQLite. It is not split, because it lists the methods of one interface. */
export function createTenantStore(db: SqliteDatabase): TenantStore {
  return {
    create: async (tenant, context) =>
      db.write(() => {
        const created = db.run(
          `INSERT INTO tenants (id, name, disabled_at, hard_position, created_at)
           VALUES (?, ?, NULL, 0, ?) ON CONFLICT (name) DO NOTHING`,
          tenant.id,
          tenant.name,
          tenant.createdAt,
        )
        if (created === 0) return 'taken'
        audit(db, 'tenant_created', context, tenant.id)
        return 'created'
      }),

    find: async (name) =>
      step(() => {
        const row = db.get('SELECT * FROM tenants WHERE name = ?', name)
        return row === undefined ? undefined : toTenant(row)
      }),

    get: async (tenantId) =>
      step(() => {
        const row = db.get('SELECT * FROM tenants WHERE id = ?', tenantId)
        return row === undefined ? undefined : toTenant(row)
      }),

    list: async () => step(() => db.all('SELECT * FROM tenants ORDER BY name').map(toTenant)),

    disable: async (tenantId, context) =>
      db.write(() => {
        const changed = db.run(
          'UPDATE tenants SET disabled_at = ? WHERE id = ? AND disabled_at IS NULL',
          context.at,
          tenantId,
        )
        if (changed === 0) return 'unchanged'
        audit(db, 'tenant_disabled', context, tenantId)
        // One entry and one row are enough, whatever the number of sessions in the tenant.
        const position = appendRevocation(db, 'tenant', tenantId, 'hard', context.at)
        db.run('UPDATE tenants SET hard_position = ? WHERE id = ?', position, tenantId)
        return 'changed'
      }),

    enable: async (tenantId, context) =>
      db.write(() => {
        const changed = db.run(
          'UPDATE tenants SET disabled_at = NULL WHERE id = ? AND disabled_at IS NOT NULL',
          tenantId,
        )
        if (changed === 0) return 'unchanged'
        audit(db, 'tenant_enabled', context, tenantId)
        return 'changed'
      }),

    setMember: async (accountId, tenantId, roles, context) =>
      db.write(() =>
        putMember(db, { accountId, tenantId, roles }, context) ? 'changed' : 'unchanged',
      ),

    changeMember: async (member, actor, context) =>
      db.write(() => changeMember(db, member, actor, context)),

    removeMember: async (accountId, tenantId, context) =>
      db.write(() => (removeMember(db, accountId, tenantId, context) ? 'changed' : 'unchanged')),

    setDefault: async (accountId, tenantId, context) =>
      db.write(() => {
        const changed = db.run(
          `UPDATE accounts SET default_tenant = ? WHERE id = ? AND EXISTS
             (SELECT 1 FROM memberships WHERE account_id = accounts.id AND tenant_id = ?)`,
          tenantId,
          accountId,
          tenantId,
        )
        if (changed === 0) return 'unknown'
        audit(db, 'default_tenant_set', context, tenantId, accountId)
        return 'changed'
      }),

    membershipsOf: async (accountId) =>
      step(() =>
        db
          .all(
            `SELECT m.tenant_id, m.roles, t.name FROM memberships m JOIN tenants t ON t.id = m.tenant_id
             WHERE m.account_id = ? AND t.disabled_at IS NULL ORDER BY t.name`,
            accountId,
          )
          .map(toMembership),
      ),

    membersOf: async (tenantId, limit) =>
      step(() =>
        db
          .all(
            `SELECT m.account_id, m.roles, m.created_at AS since, a.username, a.disabled_at,
               a.default_tenant IS m.tenant_id AS is_default
             FROM memberships m JOIN accounts a ON a.id = m.account_id
             WHERE m.tenant_id = ? ORDER BY a.username LIMIT ?`,
            tenantId,
            limit,
          )
          .map(toMember),
      ),
  }
}

function changeMember(
  db: SqliteDatabase,
  member: Parameters<TenantStore['changeMember']>[0],
  actor: TenantActor,
  context: AuditContext,
): Change | TenantRefusal {
  const { accountId, tenantId, roles } = member
  const tenant = db.get('SELECT disabled_at FROM tenants WHERE id = ?', tenantId)
  if (tenant === undefined) return 'unknown'
  if (tenant['disabled_at'] !== null) return 'tenant_disabled'
  const definitions = readDefinitions(db)
  const refusal = decideMemberChange({
    before: rolesOfMember(db, accountId, tenantId),
    after: roles,
    rights: readRights(db, actor, tenantId, definitions),
    definitions,
    hasOther: (permission) => hasOtherMember(db, member, permission, definitions),
  })
  if (refusal !== undefined) return refusal
  const globalRoles = findById(db, accountId)?.roles ?? []
  if (areTooManyRoles(globalRoles, roles ?? []) !== undefined) return 'roles_invalid'
  const isChanged =
    roles === undefined
      ? removeMember(db, accountId, tenantId, context)
      : putMember(db, { accountId, tenantId, roles }, context)
  return isChanged ? 'changed' : 'unchanged'
}

function audit(
  db: SqliteDatabase,
  event: AuditEvent,
  context: AuditContext,
  tenantId: string,
  accountId?: string,
): void {
  auditChange(db, accountId, event, context, tenantId)
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
