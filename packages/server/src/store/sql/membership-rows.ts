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
import type { Engine, Transaction } from './database.ts'
import { withdrawSentBy } from './invitation-rows.ts'
import { appendRevocation } from './revocations.ts'

const memberships = columnsOf('memberships')
const roles = columnsOf('roles')

/** Returns the roles of a member. Undefined if the account is not a member. */
export async function rolesOfMember(
  tx: Transaction,
  accountId: string,
  tenantId: string,
): Promise<readonly string[] | undefined> {
  const row = await tx.get(
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
export async function putMember(
  tx: Transaction,
  member: {
    readonly accountId: string
    readonly tenantId: string
    readonly roles: readonly string[]
  },
  context: AuditContext,
): Promise<boolean> {
  const { accountId, tenantId } = member
  const text = JSON.stringify(member.roles)
  const before = await rolesOfMember(tx, accountId, tenantId)
  if (before !== undefined && JSON.stringify(before) === text) return false
  await tx.run(
    `INSERT INTO memberships (account_id, tenant_id, roles, created_at) VALUES (?, ?, ?, ?)
     ON CONFLICT (account_id, tenant_id) DO UPDATE SET roles = excluded.roles`,
    accountId,
    tenantId,
    text,
    context.at,
  )
  await tx.run(
    'UPDATE accounts SET default_tenant = ? WHERE id = ? AND default_tenant IS NULL',
    tenantId,
    accountId,
  )
  await auditChange(tx, accountId, 'member_added', context, tenantId)
  if (before === undefined) return true
  if (before.some((role) => !member.roles.includes(role)))
    await withdrawSentBy(tx, accountId, tenantId)
  await appendRevocation(tx, 'account', accountId, 'soft', context.at)
  return true
}

/** Ends a membership. Returns false if the account is not a member. */
export async function removeMember(
  tx: Transaction,
  accountId: string,
  tenantId: string,
  context: AuditContext,
): Promise<boolean> {
  const removed = await tx.run(
    'DELETE FROM memberships WHERE account_id = ? AND tenant_id = ?',
    accountId,
    tenantId,
  )
  if (removed === 0) return false
  await tx.run(
    'UPDATE accounts SET default_tenant = NULL WHERE id = ? AND default_tenant = ?',
    accountId,
    tenantId,
  )
  await withdrawSentBy(tx, accountId, tenantId)
  await auditChange(tx, accountId, 'member_removed', context, tenantId)
  await appendRevocation(tx, 'account', accountId, 'soft', context.at)
  return true
}

/** Reads all definitions of roles, by name. */
export async function readDefinitions(tx: Transaction): Promise<readonly RoleDefinition[]> {
  return (await tx.all('SELECT name, permissions FROM roles ORDER BY name')).map((row) => ({
    name: roles.text(row, 'name'),
    permissions: roles.texts(row, 'permissions'),
  }))
}

/** Reads the rights of a person in a tenant. A disabled or deleted account has none. */
export async function readRights(
  tx: Transaction,
  { accountId, isInTenant }: TenantActor,
  tenantId: string,
  definitions: readonly RoleDefinition[],
): Promise<TenantRights> {
  const account = await findById(tx, accountId)
  if (account === undefined || account.disabledAt !== undefined) {
    return { roles: [], permissions: [] }
  }
  const inTenant = isInTenant ? ((await rolesOfMember(tx, accountId, tenantId)) ?? []) : []
  const all = [...account.roles, ...inTenant]
  return { roles: all, permissions: permissionsOf(all, definitions) }
}

/** Returns SQL for a table with the column `value`, from a text that holds a JSON array of strings. */
const ARRAY_ITEMS: Readonly<Record<Engine, (text: string) => string>> = {
  sqlite: (text) => `json_each(${text})`,
  postgres: (text) =>
    `(SELECT value FROM json_array_elements_text(CAST(${text} AS json)) AS items (value))`,
}

/** Whether an enabled member other than this account has a permission in the tenant. */
export async function hasOtherMember(
  tx: Transaction,
  { accountId, tenantId }: { readonly accountId: string; readonly tenantId: string },
  permission: TenantPermission,
  definitions: readonly RoleDefinition[],
): Promise<boolean> {
  const names = definitions
    .filter(({ permissions }) => permissions.includes(permission))
    .map(({ name }) => name)
  const each = ARRAY_ITEMS[tx.engine]
  const row = await tx.get(
    `SELECT 1 FROM memberships m JOIN accounts a ON a.id = m.account_id
     WHERE m.tenant_id = ? AND m.account_id <> ? AND a.disabled_at IS NULL AND EXISTS
       (SELECT 1 FROM ${each('m.roles')} r WHERE r.value IN (SELECT value FROM ${each('?')} n))
     LIMIT 1`,
    tenantId,
    accountId,
    JSON.stringify(names),
  )
  return row !== undefined
}
