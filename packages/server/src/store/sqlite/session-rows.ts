import type { AccountClaims, Session } from '../rows.ts'
import type { SessionState } from '../refresh.ts'
import { toTexts } from './columns.ts'
import type { Row, SqliteDatabase } from './database.ts'

/** Whether the secret of a row of sessions was killed, as an expression of SQL. */
export const REFRESH_KEY_KILLED =
  "EXISTS (SELECT 1 FROM keys WHERE kid = refresh_kid AND state = 'revoked')"

/** Session, account and tenant of one snapshot; `position` is the head that was read before. */
export function readState(
  db: SqliteDatabase,
  sessionId: string,
  position: number,
): SessionState | undefined {
  const row = db.get(
    `SELECT s.*, a.username, a.user_id, a.roles, a.disabled_at, a.hard_position,
            m.roles AS tenant_roles, t.disabled_at AS tenant_disabled_at,
            t.hard_position AS tenant_hard_position, ${REFRESH_KEY_KILLED} AS refresh_key_killed
     FROM sessions s JOIN accounts a ON a.id = s.account_id
     LEFT JOIN tenants t ON t.id = s.tenant_id
     LEFT JOIN memberships m ON m.account_id = s.account_id AND m.tenant_id = s.tenant_id
     WHERE s.id = ?`,
    sessionId,
  )
  if (row === undefined) return undefined
  const session = toSession(row)
  return {
    session,
    account: toClaims(session.accountId, row),
    username: row['username'] as string,
    accountDisabled: row['disabled_at'] !== null,
    accountHardPosition: row['hard_position'] as number,
    tenantDisabled: row['tenant_disabled_at'] !== null,
    tenantHardPosition: (row['tenant_hard_position'] as number | null) ?? 0,
    refreshKeyKilled: row['refresh_key_killed'] === 1,
    position,
  }
}

/**
 * What the account's tokens say in a tenant, if it is a member of it and the tenant has not been taken
 * back since the session began: else what they say without one.
 */
export function readClaims(
  db: SqliteDatabase,
  session: Session,
  tenantId: string | undefined,
): AccountClaims {
  const row = db.get(
    `SELECT a.user_id, a.roles, m.tenant_id, m.roles AS tenant_roles
     FROM accounts a LEFT JOIN (
       SELECT m.account_id, m.tenant_id, m.roles
       FROM memberships m JOIN tenants t ON t.id = m.tenant_id
       WHERE t.id = ? AND t.disabled_at IS NULL AND t.hard_position <= ?
     ) m ON m.account_id = a.id
     WHERE a.id = ?`,
    tenantId ?? null,
    session.signedInPosition,
    session.accountId,
  )
  // The account of a session is never deleted before the session.
  return toClaims(session.accountId, row ?? {})
}

/** Needs the columns `user_id`, `roles`, `tenant_id` and `tenant_roles`. */
export function toClaims(accountId: string, row: Row): AccountClaims {
  const roles = toTexts(row['roles'])
  const tenantRoles = row['tenant_roles']
  const isMember = typeof tenantRoles === 'string'
  return {
    id: accountId,
    userId: (row['user_id'] as string | null) ?? accountId,
    roles: isMember ? union(roles, toTexts(tenantRoles)) : roles,
    tenantId: isMember ? (row['tenant_id'] as string) : undefined,
  }
}

/** Both lists without repeats, sorted: the same roles always give the same claim. */
function union(global: readonly string[], inTenant: readonly string[]): readonly string[] {
  if (inTenant.length === 0) return global
  return [...new Set([...global, ...inTenant])].toSorted()
}

/** Needs the columns `authenticated_at`, `amr` and `acr`. */
export function toAuthentication(row: Row): Pick<Session, 'authenticatedAt' | 'amr' | 'acr'> {
  return {
    authenticatedAt: row['authenticated_at'] as number,
    amr: toTexts(row['amr']),
    acr: (row['acr'] as string | null) ?? undefined,
  }
}

export function toSession(row: Row): Session {
  return {
    id: row['id'] as string,
    accountId: row['account_id'] as string,
    clientId: row['client_id'] as string,
    tenantId: (row['tenant_id'] as string | null) ?? undefined,
    seed: row['seed'] as Uint8Array,
    generation: row['generation'] as number,
    createdAt: row['created_at'] as number,
    rotatedAt: row['rotated_at'] as number,
    expiresAt: row['expires_at'] as number,
    endsAt: row['ends_at'] as number,
    endedAt: (row['ended_at'] as number | null) ?? undefined,
    signedInPosition: row['signed_in_position'] as number,
    survivedPosition: row['survived_position'] as number,
    refreshKid: row['refresh_kid'] as string,
    ...toAuthentication(row),
    address: row['address'] as string,
    userAgent: row['user_agent'] as string,
  }
}
