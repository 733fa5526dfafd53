import type { AccountClaims, Session } from '../rows.ts'
import type { SessionState } from '../refresh.ts'
import { toRoles } from './accounts.ts'
import type { Row, SqliteDatabase } from './database.ts'

/** Session and account of one snapshot; `position` is the head that was read before. */
export function readState(
  db: SqliteDatabase,
  sessionId: string,
  position: number,
): SessionState | undefined {
  const row = db.get(
    `SELECT s.*, a.username, a.user_id, a.roles, a.disabled_at, a.hard_position
     FROM sessions s JOIN accounts a ON a.id = s.account_id WHERE s.id = ?`,
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
    position,
  }
}

/** Needs the columns `user_id` and `roles` of the account. */
export function toClaims(accountId: string, row: Row): AccountClaims {
  return {
    id: accountId,
    userId: (row['user_id'] as string | null) ?? accountId,
    roles: toRoles(row['roles']),
  }
}

export function toSession(row: Row): Session {
  return {
    id: row['id'] as string,
    accountId: row['account_id'] as string,
    clientId: row['client_id'] as string,
    seed: row['seed'] as Uint8Array,
    generation: row['generation'] as number,
    createdAt: row['created_at'] as number,
    rotatedAt: row['rotated_at'] as number,
    expiresAt: row['expires_at'] as number,
    endsAt: row['ends_at'] as number,
    endedAt: (row['ended_at'] as number | null) ?? undefined,
    signedInPosition: row['signed_in_position'] as number,
    refreshKid: row['refresh_kid'] as string,
    address: row['address'] as string,
    userAgent: row['user_agent'] as string,
  }
}
