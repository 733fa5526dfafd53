import type { Clock, EpochMs } from '../../base/clock.ts'
import type { AuditContext } from '../audit-context.ts'
import type { Change } from '../change.ts'
import { decideGuess } from '../decide-guess.ts'
import type {
  FactorKind,
  FactorOwner,
  FactorReset,
  FactorStore,
  GuessDecision,
  GuessKind,
} from '../factors.ts'
import { revokeAll, revokeAllExcept } from './account-rows.ts'
import { auditChange, auditSession } from './audit.ts'
import { findChallenge, insertChallenge, takeChallenge } from './challenges.ts'
import { columnsOf } from './columns.ts'
import { step, type SqliteDatabase } from './database.ts'
import {
  countChange,
  forgetGuesses,
  hasFactor,
  insertRecoveryCodes,
  listFactors,
  toPasskey,
  toTotp,
  viewFactors,
} from './factor-rows.ts'
import { useFactor } from './factor-uses.ts'
import { appendRevocation } from './revocations.ts'
import { SESSION_STANDS } from './standing.ts'
import { createDeviceStore } from './trusted-devices.ts'
import { writeOrUndo } from './undo.ts'

const factors = columnsOf('factors')
const guesses = columnsOf('factor_guesses')
const sessions = columnsOf('sessions')
const accounts = columnsOf('accounts')
const scope = columnsOf('passkey_scope')

/** The conditions of the partial indexes: a table without such a factor is not read. */
const ANY: Readonly<Record<FactorKind, string>> = {
  totp: `SELECT 1 FROM factors WHERE kind = 'totp'`,
  passkey: 'SELECT 1 FROM factors WHERE credential_id IS NOT NULL',
}

