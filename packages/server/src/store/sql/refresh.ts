import type { EpochMs } from '../../base/clock.ts'
import { decideRotation } from '../decide-rotation.ts'
import { isGenuineJti } from '../refresh-jti.ts'
import {
  nextGrace,
  type RefreshAttempt,
  type RefreshOutcome,
  type RefreshRules,
} from '../refresh.ts'
import type { Session } from '../rows.ts'
import { auditElsewhere, auditSession } from './audit.ts'
import {
  whenThere,
  type Awaitable,
  type GroupCommit,
  type Row,
  type Transaction,
} from './database.ts'
import { readPosition } from './revocations.ts'
import { readClaims, readState, toClaims, toGranted } from './session-rows.ts'
import { SESSION_LIVES } from './standing.ts'

/**
 * A refresh token was not made from the row's seed. Throwing it undoes the writes of the fast path. The
 * caller refuses the token.
 */
export class Forgery extends Error {
  override readonly name = 'Forgery'
}

/**
 * Decides attempts one after another, in a transaction that all attempts of the same moment share: see
 * `SessionStore.refresh`.
 */
export async function refreshTogether(
  together: GroupCommit,
  attempt: RefreshAttempt,
  rules: RefreshRules,
): Promise<RefreshOutcome> {
  if (together.isFull) return { kind: 'refused', code: 'refresh_queue_full' }
  try {
    return await together.run((tx) => refresh(tx, attempt, rules, tx.nowMs()))
  } catch (error) {
    if (error instanceof Forgery) return { kind: 'refused', code: 'token_invalid' }
    throw error
  }
}

/** One attempt, and the values that decide it. */
export interface Refresh {
  readonly tx: Transaction
  readonly attempt: RefreshAttempt
  readonly rules: RefreshRules
  readonly now: EpochMs
  /**
   * The head of the log, read before account and roles. A later head would let the token survive a
   * revocation.
   */
  readonly position: number
}

/**
 * Decides one attempt inside a transaction: see `SessionStore.refresh`. Throws a {@link Forgery} if the `jti`
 * was not made from the row's seed, which proves that a signing key was stolen. The fast path can check this
 * only after its write, so the caller must undo the attempt.
 */
export function refresh(
  tx: Transaction,
  attempt: RefreshAttempt,
  rules: RefreshRules,
  now: EpochMs,
): Awaitable<RefreshOutcome> {
  return whenThere(readPosition(tx), (position) => {
    const it: Refresh = { tx, attempt, rules, now, position }
    const isPlain = rules.rotates && attempt.tenant === undefined
    if (!isPlain) return decideSlowly(it)
    return whenThere(rotateFast(it), (outcome) => outcome ?? decideSlowly(it))
  })
}

/**
 * Applies the second line of the rotation table as one compare-and-set. Returns undefined if it changed no
 * row.
 */
function rotateFast(it: Refresh): Awaitable<RefreshOutcome | undefined> {
  const { tx, attempt, rules, now } = it
  const { graceMs } = rules
  const row = tx.get(
    ROTATE_CURRENT,
    now,
    now,
    graceMs,
    now,
    graceMs,
    now,
    graceMs,
    now,
    graceMs,
    now,
    now + rules.idleMs,
    rules.refreshKid,
    attempt.address,
    attempt.userAgent,
    attempt.sessionId,
    attempt.generation,
    now,
  )
  return whenThere(row, (found) => (found === undefined ? undefined : toRotated(it, found)))
}

function toRotated({ attempt, rules, now, position }: Refresh, row: Row): RefreshOutcome {
  const session = toGranted(row, attempt, rules, now)
  if (!isGenuineJti(session, attempt)) throw new Forgery()
  return { kind: 'rotated', session, account: toClaims(session.accountId, row), position, now }
}

/** Whether the newest window of the row is over: see `nextGrace`. Takes the time now and the length of a window. */
const WINDOW_IS_OVER = 'abs(? - grace_began_at) >= ?'

