import { StoreFault } from '../../base/faults.ts'
import { limits } from '../../base/limits.ts'
import { JTI_HEX_CHARS } from '../refresh-jti.ts'
import type { RefreshAttempt, RefreshOutcome, RefreshRules } from '../refresh.ts'
import { BatchQueue } from '../sql/batch-queue.ts'
import { columnsOf } from '../sql/columns.ts'
import { Forgery, decideSlowly } from '../sql/refresh.ts'
import { toClaims, toGranted } from '../sql/session-rows.ts'
import { SESSION_LIVES } from '../sql/standing.ts'
import type { PostgresDatabase } from './database.ts'
import { isOfValue } from './errors.ts'

const sessions = columnsOf('sessions')

/**
 * An attempt that waited longer, in milliseconds, ends no session, and its client gets 503. If this process stood still
 * meanwhile, the client may have used the token at another node, so that it looks like a copy here.
 */
const WAIT_MS_MAX = 5_000

interface Job {
  readonly attempt: RefreshAttempt
  /** When it arrived, on the monotonic clock. */
  readonly arrivedAtMs: number
  readonly rules: RefreshRules
  readonly resolve: (outcome: RefreshOutcome | Promise<RefreshOutcome>) => void
  readonly reject: (fault: unknown) => void
}

/**
 * Refreshes that arrive while the batch before is written share one statement and one commit. A session whose row the
 * statement does not change is decided by itself: see `decideSlowly`.
 */
export class RefreshBatches {
  readonly #db: PostgresDatabase
  readonly #queue: BatchQueue<Job>

  constructor(db: PostgresDatabase) {
    this.#db = db
    this.#queue = new BatchQueue(limits.refreshBatchMax, (batch) => this.#runBatch(batch))
  }

  /** See `SessionStore.refresh`. */
  refresh(attempt: RefreshAttempt, rules: RefreshRules): Promise<RefreshOutcome> {
    const arrivedAtMs = performance.now()
    if (!rules.rotates || attempt.tenant !== undefined) return this.#alone(attempt, rules)
    if (this.#queue.length >= limits.refreshQueueMax) {
      return Promise.resolve({ kind: 'refused', code: 'refresh_queue_full' })
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ attempt, arrivedAtMs, rules, resolve, reject })
    })
  }

  async #runBatch(batch: readonly Job[]): Promise<void> {
    try {
      const outcomes = await this.#rotateOrNone(firstOfEach(batch))
      // The others are decided in the order of their arrival, so the second attempt of a session sees the first.
      const after = new Map<string, Promise<unknown>>()
      for (const job of batch) {
        const { attempt, rules, resolve, reject } = job
        const outcome = outcomes.get(attempt)
        if (outcome !== undefined) {
          resolve(outcome)
          continue
        }
        const { sessionId } = attempt
        const decided = (after.get(sessionId) ?? Promise.resolve()).then(() =>
          this.#alone(attempt, rules, job.arrivedAtMs),
        )
        after.set(
          sessionId,
          decided.catch(() => {}),
        )
        decided.then(resolve, reject)
      }
    } catch (fault) {
      for (const { reject } of batch) reject(fault)
    }
  }

  async #rotateOrNone(jobs: readonly Job[]): Promise<Map<RefreshAttempt, RefreshOutcome>> {
    try {
      return await this.#rotate(jobs)
    } catch (fault) {
      // One attempt spoils the statement of all. Each is then decided by itself.
      if (isOfValue(fault)) return new Map()
      throw fault
    }
  }

  /** Rotates what the second line of the rotation table allows. Attempts without an outcome changed no row. */
  async #rotate(jobs: readonly Job[]): Promise<Map<RefreshAttempt, RefreshOutcome>> {
    const now = this.#db.clock.nowMs()
    const rows = await this.#db.writeRows(ROTATE, [
      jobs.map(({ attempt }) => attempt.sessionId),
      jobs.map(({ attempt }) => attempt.generation),
      jobs.map(({ attempt }) => attempt.jti),
      jobs.map(({ attempt }) => attempt.address),
      jobs.map(({ attempt }) => attempt.userAgent),
      jobs.map(({ rules }) => rules.refreshKid),
      jobs.map(({ rules }) => now + rules.idleMs),
      jobs.map(({ rules }) => rules.graceMs),
      now,
      now,
    ])
    const bySession = new Map(jobs.map((job) => [job.attempt.sessionId, job]))
    const outcomes = new Map<RefreshAttempt, RefreshOutcome>()
    for (const row of rows) {
      const job = bySession.get(sessions.text(row, 'id'))
      if (job === undefined) continue
      const session = toGranted(row, job.attempt, job.rules, now)
      const account = toClaims(session.accountId, row)
      const position = sessions.integer(row, 'position')
      outcomes.set(job.attempt, { kind: 'rotated', session, account, position, now })
    }
    return outcomes
  }

  async #alone(
    attempt: RefreshAttempt,
    rules: RefreshRules,
    arrivedAtMs = performance.now(),
  ): Promise<RefreshOutcome> {
    try {
      return await this.#db.write(
        async (tx) => {
          const head = await tx.get('SELECT position FROM revocation_head WHERE id = 1')
          // Without this lock, another refresh could rotate the session between the decision and its write.
          await tx.get('SELECT 1 FROM sessions WHERE id = ? FOR UPDATE', attempt.sessionId)
          const position = Number(head?.['position'])
          const outcome = await decideSlowly({ tx, attempt, rules, now: tx.nowMs(), position })
          if (outcome.kind === 'ending' && isLate(arrivedAtMs)) throw lateFault()
          return outcome
        },
        { session: attempt.sessionId },
      )
    } catch (error) {
      if (error instanceof Forgery) return { kind: 'refused', code: 'token_invalid' }
      throw error
    }
  }
}