/** Second factors on SQLite. It is not split, because it lists the methods of one interface. */
export function createFactorStore(db: SqliteDatabase, clock: Clock): FactorStore {
  return {
    ...createDeviceStore(db, clock),

    view: async (accountId) => step(() => db.read(() => viewFactors(db, accountId))),
    list: async (accountId) => step(() => listFactors(db, accountId)),

    totp: async (accountId) =>
      step(() => {
        const row = db.get(
          `SELECT * FROM factors WHERE account_id = ? AND kind = 'totp'`,
          accountId,
        )
        return row === undefined ? undefined : toTotp(row)
      }),

    passkeys: async (accountId) =>
      step(() =>
        db
          .all(
            `SELECT * FROM factors WHERE account_id = ? AND kind = 'passkey' ORDER BY created_at, id`,
            accountId,
          )
          .map(toPasskey),
      ),

    findPasskey: async (credentialId) =>
      step(() => {
        const row = db.get('SELECT * FROM factors WHERE credential_id = ?', credentialId)
        return row === undefined
          ? undefined
          : { factor: toPasskey(row), accountId: factors.text(row, 'account_id') }
      }),

    userHandle: async (accountId, fresh) => {
      // Each login with a passkey asks for it, so only the first call writes.
      const known = step(() => readUserHandle(db, accountId))
      if (known !== undefined) return known
      return db.write(() => {
        db.run(
          'UPDATE accounts SET passkey_user = ? WHERE id = ? AND passkey_user IS NULL',
          fresh,
          accountId,
        )
        return readUserHandle(db, accountId)
      })
    },

    countGuess: async (accountId, kind) =>
      db.write(() => countGuess(db, accountId, kind, clock.nowMs())),

    hasRecoveryCode: async (accountId, hashes) =>
      step(() =>
        hashes.some(
          (hash) =>
            db.get(
              'SELECT 1 FROM recovery_codes WHERE account_id = ? AND hash = ?',
              accountId,
              hash,
            ) !== undefined,
        ),
      ),

    setDue: async (accountId, dueAt) => {
      db.write(() =>
        db.run(
          'UPDATE accounts SET factor_due_at = ? WHERE id = ? AND factor_due_at IS NULL',
          dueAt,
          accountId,
        ),
      )
    },

    addChallenge: async (challenge, context) =>
      db.write(() => {
        insertChallenge(db, challenge)
        const { purpose, accountId } = challenge
        if (purpose === 'sign_in') auditChange(db, accountId, 'second_factor_asked', context)
      }),

    findChallenge: async (id, purpose) => step(() => findChallenge(db, id, purpose, clock.nowMs())),

    takeChallenge: async (id, purpose, subject) =>
      db.write(() => takeChallenge(db, id, purpose, subject, clock.nowMs())),

    raise: async (sessionId, to, { use, version }, context) =>
      writeOrUndo(db, (undo) => {
        const row = db.get(
          `SELECT s.account_id, a.credentials_version FROM sessions s
           JOIN accounts a ON a.id = s.account_id WHERE s.id = ? AND ${SESSION_STANDS}`,
          sessionId,
        )
        if (row === undefined) return 'over'
        if (version !== undefined && accounts.integer(row, 'credentials_version') !== version) {
          return 'outdated'
        }
        const accountId = sessions.text(row, 'account_id')
        const by = { accountId, sessionId }
        if (use !== undefined && !useFactor(db, by, use, context)) return undo('used')
        db.run(
          `UPDATE sessions SET authenticated_at = ?, amr = ?, acr = ?, second_factor = ?
           WHERE id = ?`,
          to.authenticatedAt,
          JSON.stringify(to.amr),
          to.acr ?? null,
          to.secondFactor,
          sessionId,
        )
        auditSession(db, { id: sessionId, accountId }, 'stepped_up', context, to.amr.join(' '))
        appendRevocation(db, 'session', sessionId, 'soft', context.at)
        return 'raised'
      }),

    rename: async (accountId, factorId, name, context) =>
      db.write(() => {
        const row = db.get(
          'SELECT name FROM factors WHERE id = ? AND account_id = ?',
          factorId,
          accountId,
        )
        if (row === undefined) return 'unknown'
        if (factors.text(row, 'name') === name) return 'unchanged'
        db.run('UPDATE factors SET name = ? WHERE id = ?', name, factorId)
        auditChange(db, accountId, 'factor_renamed', context, factorId)
        return 'changed'
      }),

    remove: async (by, factorId, context) =>
      db.write(() => {
        const { accountId, sessionId } = by
        if (!maySteer(db, by)) return 'outdated'
        const removed = db.get(
          'DELETE FROM factors WHERE id = ? AND account_id = ? RETURNING kind',
          factorId,
          accountId,
        )
        if (removed === undefined) return 'unknown'
        // Without a factor they would be a factor of their own.
        if (!hasFactor(db, accountId)) {
          insertRecoveryCodes(db, accountId, [])
          db.run(`UPDATE sessions SET second_factor = 'none', acr = NULL WHERE id = ?`, sessionId)
        }
        countChange(db, accountId)
        auditChange(db, accountId, 'factor_removed', context, factors.text(removed, 'kind'))
        revokeAllExcept(db, accountId, sessionId, context)
        return 'changed'
      }),

    replaceRecoveryCodes: async (by, hashes, context) =>
      db.write(() => {
        const { accountId } = by
        if (!maySteer(db, by)) return 'outdated'
        if (!hasFactor(db, accountId)) return 'unknown'
        insertRecoveryCodes(db, accountId, hashes)
        countChange(db, accountId)
        auditChange(db, accountId, 'recovery_codes_replaced', context)
        appendRevocation(db, 'account', accountId, 'soft', context.at)
        return 'changed'
      }),

    reset: async (accountId, what, context) => db.write(() => reset(db, accountId, what, context)),

    rpId: async () => step(() => readRpId(db)),

    hasAny: async (kind) => step(() => db.get(ANY[kind]) !== undefined),

    chooseRpId: async (rpId) =>
      db.write(() => {
        db.run(
          `INSERT INTO passkey_scope (id, rp_id) VALUES (1, ?) ON CONFLICT (id) DO UPDATE
           SET rp_id = excluded.rp_id
           WHERE NOT EXISTS (${ANY.passkey})`,
          rpId,
        )
        return readRpId(db) ?? rpId
      }),

    purge: async (limit) =>
      db.write(() => {
        const purge = (table: string, key: string, rows: number): number =>
          db.run(
            `DELETE FROM ${table} WHERE ${key} IN
               (SELECT ${key} FROM ${table} WHERE expires_at <= ? LIMIT ?)`,
            clock.nowMs(),
            rows,
          )
        const challenges = purge('challenges', 'id', limit)
        // A full step has exactly `limit` rows: then the caller takes another one.
        return challenges + purge('trusted_devices', 'hash', limit - challenges)
      }),
  }
}

