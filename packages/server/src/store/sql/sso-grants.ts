import type { AuditContext } from '../audit-context.ts'
import type { Change } from '../change.ts'
import type { SsoConsent, SsoGrantStore } from '../sso.ts'
import { auditChange, auditSession } from './audit.ts'
import { columnsOf } from './columns.ts'
import type { Database, Row, Transaction } from './database.ts'
import { appendRevocation } from './revocations.ts'
import { removeGrantsOfAccount } from './sso-rows.ts'

const consents = columnsOf('sso_consents')
const sessions = columnsOf('sessions')

/** Grants and consents in SQL. */
export function createSsoGrantStore(db: Database): SsoGrantStore {
  return {
    consent: async (accountId, applicationId) =>
      db.step(async (tx) => {
        const row = await tx.get(
          'SELECT * FROM sso_consents WHERE account_id = ? AND application_id = ?',
          accountId,
          applicationId,
        )
        return row === undefined ? undefined : toConsent(row)
      }),

    setConsent: async (consent, context) => {
      const { accountId, applicationId } = consent
      await db.write(
        async (tx) => {
          // No row remains for an account that was deleted meanwhile.
          const written = await tx.run(
            `INSERT INTO sso_consents (account_id, application_id, allowed, given_at, changed_at)
             SELECT a.id, ?, ?, ?, ? FROM accounts a WHERE a.id = ?
             ON CONFLICT (account_id, application_id) DO UPDATE
             SET allowed = excluded.allowed, changed_at = excluded.changed_at`,
            applicationId,
            consent.allowed,
            consent.givenAt,
            consent.changedAt,
            accountId,
          )
          if (written > 0) await auditChange(tx, accountId, 'consent_given', context, applicationId)
        },
        { account: accountId },
      )
    },

    consentsOf: async (accountId) =>
      db.step(async (tx) =>
        (
          await tx.all(
            `SELECT c.*, coalesce(a.title, c.application_id) AS title,
                    a.disabled_at IS NOT NULL AS is_disabled
             FROM sso_consents c LEFT JOIN applications a ON a.id = c.application_id
             WHERE c.account_id = ? ORDER BY c.given_at DESC, c.application_id`,
            accountId,
          )
        ).map(toListed),
      ),

    revokeConsent: async (accountId, applicationId, context) =>
      db.write(
        async (tx) => {
          const consented = await tx.run(
            'DELETE FROM sso_consents WHERE account_id = ? AND application_id = ?',
            accountId,
            applicationId,
          )
          const granted = await removeGrantsOfAccount(tx, accountId, applicationId)
          if (consented + granted === 0) return 'unchanged'
          await auditChange(tx, accountId, 'consent_revoked', context, applicationId)
          await appendRevocation(tx, 'account', accountId, 'soft', context.at)
          return 'changed'
        },
        { account: accountId },
      ),

    // Its statements are right by themselves: of two calls at once, each row is deleted by one.
    revokeGrant: async (grantId, context) =>
      db.write(async (tx) => revokeGrant(tx, grantId, context), 'none'),

    purge: async (limit) =>
      db.write(async (tx) => {
        const now = tx.nowMs()
        let room = limit
        for (const [table, key, end] of ENDING) {
          // The outer condition is for PostgreSQL: a record may have been written again since it was selected.
          room -= await tx.run(
            `DELETE FROM ${table} WHERE ${end} <= ? AND (${key}) IN
               (SELECT ${key} FROM ${table} WHERE ${end} <= ? LIMIT ?)`,
            now,
            now,
            room,
          )
        }
        return limit - room
      }, 'none'),
  }
}

/** The tables with rows that end, their keys, and the column with the end. */
const ENDING = [
  ['sso_records', 'kind, id_hash', 'expires_at'],
  ['sso_refreshes', 'id', 'ends_at'],
  ['sso_logins', 'session_id, application_id, sid', 'expires_at'],
] as const

async function revokeGrant(
  tx: Transaction,
  grantId: string,
  context: AuditContext & { readonly detail?: string },
): Promise<Change> {
  const ended = new Set<string>()
  let removed = 0
  for (const table of ['sso_refreshes', 'sso_records']) {
    const rows = await tx.all(
      `DELETE FROM ${table} WHERE grant_id = ? RETURNING session_id`,
      grantId,
    )
    removed += rows.length
    for (const row of rows) {
      const sessionId = sessions.textOrUndefined(row, 'session_id')
      if (sessionId !== undefined) ended.add(sessionId)
    }
  }
  if (removed === 0) return 'unchanged'
  const { detail, ...by } = context
  for (const sessionId of ended) await auditRevoked(tx, sessionId, by, detail)
  if (ended.size === 0) await auditChange(tx, undefined, 'grant_revoked', by, detail)
  for (const sessionId of ended) {
    await appendRevocation(tx, 'session', sessionId, 'soft', context.at)
  }
  return 'changed'
}

async function auditRevoked(
  tx: Transaction,
  sessionId: string,
  context: AuditContext,
  detail: string | undefined,
): Promise<void> {
  const row = await tx.get('SELECT account_id FROM sessions WHERE id = ?', sessionId)
  const accountId = row === undefined ? undefined : sessions.text(row, 'account_id')
  const session = { id: sessionId, accountId }
  await auditSession(tx, session, 'grant_revoked', context, detail)
}

type Listed = Awaited<ReturnType<SsoGrantStore['consentsOf']>>[number]

function toListed(row: Row): Listed {
  const title = consents.text(row, 'title')
  return { ...toConsent(row), title, isDisabled: consents.flag(row, 'is_disabled') }
}

function toConsent(row: Row): SsoConsent {
  return {
    accountId: consents.text(row, 'account_id'),
    applicationId: consents.text(row, 'application_id'),
    allowed: consents.text(row, 'allowed'),
    givenAt: consents.integer(row, 'given_at'),
    changedAt: consents.integer(row, 'changed_at'),
  }
}
