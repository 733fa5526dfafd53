import type { Clock, EpochMs } from '../../base/clock.ts'
import type { AuditEntry, AuditEvent } from '../rows.ts'
import type { AuditContext, AuditStore } from '../store.ts'
import { columnsOf } from './columns.ts'
import { step, type Row, type SqliteDatabase } from './database.ts'

const audit = columnsOf('audit')

/** Appends a line. */
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

/**
 * Appends the line of a change that was made. `accountId` is the account or service account that it concerns.
 */
export function auditChange(
  db: SqliteDatabase,
  accountId: string | undefined,
  event: AuditEvent,
  { at, actor, address }: AuditContext,
  detail?: string,
): void {
  const sessionId = undefined
  appendAudit(db, { at, actor, address, event, outcome: 'ok', accountId, sessionId, detail })
}

/** Appends the line of a change of one session. */
export function auditSession(
  db: SqliteDatabase,
  session: { readonly id: string; readonly accountId: string },
  event: AuditEvent,
  { at, actor, address }: AuditContext,
  detail?: string,
): void {
  const { id: sessionId, accountId } = session
  appendAudit(db, { at, actor, address, event, outcome: 'ok', accountId, sessionId, detail })
}

/** The audit on SQLite. */
export function createAuditStore(db: SqliteDatabase, clock: Clock): AuditStore {
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

    prune: async (keptMs, limit) => db.write(() => prune(db, clock.nowMs() - keptMs, limit)),
  }
}

/** Deletes a prefix of the audit. It stops at the first line that is young enough to keep. */
function prune(db: SqliteDatabase, before: EpochMs, limit: number): number {
  const rows = db.all('SELECT id, at FROM audit ORDER BY id LIMIT ?', limit)
  const firstKept = rows.findIndex((row) => audit.integer(row, 'at') >= before)
  const newest = (firstKept === -1 ? rows : rows.slice(0, firstKept)).at(-1)
  if (newest === undefined) return 0
  const id = audit.integer(newest, 'id')
  // Updated first, because the trigger on the table forbids the deletion of lines above this id.
  db.run('UPDATE audit_start SET pruned_id = ? WHERE id = 1', id)
  return db.run('DELETE FROM audit WHERE id <= ?', id)
}

function toEntry(row: Row): AuditEntry & { id: number } {
  return {
    id: audit.integer(row, 'id'),
    at: audit.integer(row, 'at'),
    actor: audit.text(row, 'actor'),
    // Only this folder writes the table, and `AuditEntry` gives both columns their type.
    event: audit.text(row, 'event') as AuditEvent,
    outcome: audit.text(row, 'outcome') as 'ok' | 'refused',
    accountId: audit.textOrUndefined(row, 'account_id'),
    sessionId: audit.textOrUndefined(row, 'session_id'),
    address: audit.textOrUndefined(row, 'address'),
    detail: audit.textOrUndefined(row, 'detail'),
  }
}
