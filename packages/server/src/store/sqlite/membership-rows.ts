import type { RoleDefinition } from '../rows.ts'
import type { AuditContext } from '../audit-context.ts'
import {
  permissionsOf,
  type TenantActor,
  type TenantPermission,
  type TenantRights,
} from '../tenant-rights.ts'
import { findById } from './account-rows.ts'
import { auditChange } from './audit.ts'
import { columnsOf } from './columns.ts'
import type { SqliteDatabase } from './database.ts'
import { withdrawSentBy } from './invitation-rows.ts'
import { appendRevocation } from './revocations.ts'

const memberships = columnsOf('memberships')
const roles = columnsOf('roles')

/** Returns the roles of a member. Undefined if the account is not a member. */
export function rolesOfMember(
  db: SqliteDatabase,
  accountId: string,
  tenantId: string,
): readonly string[] | undefined {
  const row = db.get(
    'SELECT roles FROM memberships WHERE account_id = ? AND tenant_id = ?',
    accountId,
    tenantId,
  )
  return row === undefined ? undefined : memberships.texts(row, 'roles')
}

/**
 * Makes an account a member with exactly these roles. Changed roles make its tokens stale, and withdraw the
 * invitations that it sent if it has lost a role. Returns false if nothing changed.
 */
export function putMember(
  db: SqliteDatabase,
  member: {
    readonly accountId: string
    readonly tenantId: string
    readonly roles: readonly string[]
  },
  context: AuditContext,
): boolean {
  const { accountId, tenantId } = member
  const text = JSON.stringify(member.roles)
  const before = rolesOfMember(db, accountId, tenantId)
  if (before !== undefined && JSON.stringify(before) === text) return false
  db.run(
    `INSERT INTO memberships (account_id, tenant_id, roles, created_at) VALUES (?, ?, ?, ?)
     ON CONFLICT (account_id, tenant_id) DO UPDATE SET roles = excluded.roles`,
    accountId,
    tenantId,
    text,
    context.at,
  )
  db.run(
    'UPDATE accounts SET default_tenant = ? WHERE id = ? AND default_tenant IS NULL',
    tenantId,
    accountId,
  )
  auditChange(db, accountId, 'member_added', context, tenantId)
  if (before === undefined) return true
  if (before.some((role) => !member.roles.includes(role))) withdrawSentBy(db, accountId, tenantId)
  appendRevocation(db, 'account', accountId, 'soft', context.at)
  return true
}

/** Ends a membership. Returns false if the account is not a member. */
export function removeMember(
  db: SqliteDatabase,
  accountId: string,
  tenantId: string,
  context: AuditContext,
): boolean {
  const removed = db.run(
    'DELETE FROM memberships WHERE account_id = ? AND tenant_id = ?',
    accountId,
    tenantId,
  )
  if (removed === 0) return false
  db.run(
    'UPDATE accounts SET default_tenant = NULL WHERE id = ? AND default_tenant = ?',
    accountId,
    tenantId,
  )
  withdrawSentBy(db, accountId, tenantId)
  auditChange(db, accountId, 'member_removed', context, tenantId)
  appendRevocation(db, 'account', accountId, 'soft', context.at)
  return true
}

/** Reads all definitions of roles, by name. */
export function readDefinitions(db: SqliteDatabase): readonly RoleDefinition[] {
  return db.all('SELECT name, permissions FROM roles ORDER BY name').map((row) => ({
    name: roles.text(row, 'name'),
    permissions: roles.texts(row, 'permissions'),
  }))
}

/** Reads the rights of a person in a tenant. A disabled or deleted account has none. */
export function readRights(
  db: SqliteDatabase,
  { accountId, isInTenant }: TenantActor,
  tenantId: string,
  definitions: readonly RoleDefinition[],
): TenantRights {
  const account = findById(db, accountId)
  if (account === undefined || account.disabledAt !== undefined) {
    return { roles: [], permissions: [] }
  }
  const inTenant = isInTenant ? (rolesOfMember(db, accountId, tenantId) ?? []) : []
  const all = [...account.roles, ...inTenant]
  return { roles: all, permissions: permissionsOf(all, definitions) }
}

/** Whether an enabled member other than this account has a permission in the tenant. */
export function hasOtherMember(
  db: SqliteDatabase,
  { accountId, tenantId }: { readonly accountId: string; readonly tenantId: string },
  permission: TenantPermission,
  definitions: readonly RoleDefinition[],
): boolean {
  const names = definitions
    .filter(({ permissions }) => permissions.includes(permission))
    .map(({ name }) => name)
  const row = db.get(
    `SELECT 1 FROM memberships m JOIN accounts a ON a.id = m.account_id, json_each(m.roles) r
     WHERE m.tenant_id = ? AND m.account_id <> ? AND a.disabled_at IS NULL
       AND r.value IN (SELECT value FROM json_each(?)) LIMIT 1`,
    tenantId,
    accountId,
    JSON.stringify(names),
  )
  return row !== undefined
}
