import { limits } from '../../base/limits.ts'
import type { Clock, EpochMs } from '../../base/clock.ts'
import type { RefreshAttempt, RefreshOutcome, RefreshRules } from '../refresh.ts'
import type { Session } from '../rows.ts'
import type { AuditContext } from '../audit-context.ts'
import type { Change } from '../change.ts'
import type { SessionEnding, SessionStore, SessionSummary } from '../store.ts'
import { auditSession } from './audit.ts'
import { columnsOf } from './columns.ts'
import { step, type Row, type SqliteDatabase } from './database.ts'
import type { GroupCommit } from './group-commit.ts'
import { useForSignIn } from './factor-uses.ts'
import { Forgery, refresh } from './refresh.ts'
import { appendRevocation, readPosition } from './revocations.ts'
import { readState, toSession } from './session-rows.ts'
import { keepShadow, updateShadow } from './shadows.ts'
import { SESSION_LIVES } from './standing.ts'
import { writeOrUndo } from './undo.ts'

const sessions = columnsOf('sessions')

/** Sessions on SQLite. Refreshes and logouts share transactions through `together`. */
export function createSessionStore(
  db: SqliteDatabase,
  together: GroupCommit,
  clock: Clock,
): SessionStore {
  return {
    create: async (session, context, { shadow, liveMax, factorsVersion, uses } = {}) =>
      writeOrUndo(db, (undo) => {
        // A new row has no hard position yet, so its first session is never refused, and no row stays without
        // a session.
        if (shadow !== undefined) keepShadow(db, shadow)
        if (factorsVersion !== undefined && !isVersion(db, session.accountId, factorsVersion)) {
          return undo('outdated')
        }
        if (insert(db, session) === 0) return undo('refused')
        if (uses !== undefined && !useForSignIn(db, session, uses, context)) {
          return undo('used')
        }
        if (shadow !== undefined) updateShadow(db, shadow)
        const { detail, ...by } = context
        auditSession(db, session, 'login', by, detail)
        if (liveMax !== undefined) endOldest(db, session, liveMax, clock.nowMs(), context)
        return 'created'
      }),

    refresh: (attempt, rules) => refreshTogether(db, together, clock, attempt, rules),

    end: (sessionId, ending, context) => together.run(() => end(db, sessionId, ending, context)),

    state: async (sessionId) =>
      db.read(() => {
        const position = readPosition(db)
        return readState(db, sessionId, position)
      }),

    list: async (filter) => step(() => list(db, filter, clock.nowMs())),

    purge: async (keptMs, limit) =>
      db.write(() =>
        db.run(
          'DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE ends_at < ? LIMIT ?)',
          clock.nowMs() - keptMs,
          limit,
        ),
      ),
  }
}

/** Whether nothing has changed what proves the account. A new shadow has changed nothing. */
function isVersion(db: SqliteDatabase, accountId: string, version: number): boolean {
  const row = db.get('SELECT credentials_version FROM accounts WHERE id = ?', accountId)
  // A deleted account is refused with the session.
  return row === undefined || row['credentials_version'] === version
}

async function refreshTogether(
  db: SqliteDatabase,
  together: GroupCommit,
  clock: Clock,
  attempt: RefreshAttempt,
  rules: RefreshRules,
): Promise<RefreshOutcome> {
  if (together.isFull) return { kind: 'refused', code: 'refresh_queue_full' }
  try {
    return await together.run(() => refresh(db, attempt, rules, clock.nowMs()))
  } catch (error) {
    if (error instanceof Forgery) return { kind: 'refused', code: 'token_invalid' }
    throw error
  }
}

/**
 * Part of {@link SESSION_LIVES}, in the form in which SQLite uses the index `sessions_open_by_account`: the plus sign
 * removes the affinity of the column. It has one parameter, the account.
 */
const MAY_LIVE = `(
  s.ended_at IS NULL AND max(s.signed_in_position, s.survived_position) >=
    +(SELECT hard_position FROM accounts WHERE id = ?))`

