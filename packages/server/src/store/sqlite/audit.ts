import type { AuditEntry, AuditEvent } from '../rows.ts'
import type { AuditStore, AuditContext } from '../store.ts'
import { step, type Row, type SqliteDatabase } from './database.ts'

export function appendAudit(db: SqliteDatabase, entry: AuditEntry): void {
  db.run(
    `INSERT INTO audit (at, actor, event, outcome, account_id, session_id, address, detail)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    entry.at,
    entry.actor,
    entry.event,
    entry.outcome,
    entry.accountId ?? null,
    entry.sessionId ?? null,
    entry.address ?? null,
    entry.detail ?? null,
  )
}

/** The line of a change that was made; `accountId` is the account or service account that it is about. */
export function auditChange(
  db: SqliteDatabase,
  accountId: string | undefined,
  event: AuditEvent,
  context: AuditContext,
  detail?: string,
): void {
  appendAudit(db, {
    at: context.at,
    actor: context.actor,
    address: context.address,
    event,
    outcome: 'ok',
    accountId,
    sessionId: undefined,
    detail,
  })
}

export function createAuditStore(db: SqliteDatabase): AuditStore {
  return {
    append: async (entry) => step(() => appendAudit(db, entry)),
    list: async ({ accountId, limit, before }) =>
      step(() =>
        db
          .all(
            `SELECT * FROM audit WHERE id < ? ${accountId === undefined ? '' : 'AND account_id = ?'}
             ORDER BY id DESC LIMIT ?`,
            before ?? Number.MAX_SAFE_INTEGER,
            ...(accountId === undefined ? [] : [accountId]),
            limit,
          )
          .map(toEntry),
      ),
  }
}

function toEntry(row: Row): AuditEntry & { id: number } {
  return {
    id: row['id'] as number,
    at: row['at'] as number,
    actor: row['actor'] as string,
    event: row['event'] as AuditEvent,
    outcome: row['outcome'] as 'ok' | 'refused',
    accountId: (row['account_id'] as string | null) ?? undefined,
    sessionId: (row['session_id'] as string | null) ?? undefined,
    address: (row['address'] as string | null) ?? undefined,
    detail: (row['detail'] as string | null) ?? undefined,
  }
}
