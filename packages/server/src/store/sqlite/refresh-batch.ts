import type { RefreshAttempt, RefreshOutcome, RefreshRules } from '../refresh.ts'
import type { Session } from '../rows.ts'
import { appendAudit } from './audit.ts'
import type { SqliteDatabase } from './database.ts'
import { readPosition } from './revocations.ts'
import {
  readClaims,
  readState,
  REFRESH_KEY_KILLED,
  toAuthentication,
  toClaims,
} from './session-rows.ts'

/**
 * Group commit: decides the attempts in order inside one transaction, and waits for the disk once
 * for all of them. The log position is read first, before any account (a mint that read it after
 * would outlive a revocation that came between).
 *
 * An attempt whose `jti` the row's seed does not give is a forgery made with a stolen signing key. The
 * fast path learns that only after it has rotated, so such a batch is rolled back and decided
 * again without the forgery.
 */
export function refreshBatch(
  db: SqliteDatabase,
  attempts: readonly RefreshAttempt[],
  rules: RefreshRules,
): readonly RefreshOutcome[] {
  const forged = new Set<RefreshAttempt>()
  for (;;) {
    try {
      return db.write(() => {
        const position = readPosition(db)
        return attempts.map((attempt) =>
          forged.has(attempt) ? FORGED : decideOne(db, attempt, rules, position),
        )
      })
    } catch (error) {
      if (!(error instanceof Forgery)) throw error
      forged.add(error.attempt)
    }
  }
}

const FORGED: RefreshOutcome = { kind: 'refused', code: 'token_invalid' }

/** Rolls the batch back; never leaves this file. */
class Forgery extends Error {
  readonly attempt: RefreshAttempt
  constructor(attempt: RefreshAttempt) {
    super('forged refresh token')
    this.attempt = attempt
  }
}

function decideOne(
  db: SqliteDatabase,
  attempt: RefreshAttempt,
  rules: RefreshRules,
  position: number,
): RefreshOutcome {
  return (
    (rules.rotates && attempt.tenant === undefined
      ? rotateFast(db, attempt, rules, position)
      : undefined) ?? decideSlowly(db, attempt, rules, position)
  )
}

/** The second line of the rotation table as one compare-and-set; undefined when it changed no row. */
function rotateFast(
  db: SqliteDatabase,
  attempt: RefreshAttempt,
  rules: RefreshRules,
  position: number,
): RefreshOutcome | undefined {
  const row = db.get(
    ROTATE_CURRENT,
    rules.now,
    rules.now + rules.idleMs,
    rules.refreshKid,
    attempt.address,
    attempt.userAgent,
    attempt.sessionId,
    attempt.generation,
    rules.now,
  )
  if (row === undefined) return undefined
  const session: Session = {
    id: attempt.sessionId,
    accountId: row['account_id'] as string,
    clientId: row['client_id'] as string,
    tenantId: (row['tenant_id'] as string | null) ?? undefined,
    seed: row['seed'] as Uint8Array,
    generation: attempt.generation + 1,
    createdAt: row['created_at'] as number,
    rotatedAt: rules.now,
    expiresAt: row['expires_at'] as number,
    endsAt: row['ends_at'] as number,
    endedAt: undefined,
    signedInPosition: row['signed_in_position'] as number,
    survivedPosition: row['survived_position'] as number,
    refreshKid: rules.refreshKid,
    ...toAuthentication(row),
    address: attempt.address,
    userAgent: attempt.userAgent,
  }
  if (!rules.isGenuine(session, attempt)) throw new Forgery(attempt)
  return { kind: 'rotated', session, account: toClaims(session.accountId, row), position }
}

