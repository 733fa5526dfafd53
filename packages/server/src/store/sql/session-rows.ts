import type { EpochMs } from '../../base/clock.ts'
import type { RefreshAttempt, RefreshRules, SessionState } from '../refresh.ts'
import type { AccountClaims, GraceWindows, GrantedSession, SecondFactor, Session } from '../rows.ts'
import { columnsOf } from './columns.ts'
import type { Row, Transaction } from './database.ts'

const sessions = columnsOf('sessions')
const accounts = columnsOf('accounts')
const memberships = columnsOf('memberships')
const tenants = columnsOf('tenants')

/** Reads session, account and tenant. Call it inside a transaction. `position` must have been read before. */
export async function readState(
  tx: Transaction,
  sessionId: string,
  position: number,
): Promise<SessionState | undefined> {
  const row = await tx.get(
    `SELECT s.*, a.username, a.user_id, a.roles, a.disabled_at, a.hard_position,
            m.roles AS tenant_roles, t.name AS tenant_name,
            s.tenant_id IS NOT NULL AND (t.id IS NULL OR t.disabled_at IS NOT NULL) AS tenant_disabled,
            coalesce(t.hard_position, 0) AS tenant_hard_position,
            EXISTS (SELECT 1 FROM keys k WHERE k.kid = s.refresh_kid AND k.state = 'revoked')
              AS refresh_key_killed
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
    username: accounts.text(row, 'username'),
    accountDisabled: accounts.integerOrUndefined(row, 'disabled_at') !== undefined,
    accountHardPosition: accounts.integer(row, 'hard_position'),
    tenantDisabled: tenants.flag(row, 'tenant_disabled'),
    tenantHardPosition: tenants.integer(row, 'tenant_hard_position'),
    refreshKeyKilled: sessions.flag(row, 'refresh_key_killed'),
    position,
  }
}

/**
 * Reads the claims of the session's account in a tenant. Returns the claims without a tenant if the account
 * is not a member of it. It does the same if the tenant is disabled, or if its sessions were revoked after
 * the session began.
 */
export async function readClaims(
  tx: Transaction,
  session: Session,
  tenantId: string | undefined,
): Promise<AccountClaims> {
  const row = await tx.get(
    `SELECT a.user_id, a.roles, m.tenant_id, m.roles AS tenant_roles, m.name AS tenant_name
     FROM accounts a LEFT JOIN (
       SELECT m.account_id, m.tenant_id, m.roles, t.name
       FROM memberships m JOIN tenants t ON t.id = m.tenant_id
       WHERE t.id = ? AND t.disabled_at IS NULL AND t.hard_position <= ?
     ) m ON m.account_id = a.id
     WHERE a.id = ?`,
    tenantId ?? null,
    session.signedInPosition,
    session.accountId,
  )
  // The row exists, because a session is deleted before its account.
  return toClaims(session.accountId, row ?? {})
}

/** Reads the columns `user_id`, `roles`, `tenant_id`, `tenant_name` and `tenant_roles`. */
export function toClaims(accountId: string, row: Row): AccountClaims {
  const isMember = memberships.textOrUndefined(row, 'tenant_roles') !== undefined
  return {
    id: accountId,
    userId: accounts.textOrUndefined(row, 'user_id') ?? accountId,
    roles: accounts.texts(row, 'roles'),
    tenantId: isMember ? memberships.text(row, 'tenant_id') : undefined,
    tenantName: isMember ? tenants.textOrUndefined(row, 'tenant_name') : undefined,
    tenantRoles: isMember ? memberships.texts(row, 'tenant_roles') : NO_ROLES,
  }
}

const NO_ROLES: readonly string[] = []

/** Reads the row that a refresh has rotated. `attempt` is the token that was rotated. */
export function toGranted(
  row: Row,
  attempt: RefreshAttempt,
  { refreshKid }: Pick<RefreshRules, 'refreshKid'>,
  rotatedAt: EpochMs,
): GrantedSession {
  return {
    id: attempt.sessionId,
    accountId: sessions.text(row, 'account_id'),
    clientId: sessions.text(row, 'client_id'),
    tenantId: sessions.textOrUndefined(row, 'tenant_id'),
    seed: sessions.bytes(row, 'seed'),
    generation: attempt.generation + 1,
    createdAt: sessions.integer(row, 'created_at'),
    rotatedAt,
    expiresAt: sessions.integer(row, 'expires_at'),
    endsAt: sessions.integer(row, 'ends_at'),
    refreshKid,
    ...toAuthentication(row),
  }
}

/** Reads the columns `authenticated_at`, `amr`, `acr` and `second_factor` of a row of the table `sessions`. */
export function toAuthentication(
  row: Row,
): Pick<Session, 'authenticatedAt' | 'amr' | 'acr' | 'secondFactor'> {
  return {
    authenticatedAt: sessions.integer(row, 'authenticated_at'),
    amr: sessions.texts(row, 'amr'),
    acr: sessions.textOrUndefined(row, 'acr'),
    // Only this folder writes the table, and `Session` gives the column its type.
    secondFactor: sessions.text(row, 'second_factor') as SecondFactor,
  }
}

/** Reads the columns of the windows of rotations, which `sessions` and `sso_refreshes` have. */
export function toGrace(row: Row): GraceWindows {
  return {
    generation: sessions.integer(row, 'grace_generation'),
    beganAt: sessions.integer(row, 'grace_began_at'),
    priorGeneration: sessions.integer(row, 'prior_generation'),
    priorRotatedAt: sessions.integer(row, 'prior_rotated_at'),
  }
}

/** Reads a row of the table `sessions`. */
export function toSession(row: Row): Session {
  return {
    id: sessions.text(row, 'id'),
    accountId: sessions.text(row, 'account_id'),
    clientId: sessions.text(row, 'client_id'),
    tenantId: sessions.textOrUndefined(row, 'tenant_id'),
    seed: sessions.bytes(row, 'seed'),
    generation: sessions.integer(row, 'generation'),
    createdAt: sessions.integer(row, 'created_at'),
    rotatedAt: sessions.integer(row, 'rotated_at'),
    grace: toGrace(row),
    expiresAt: sessions.integer(row, 'expires_at'),
    endsAt: sessions.integer(row, 'ends_at'),
    endedAt: sessions.integerOrUndefined(row, 'ended_at'),
    signedInPosition: sessions.integer(row, 'signed_in_position'),
    survivedPosition: sessions.integer(row, 'survived_position'),
    refreshKid: sessions.text(row, 'refresh_kid'),
    ...toAuthentication(row),
    address: sessions.text(row, 'address'),
    userAgent: sessions.text(row, 'user_agent'),
  }
}