function list(
  db: SqliteDatabase,
  { accountId, limit, live = false, before }: Parameters<SessionStore['list']>[0],
  now: EpochMs,
): SessionSummary[] {
  const conditions: readonly (readonly [condition: string, ...values: (string | number)[]])[] = [
    ...(accountId === undefined ? [] : [['s.account_id = ?', accountId] as const]),
    ...(before === undefined
      ? []
      : [['(s.created_at, s.id) < (?, ?)', before.createdAt, before.id] as const]),
    ...(live ? [[SESSION_LIVES, now] as const] : []),
    ...(live && accountId !== undefined ? [[MAY_LIVE, accountId] as const] : []),
  ]
  return db
    .all(
      `SELECT s.*, a.username, ${SESSION_LIVES} AS live
       FROM sessions s JOIN accounts a ON a.id = s.account_id
       WHERE ${['true', ...conditions.map(([condition]) => condition)].join(' AND ')}
       ORDER BY s.created_at DESC, s.id DESC LIMIT ?`,
      now,
      ...conditions.flatMap(([, ...values]) => values),
      limit,
    )
    .map(toSummary)
}

function end(
  db: SqliteDatabase,
  sessionId: string,
  { event, detail }: SessionEnding,
  context: AuditContext,
): Change {
  const row = db.get('SELECT account_id, ended_at FROM sessions WHERE id = ?', sessionId)
  if (row === undefined) return 'unknown'
  if (sessions.integerOrUndefined(row, 'ended_at') !== undefined) return 'unchanged'
  db.run('UPDATE sessions SET ended_at = ? WHERE id = ?', context.at, sessionId)
  const accountId = sessions.text(row, 'account_id')
  auditSession(db, { id: sessionId, accountId }, event, context, detail)
  appendRevocation(db, 'session', sessionId, 'hard', context.at)
  return 'changed'
}

/** Ends the account's oldest live sessions beyond `liveMax`. The new session counts, but is never ended. */
function endOldest(
  db: SqliteDatabase,
  { id, accountId }: Session,
  liveMax: number,
  now: EpochMs,
  context: AuditContext,
): void {
  const rows = db.all(
    `SELECT id FROM (
       SELECT s.id, s.created_at FROM sessions s
       WHERE s.account_id = ? AND s.id <> ? AND ${SESSION_LIVES} AND ${MAY_LIVE}
       ORDER BY s.created_at DESC, s.id LIMIT -1 OFFSET ?)
     ORDER BY created_at, id DESC LIMIT ?`,
    accountId,
    id,
    now,
    accountId,
    liveMax - 1,
    limits.sessionsEndedMax,
  )
  const ending: SessionEnding = { event: 'session_ended', detail: 'session_limit' }
  // Ended in the order of their ids, because every transaction locks rows in that order.
  const ids = rows.map((row) => sessions.text(row, 'id')).toSorted()
  for (const oldId of ids) end(db, oldId, ending, context)
}

/**
 * Inserts the session if the account is still allowed to have it: it may have been disabled while the
 * password was hashed. Returns the number of inserted rows, 0 or 1.
 */
function insert(db: SqliteDatabase, session: Session): number {
  return db.run(
    `INSERT INTO sessions (id, account_id, client_id, seed, generation, created_at, rotated_at,
                           expires_at, ends_at, ended_at, signed_in_position, refresh_kid,
                           address, user_agent, tenant_id, authenticated_at, amr, acr,
                           grace_generation, grace_began_at, prior_generation, prior_rotated_at,
                           second_factor)
     SELECT ?, a.id, ?, ?, ?, ?, ?, ?, ?, NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM accounts a
     WHERE a.id = ? AND a.disabled_at IS NULL AND a.hard_position <= ?
       AND (? IS NULL OR EXISTS (
         SELECT 1 FROM memberships m JOIN tenants t ON t.id = m.tenant_id
         WHERE m.account_id = a.id AND t.id = ? AND t.disabled_at IS NULL AND t.hard_position <= ?))
       AND ? >= (SELECT oldest_position FROM revocation_head)
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
    session.grace.generation,
    session.grace.beganAt,
    session.grace.priorGeneration,
    session.grace.priorRotatedAt,
    session.secondFactor,
    session.accountId,
    session.signedInPosition,
    session.tenantId ?? null,
    session.tenantId ?? null,
    session.signedInPosition,
    // A position below the kept part of the log is refused: a pruned entry may have ended everything since.
    session.signedInPosition,
    session.signedInPosition,
  )
}

function toSummary(row: Row): SessionSummary {
  const { seed: _, ...session } = toSession(row)
  return {
    ...session,
    username: sessions.text(row, 'username'),
    live: sessions.flag(row, 'live'),
  }
}