const ROTATE_CURRENT = `
  UPDATE sessions
  SET generation = generation + 1, rotated_at = ?, expires_at = min(?, ends_at), refresh_kid = ?,
      address = ?, user_agent = ?
  WHERE id = ? AND generation = ? AND ended_at IS NULL AND expires_at > ? AND NOT ${REFRESH_KEY_KILLED}
    AND EXISTS (SELECT 1 FROM accounts a WHERE a.id = account_id AND a.disabled_at IS NULL
                AND a.hard_position <= max(signed_in_position, survived_position))
    AND (tenant_id IS NULL
         OR EXISTS (SELECT 1 FROM tenants t WHERE t.id = tenant_id AND t.disabled_at IS NULL
                    AND t.hard_position <= signed_in_position))
  RETURNING account_id, client_id, seed, created_at, expires_at, ends_at, signed_in_position,
            survived_position, tenant_id, authenticated_at, amr, acr,
            CASE WHEN tenant_id IS NULL THEN NULL ELSE
              (SELECT m.roles FROM memberships m
               WHERE m.account_id = sessions.account_id AND m.tenant_id = sessions.tenant_id)
            END AS tenant_roles,
            (SELECT user_id FROM accounts a WHERE a.id = account_id) AS user_id,
            (SELECT roles FROM accounts a WHERE a.id = account_id) AS roles`

function decideSlowly(
  db: SqliteDatabase,
  attempt: RefreshAttempt,
  rules: RefreshRules,
  position: number,
): RefreshOutcome {
  const state = readState(db, attempt.sessionId, position)
  if (state === undefined) return { kind: 'refused', code: 'session_unknown' }
  if (!rules.isGenuine(state.session, attempt)) return FORGED

  const { session } = state
  const decision = rules.decide(state, attempt)
  if (decision.kind === 'refuse') return { kind: 'refused', code: decision.code }
  if (decision.kind === 'end') return { kind: 'ending', code: decision.code }

  const tenantId = attempt.tenant === undefined ? session.tenantId : attempt.tenant?.id
  const account = readClaims(db, session, tenantId)
  if (tenantId !== undefined && account.tenantId === undefined && attempt.tenant !== undefined) {
    return { kind: 'refused', code: 'tenant_forbidden' }
  }
  const moved = { ...session, tenantId }
  switch (decision.kind) {
    case 'rotate':
      return rules.rotates
        ? { kind: 'rotated', session: moveOn(db, moved, attempt, rules), account, position }
        : { kind: 'kept', session: stay(db, moved, attempt), account, position }
    case 'repeat':
      return { kind: 'repeated', session: stay(db, moved, attempt), account, position }
    case 'heal': {
      const healed = moveOn(db, moved, attempt, rules)
      auditHealing(db, session, attempt, rules)
      return { kind: 'healed', session: healed, account, position }
    }
  }
}

/** The refresh token stays as it is; only a tenant that the request names is written. */
function stay(db: SqliteDatabase, session: Session, attempt: RefreshAttempt): Session {
  if (attempt.tenant !== undefined) {
    db.run('UPDATE sessions SET tenant_id = ? WHERE id = ?', session.tenantId ?? null, session.id)
  }
  return session
}

/** Continues from the presented generation. Nobody comes between: the transaction holds the write lock. */
function moveOn(
  db: SqliteDatabase,
  session: Session,
  attempt: RefreshAttempt,
  rules: RefreshRules,
): Session {
  const next: Session = {
    ...session,
    generation: attempt.generation + (rules.rotates ? 1 : 0),
    rotatedAt: rules.now,
    expiresAt: Math.min(rules.now + rules.idleMs, session.endsAt),
    refreshKid: rules.refreshKid,
    address: attempt.address,
    userAgent: attempt.userAgent,
  }
  db.run(
    `UPDATE sessions SET generation = ?, rotated_at = ?, expires_at = ?, refresh_kid = ?,
            address = ?, user_agent = ?, tenant_id = ? WHERE id = ? AND generation = ?`,
    next.generation,
    next.rotatedAt,
    next.expiresAt,
    next.refreshKid,
    next.address,
    next.userAgent,
    next.tenantId ?? null,
    session.id,
    session.generation,
  )
  return next
}

function auditHealing(
  db: SqliteDatabase,
  session: Session,
  attempt: RefreshAttempt,
  rules: RefreshRules,
): void {
  appendAudit(db, {
    at: rules.now,
    actor: session.accountId,
    event: 'refresh_healed',
    outcome: 'ok',
    accountId: session.accountId,
    sessionId: session.id,
    address: attempt.address,
    detail: undefined,
  })
}
