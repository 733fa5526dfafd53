import type { Session } from '../rows.ts'
import type { SessionStore, SessionSummary } from '../store.ts'
import { appendAudit } from './audit.ts'
import { step, type Row, type SqliteDatabase } from './database.ts'
import { refreshBatch } from './refresh-batch.ts'
import { appendRevocation, readPosition } from './revocations.ts'
import { readState, REFRESH_KEY_KILLED, toSession } from './session-rows.ts'
import { keepShadow, updateShadow } from './shadows.ts'
import { giveBack } from './throttles.ts'

export function createSessionStore(db: SqliteDatabase): SessionStore {
  return {
    create: async (session, context, tries = [], shadow) =>
      db.write(() => {
        // A row that is new here has lost nothing yet, so a session that is refused leaves none behind.
        if (shadow !== undefined) keepShadow(db, shadow)
        if (insert(db, session) === 0) return 'refused'
        if (shadow !== undefined) updateShadow(db, shadow)
        giveBack(db, tries)
        appendAudit(db, {
          at: context.at,
          actor: context.actor,
          event: 'login',
          outcome: 'ok',
          accountId: session.accountId,
          sessionId: session.id,
          address: context.address,
          detail: context.detail,
        })
        return 'created'
      }),

    refreshBatch: async (attempts, rules) => refreshBatch(db, attempts, rules),

    end: (sessionId, ending, context) =>
      db.writeTogether(() => {
        const row = db.get('SELECT account_id, ended_at FROM sessions WHERE id = ?', sessionId)
        if (row === undefined) return 'unknown'
        if (row['ended_at'] !== null) return 'unchanged'
        db.run('UPDATE sessions SET ended_at = ? WHERE id = ?', context.at, sessionId)
        appendAudit(db, {
          at: context.at,
          actor: context.actor,
          event: ending.event,
          outcome: 'ok',
          accountId: row['account_id'] as string,
          sessionId,
          address: context.address,
          detail: undefined,
        })
        appendRevocation(db, 'session', sessionId, 'hard', context.at)
        return 'changed'
      }),

    state: async (sessionId) =>
      db.read(() => {
        const position = readPosition(db)
        return readState(db, sessionId, position)
      }),

    list: async ({ accountId, now, limit, live = false, before }) =>
      step(() => {
        const whose = accountId === undefined ? '' : 'AND s.account_id = ?'
        const where = before === undefined ? '' : 'AND (s.created_at, s.id) < (?, ?)'
        return db
          .all(
            `SELECT * FROM (${SELECT_SUMMARY} WHERE true ${whose} ${where}) WHERE live >= ?
             ORDER BY created_at DESC, id DESC LIMIT ?`,
            now,
            ...(accountId === undefined ? [] : [accountId]),
            ...(before === undefined ? [] : [before.createdAt, before.id]),
            live ? 1 : 0,
            limit,
          )
          .map(toSummary)
      }),

    purge: async (before, limit) =>
      step(() =>
        db.run(
          'DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE ends_at < ? LIMIT ?)',
          before,
          limit,
        ),
      ),
  }
}

const SELECT_SUMMARY = `
  SELECT s.*, a.username,
         s.ended_at IS NULL AND s.expires_at > ? AND a.disabled_at IS NULL
           AND a.hard_position <= max(s.signed_in_position, s.survived_position) AND t.disabled_at IS NULL
           AND coalesce(t.hard_position, 0) <= s.signed_in_position AND NOT ${REFRESH_KEY_KILLED} AS live
  FROM sessions s JOIN accounts a ON a.id = s.account_id
  LEFT JOIN tenants t ON t.id = s.tenant_id`

/** The statement asks the account once more: it may have been disabled while the password was hashed. */
function insert(db: SqliteDatabase, session: Session): number {
  return db.run(
    `INSERT INTO sessions (id, account_id, client_id, seed, generation, created_at, rotated_at,
                           expires_at, ends_at, ended_at, signed_in_position, refresh_kid,
                           address, user_agent, tenant_id, authenticated_at, amr, acr)
     SELECT ?, a.id, ?, ?, ?, ?, ?, ?, ?, NULL, ?, ?, ?, ?, ?, ?, ?, ? FROM accounts a
     WHERE a.id = ? AND a.disabled_at IS NULL AND a.hard_position <= ?
       AND (? IS NULL OR EXISTS (
         SELECT 1 FROM memberships m JOIN tenants t ON t.id = m.tenant_id
         WHERE m.account_id = a.id AND t.id = ? AND t.disabled_at IS NULL AND t.hard_position <= ?))
       AND NOT EXISTS (
         SELECT 1 FROM revocations r WHERE r.kind = 'issuer' AND r.hard = 1 AND r.position > ?)`,
    session.id,
    session.clientId,
    session.seed,
    session.generation,
    session.createdAt,
    session.rotatedAt,
    session.expiresAt,
    session.endsAt,
    session.signedInPosition,
    session.refreshKid,
    session.address,
    session.userAgent,
    session.tenantId ?? null,
    session.authenticatedAt,
    JSON.stringify(session.amr),
    session.acr ?? null,
    session.accountId,
    session.signedInPosition,
    session.tenantId ?? null,
    session.tenantId ?? null,
    session.signedInPosition,
    session.signedInPosition,
  )
}

function toSummary(row: Row): SessionSummary {
  const { seed: _, ...session } = toSession(row)
  return { ...session, username: row['username'] as string, live: row['live'] === 1 }
}