function isLate(arrivedAtMs: number): boolean {
  return performance.now() - arrivedAtMs > WAIT_MS_MAX
}

function lateFault(): StoreFault {
  return new StoreFault('The refresh waited too long for the database.')
}

function firstOfEach(batch: readonly Job[]): readonly Job[] {
  const seen = new Set<string>()
  return batch.filter(({ attempt: { sessionId } }) => !seen.has(sessionId) && seen.add(sessionId))
}

/** See `nextGrace`. */
const WINDOW_IS_OVER = 'abs(t.now - s.grace_began_at) >= a.grace_ms'

/**
 * See `refreshJti`. The statement commits by itself, so it must not rotate a session for a forged token. A forged
 * attempt changes no row, and is then refused by a comparison in constant time.
 */
const IS_GENUINE = `a.jti =
  left(encode(sha256(s.seed || convert_to(s.id || '.' || s.generation, 'UTF8')), 'hex'), ${JTI_HEX_CHARS})`

/**
 * Rows are locked in the order of their ids. A row that another transaction has locked is left out, so that one session
 * does not delay the others. Position, account and tenant come from the snapshot of this statement.
 */
const ROTATE = `
  WITH attempts AS (
    SELECT * FROM unnest(CAST(? AS text[]), CAST(? AS bigint[]), CAST(? AS text[]), CAST(? AS text[]),
                         CAST(? AS text[]), CAST(? AS text[]), CAST(? AS bigint[]), CAST(? AS bigint[]))
      AS a (id, generation, jti, address, user_agent, kid, idle_until, grace_ms)),
  times AS (SELECT CAST(? AS bigint) AS now),
  held AS MATERIALIZED (
    SELECT s.id FROM sessions s JOIN attempts a ON a.id = s.id AND a.generation = s.generation
    WHERE ${IS_GENUINE}
    ORDER BY s.id FOR UPDATE OF s SKIP LOCKED)
  UPDATE sessions s
  SET generation = s.generation + 1, rotated_at = t.now,
      prior_generation = CASE WHEN ${WINDOW_IS_OVER} THEN s.grace_generation ELSE s.prior_generation END,
      prior_rotated_at = CASE WHEN ${WINDOW_IS_OVER} THEN s.rotated_at ELSE s.prior_rotated_at END,
      grace_generation = CASE WHEN ${WINDOW_IS_OVER} THEN s.generation ELSE s.grace_generation END,
      grace_began_at = CASE WHEN ${WINDOW_IS_OVER} THEN t.now ELSE s.grace_began_at END,
      expires_at = least(a.idle_until, s.ends_at), refresh_kid = a.kid,
      address = a.address, user_agent = a.user_agent
  FROM attempts a, times t, held h
  WHERE s.id = h.id AND a.id = s.id AND s.generation = a.generation AND ${SESSION_LIVES}
  RETURNING s.id, s.account_id, s.client_id, s.seed, s.created_at, s.expires_at, s.ends_at, s.tenant_id,
            s.authenticated_at, s.amr, s.acr, s.second_factor,
            CASE WHEN s.tenant_id IS NULL THEN NULL ELSE
              (SELECT m.roles FROM memberships m
               WHERE m.account_id = s.account_id AND m.tenant_id = s.tenant_id)
            END AS tenant_roles,
            CASE WHEN s.tenant_id IS NULL THEN NULL ELSE
              (SELECT w.name FROM tenants w WHERE w.id = s.tenant_id)
            END AS tenant_name,
            (SELECT o.user_id FROM accounts o WHERE o.id = s.account_id) AS user_id,
            (SELECT o.roles FROM accounts o WHERE o.id = s.account_id) AS roles,
            (SELECT h.position FROM revocation_head h WHERE h.id = 1) AS position`