// SQLite does not know the alias inside RETURNING: the columns of `sessions` have no prefix there.
const ROTATE_CURRENT = `
  UPDATE sessions AS s
  SET generation = generation + 1, rotated_at = ?,
      prior_generation = iif(${WINDOW_IS_OVER}, grace_generation, prior_generation),
      prior_rotated_at = iif(${WINDOW_IS_OVER}, rotated_at, prior_rotated_at),
      grace_generation = iif(${WINDOW_IS_OVER}, generation, grace_generation),
      grace_began_at = iif(${WINDOW_IS_OVER}, ?, grace_began_at),
      expires_at = min(?, ends_at), refresh_kid = ?,
      address = ?, user_agent = ?
  WHERE s.id = ? AND s.generation = ? AND ${SESSION_LIVES}
  RETURNING account_id, client_id, seed, created_at, expires_at, ends_at, tenant_id,
            authenticated_at, amr, acr, second_factor,
            CASE WHEN tenant_id IS NULL THEN NULL ELSE
              (SELECT m.roles FROM memberships m
               WHERE m.account_id = sessions.account_id AND m.tenant_id = sessions.tenant_id)
            END AS tenant_roles,
            CASE WHEN tenant_id IS NULL THEN NULL ELSE
              (SELECT t.name FROM tenants t WHERE t.id = sessions.tenant_id)
            END AS tenant_name,
            (SELECT user_id FROM accounts a WHERE a.id = account_id) AS user_id,
            (SELECT roles FROM accounts a WHERE a.id = account_id) AS roles`

/** Reads the session and decides the attempt by the whole rotation table. */
export async function decideSlowly(it: Refresh): Promise<RefreshOutcome> {
  const { tx, attempt, rules, now, position } = it
  const state = await readState(tx, attempt.sessionId, position)
  if (state === undefined) return { kind: 'refused', code: 'session_unknown' }
  if (!isGenuineJti(state.session, attempt)) throw new Forgery()

  const { session } = state
  const decision = decideRotation(state, attempt, { ...rules, now })
  if (decision.kind === 'refuse') {
    if (decision.code === 'refresh_elsewhere')
      await auditElsewhere(tx, session, attempt.address, now)
    return { kind: 'refused', code: decision.code }
  }
  if (decision.kind === 'end') return { kind: 'ending', code: decision.code }

  const tenantId = attempt.tenant === undefined ? session.tenantId : attempt.tenant?.id
  const account = await readClaims(tx, session, tenantId)
  if (tenantId !== undefined && account.tenantId === undefined && attempt.tenant !== undefined) {
    return { kind: 'refused', code: 'tenant_forbidden' }
  }
  const moved = { ...session, tenantId }
  const granted = { account, position, now }
  switch (decision.kind) {
    case 'rotate':
      return rules.rotates
        ? { kind: 'rotated', session: await moveOn(it, moved), ...granted }
        : { kind: 'kept', session: await stay(it, moved), ...granted }
    case 'repeat':
      return { kind: 'repeated', session: await stay(it, moved), ...granted }
    case 'heal': {
      const healed = await moveOn(it, moved)
      const { accountId } = session
      await auditSession(tx, { id: session.id, accountId }, 'refresh_healed', {
        at: now,
        actor: accountId,
        address: attempt.address,
      })
      return { kind: 'healed', session: healed, ...granted }
    }
  }
}

/** Keeps the refresh token unchanged. Writes only the tenant, if the request names one. */
async function stay({ tx, attempt }: Refresh, session: Session): Promise<Session> {
  if (attempt.tenant !== undefined) {
    await tx.run(
      'UPDATE sessions SET tenant_id = ? WHERE id = ?',
      session.tenantId ?? null,
      session.id,
    )
  }
  return session
}

/**
 * Continues from the presented generation. No other writer can interfere, because the transaction has locked the whole
 * database, or on PostgreSQL the row.
 */
async function moveOn({ tx, attempt, rules, now }: Refresh, session: Session): Promise<Session> {
  const next: Session = {
    ...session,
    generation: attempt.generation + (rules.rotates ? 1 : 0),
    rotatedAt: now,
    grace: nextGrace(session, now, rules.graceMs),
    expiresAt: Math.min(now + rules.idleMs, session.endsAt),
    refreshKid: rules.refreshKid,
    address: attempt.address,
    userAgent: attempt.userAgent,
  }
  await tx.run(
    `UPDATE sessions SET generation = ?, rotated_at = ?, expires_at = ?, refresh_kid = ?,
            address = ?, user_agent = ?, tenant_id = ?, grace_generation = ?, grace_began_at = ?,
            prior_generation = ?, prior_rotated_at = ? WHERE id = ? AND generation = ?`,
    next.generation,
    next.rotatedAt,
    next.expiresAt,
    next.refreshKid,
    next.address,
    next.userAgent,
    next.tenantId ?? null,
    next.grace.generation,
    next.grace.beganAt,
    next.grace.priorGeneration,
    next.grace.priorRotatedAt,
    session.id,
    session.generation,
  )
  return next
}
