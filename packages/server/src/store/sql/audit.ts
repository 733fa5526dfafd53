import type { EpochMs } from '../../base/clock.ts'
import type { AuditEntry, AuditEvent } from '../rows.ts'
import type { AuditContext } from '../audit-context.ts'
import type { AuditStore } from '../store.ts'
import { columnsOf } from './columns.ts'
import type { Database, Row, Transaction } from './database.ts'
import { insertMails } from './mail.ts'

const audit = columnsOf('audit')

/** Appends a line. */
export async function appendAudit(tx: Transaction, entry: AuditEntry): Promise<void> {
  await tx.run(
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
 * Appends the line of a change that was made, and writes its mails. `accountId` is the account, service account or application
 * that it concerns.
 */
export async function auditChange(
  tx: Transaction,
  accountId: string | undefined,
  event: AuditEvent,
  { at, actor, address, mails }: AuditContext,
  detail?: string,
): Promise<void> {
  const sessionId = undefined
  await insertMails(tx, mails)
  await appendAudit(tx, { at, actor, address, event, outcome: 'ok', accountId, sessionId, detail })
}

/** Appends the line of an attempt that was refused. */
export async function auditRefusal(
  tx: Transaction,
  accountId: string | undefined,
  event: AuditEvent,
  { at, actor, address }: AuditContext,
  detail?: string,
): Promise<void> {
  const sessionId = undefined
  await appendAudit(tx, {
    at,
    actor,
    address,
    event,
    outcome: 'refused',
    accountId,
    sessionId,
    detail,
  })
}

/** Appends the line of a change of one session, and writes its mails. */
export async function auditSession(
  tx: Transaction,
  session: { readonly id: string; readonly accountId: string | undefined },
  event: AuditEvent,
  { at, actor, address, mails }: AuditContext,
  detail?: string,
): Promise<void> {
  const { id: sessionId, accountId } = session
  await insertMails(tx, mails)
  await appendAudit(tx, { at, actor, address, event, outcome: 'ok', accountId, sessionId, detail })
}

/**
 * Appends the line of a refresh token that came from another device within the grace. A device that repeats its request
 * writes one line only: otherwise anyone with such a token could fill the audit.
 */
export async function auditElsewhere(
  tx: Transaction,
  session: { readonly id: string; readonly accountId: string },
  address: string,
  at: EpochMs,
): Promise<void> {
  const { id: sessionId, accountId } = session
  const event = 'refresh_elsewhere'
  const last = await tx.get(
    'SELECT event, session_id, address FROM audit WHERE account_id = ? ORDER BY id DESC LIMIT 1',
    accountId,
  )
  const isRepeated =
    last?.['event'] === event && last['session_id'] === sessionId && last['address'] === address
  if (isRepeated) return
  const by = { at, actor: 'anonymous', address }
  await appendAudit(tx, {
    ...by,
    event,
    outcome: 'refused',
    accountId,
    sessionId,
    detail: undefined,
  })
}

/** The audit in SQL. */
export function createAuditStore(db: Database): AuditStore {
  return {
    append: async (entry) => db.write(async (tx) => appendAudit(tx, entry), 'none'),

    list: async ({ accountId, limit, before }) =>
      db.step(async (tx) =>
        (
          await tx.all(
            `SELECT * FROM audit WHERE id < ? ${accountId === undefined ? '' : 'AND account_id = ?'}
             ORDER BY id DESC LIMIT ?`,
            before ?? Number.MAX_SAFE_INTEGER,
            ...(accountId === undefined ? [] : [accountId]),
            limit,
          )
        ).map(toEntry),
      ),

    prune: async (keptMs, limit, until = Infinity) =>
      db.write(async (tx) => prune(tx, Math.min(tx.nowMs() - keptMs, until), limit)),

    oldestAt: async () =>
      db.step(async (tx) => {
        const row = await tx.get('SELECT at FROM audit ORDER BY id LIMIT 1')
        return row === undefined ? undefined : audit.integer(row, 'at')
      }),
  }
}

/** Deletes a prefix of the audit. It stops at the first line that is young enough to keep. */
async function prune(tx: Transaction, before: EpochMs, limit: number): Promise<number> {
  const rows = await tx.all('SELECT id, at FROM audit ORDER BY id LIMIT ?', limit)
  const firstKept = rows.findIndex((row) => audit.integer(row, 'at') >= before)
  const newest = (firstKept === -1 ? rows : rows.slice(0, firstKept)).at(-1)
  if (newest === undefined) return 0
  const id = audit.integer(newest, 'id')
  // Updated first, because the trigger on the table forbids the deletion of lines above this id.
  await tx.run('UPDATE audit_start SET pruned_id = ? WHERE id = 1', id)
  return tx.run('DELETE FROM audit WHERE id <= ?', id)
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
