import { limits } from '../../base/limits.ts'
import type { EpochMs } from '../../base/clock.ts'
import type { Session } from '../rows.ts'
import type { AuditContext } from '../audit-context.ts'
import type { Change } from '../change.ts'
import type { SessionEnding, SessionStore, SessionSummary } from '../store.ts'
import { auditSession } from './audit.ts'
import { columnsOf } from './columns.ts'
import type { Database, Engine, Row, Transaction } from './database.ts'
import { useForSignIn } from './factor-uses.ts'
import { appendRevocation, readPosition } from './revocations.ts'
import { readState, toSession } from './session-rows.ts'
import { keepShadow, updateShadow } from './shadows.ts'
import { SESSION_LIVES } from './standing.ts'
import { writeOrUndo } from './undo.ts'

const sessions = columnsOf('sessions')

type CreatedSession = Awaited<ReturnType<SessionStore['create']>>

/** The methods that run most often, which each engine has in its own form. */
export type HotSessionMethods = Pick<SessionStore, 'refresh' | 'end'>

/** Sessions in SQL. */
export function createSessionStore(db: Database, hot: HotSessionMethods): SessionStore {
  return {
    create: async (session, context, { shadow, liveMax, factorsVersion, uses } = {}) =>
      writeOrUndo<CreatedSession>(
        db,
        async (tx, undo) => {
          // A new row has no hard position yet, so its first session is never refused, and no row stays without
          // a session.
          if (shadow !== undefined) await keepShadow(tx, shadow)
          if (
            factorsVersion !== undefined &&
            !(await isVersion(tx, session.accountId, factorsVersion))
          ) {
            return undo('outdated')
          }
          if ((await insert(tx, session)) === 0) return undo('refused')
          if (uses !== undefined && !(await useForSignIn(tx, session, uses, context))) {
            return undo('used')
          }
          if (shadow !== undefined) await updateShadow(tx, shadow)
          const { detail, ...by } = context
          await auditSession(tx, session, 'login', by, detail)
          if (liveMax !== undefined) await endOldest(tx, session, liveMax, tx.nowMs(), context)
          return 'created'
        },
        { account: session.accountId },
      ),

    ...hot,

    state: async (sessionId) =>
      db.read(async (tx) => {
        const position = await readPosition(tx)
        return readState(tx, sessionId, position)
      }),

    list: async (filter) => db.step(async (tx) => list(tx, filter, tx.nowMs())),

    purge: async (keptMs, limit) =>
      db.write(
        async (tx) =>
          tx.run(
            'DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE ends_at < ? LIMIT ?)',
            tx.nowMs() - keptMs,
            limit,
          ),
        'none',
      ),
  }
}

/** Whether nothing has changed what proves the account. A new shadow has changed nothing. */
async function isVersion(tx: Transaction, accountId: string, version: number): Promise<boolean> {
  const row = await tx.get('SELECT credentials_version FROM accounts WHERE id = ?', accountId)
  // A deleted account is refused with the session.
  return row === undefined || row['credentials_version'] === version
}

/**
 * Part of {@link SESSION_LIVES}, in the form in which each engine uses the index `sessions_open_by_account`: in SQLite,
 * the plus sign removes the affinity of the column. It has one parameter, the account.
 */
const MAY_LIVE: Readonly<Record<Engine, string>> = {
  sqlite: `(
  s.ended_at IS NULL AND max(s.signed_in_position, s.survived_position) >=
    +(SELECT hard_position FROM accounts WHERE id = ?))`,
  postgres: `(
  s.ended_at IS NULL AND greatest(s.signed_in_position, s.survived_position) >=
    (SELECT hard_position FROM accounts WHERE id = ?))`,
}

async function list(
  tx: Transaction,
  { accountId, limit, live = false, before }: Parameters<SessionStore['list']>[0],
  now: EpochMs,
): Promise<SessionSummary[]> {
  const conditions: readonly (readonly [condition: string, ...values: (string | number)[]])[] = [
    ...(accountId === undefined ? [] : [['s.account_id = ?', accountId] as const]),
    ...(before === undefined
      ? []
      : [['(s.created_at, s.id) < (?, ?)', before.createdAt, before.id] as const]),
    ...(live ? [[SESSION_LIVES, now] as const] : []),
    ...(live && accountId !== undefined ? [[MAY_LIVE[tx.engine], accountId] as const] : []),
  ]
  return (
    await tx.all(
      `SELECT s.*, a.username, ${SESSION_LIVES} AS live
       FROM sessions s JOIN accounts a ON a.id = s.account_id
       WHERE ${['true', ...conditions.map(([condition]) => condition)].join(' AND ')}
       ORDER BY s.created_at DESC, s.id DESC LIMIT ?`,
      now,
      ...conditions.flatMap(([, ...values]) => values),
      limit,
    )
  ).map(toSummary)
}

/** Ends a session inside a transaction: see `SessionStore.end`. */
export async function endSession(
  tx: Transaction,
  sessionId: string,
  { event, detail }: SessionEnding,
  context: AuditContext,
): Promise<Change> {
  const row = await tx.get('SELECT account_id, ended_at FROM sessions WHERE id = ?', sessionId)
  if (row === undefined) return 'unknown'
  if (sessions.integerOrUndefined(row, 'ended_at') !== undefined) return 'unchanged'
  await tx.run('UPDATE sessions SET ended_at = ? WHERE id = ?', context.at, sessionId)
  const accountId = sessions.text(row, 'account_id')
  await auditSession(tx, { id: sessionId, accountId }, event, context, detail)
  await appendRevocation(tx, 'session', sessionId, 'hard', context.at)
  return 'changed'
}

/** More rows than any query returns: SQLite has no OFFSET without a LIMIT. */
const ROWS_MAX = Number.MAX_SAFE_INTEGER

/** Ends the account's oldest live sessions beyond `liveMax`. The new session counts, but is never ended. */
async function endOldest(
  tx: Transaction,
  { id, accountId }: Session,
  liveMax: number,
  now: EpochMs,
  context: AuditContext,
): Promise<void> {
  const rows = await tx.all(
    `SELECT id FROM (
       SELECT s.id, s.created_at FROM sessions s
       WHERE s.account_id = ? AND s.id <> ? AND ${SESSION_LIVES} AND ${MAY_LIVE[tx.engine]}
       ORDER BY s.created_at DESC, s.id LIMIT ${ROWS_MAX} OFFSET ?) old
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
  for (const oldId of ids) await endSession(tx, oldId, ending, context)
}

/**
 * Inserts the session if the account is still allowed to have it: it may have been disabled while the
 * password was hashed. Returns the number of inserted rows, 0 or 1.
 */
async function insert(tx: Transaction, session: Session): Promise<number> {
  return tx.run(
    `INSERT INTO sessions (id, account_id, client_id, seed, generation, created_at, rotated_at,
                           expires_at, ends_at, ended_at, signed_in_position, refresh_kid,
                           address, user_agent, tenant_id, authenticated_at, amr, acr,
                           grace_generation, grace_began_at, prior_generation, prior_rotated_at,
                           second_factor)
     SELECT ?, a.id, ?, ?, ?, ?, ?, ?, ?, NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM accounts a
     WHERE a.id = ? AND a.disabled_at IS NULL AND a.hard_position <= ?
       AND (CAST(? AS TEXT) IS NULL OR EXISTS (
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