/** Whether the session stands, and nothing has changed since it was checked what the session may do. */
function maySteer(db: SqliteDatabase, { accountId, sessionId, version }: FactorOwner): boolean {
  return (
    db.get(
      `SELECT 1 FROM sessions s JOIN accounts a ON a.id = s.account_id
       WHERE s.id = ? AND a.id = ? AND a.credentials_version = ? AND ${SESSION_STANDS}`,
      sessionId,
      accountId,
      version,
    ) !== undefined
  )
}

function readUserHandle(db: SqliteDatabase, accountId: string): Uint8Array | undefined {
  const row = db.get(
    'SELECT passkey_user FROM accounts WHERE id = ? AND passkey_user IS NOT NULL',
    accountId,
  )
  return row === undefined ? undefined : accounts.bytes(row, 'passkey_user')
}

function readRpId(db: SqliteDatabase): string | undefined {
  const row = db.get('SELECT rp_id FROM passkey_scope WHERE id = 1')
  return row === undefined ? undefined : scope.text(row, 'rp_id')
}

function countGuess(
  db: SqliteDatabase,
  accountId: string,
  kind: GuessKind,
  now: EpochMs,
): GuessDecision {
  const row = db.get(
    'SELECT failures, last_at FROM factor_guesses WHERE account_id = ? AND kind = ?',
    accountId,
    kind,
  )
  const failures = row === undefined ? 0 : guesses.integer(row, 'failures')
  const lastAt = row === undefined ? 0 : guesses.integer(row, 'last_at')
  const decision = decideGuess(kind, failures, lastAt, now)
  if (decision.kind !== 'allowed') return decision
  db.run(
    `INSERT INTO factor_guesses (account_id, kind, failures, last_at) VALUES (?, ?, 1, ?)
     ON CONFLICT (account_id, kind) DO UPDATE SET failures = failures + 1, last_at = excluded.last_at`,
    accountId,
    kind,
    now,
  )
  return decision
}

function reset(
  db: SqliteDatabase,
  accountId: string,
  what: FactorReset,
  context: AuditContext,
): Change {
  if (db.get('SELECT 1 FROM accounts WHERE id = ?', accountId) === undefined) return 'unknown'
  const isAll = what === 'all'
  let removed = 0
  for (const kind of ['totp', 'passkey'] as const) {
    if (!isAll && what !== kind) continue
    removed += db.run('DELETE FROM factors WHERE account_id = ? AND kind = ?', accountId, kind)
  }
  if (isAll || what === 'recovery_codes' || !hasFactor(db, accountId)) {
    removed += db.run('DELETE FROM recovery_codes WHERE account_id = ?', accountId)
  }
  const hadGuesses = db.get('SELECT 1 FROM factor_guesses WHERE account_id = ?', accountId)
  // An operator also unlocks a factor with it.
  forgetGuesses(db, accountId)
  if (removed === 0 && hadGuesses === undefined) return 'unchanged'
  // No new grace: whoever has talked the operator into it must not get in with the password alone.
  db.run('UPDATE accounts SET factor_due_at = ? WHERE id = ?', context.at, accountId)
  countChange(db, accountId)
  auditChange(db, accountId, 'factors_reset', context, what)
  revokeAll(db, accountId, context)
  return 'changed'
}
