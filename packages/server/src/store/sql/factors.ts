import type { EpochMs } from '../../base/clock.ts'
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
import type { Database, Transaction } from './database.ts'
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

/** Second factors in SQL. It is not split, because it lists the methods of one interface. */
export function createFactorStore(db: Database): FactorStore {
  return {
    ...createDeviceStore(db),

    view: async (accountId) => db.read((tx) => viewFactors(tx, accountId)),
    list: async (accountId) => db.step(async (tx) => listFactors(tx, accountId)),

    totp: async (accountId) =>
      db.step(async (tx) => {
        const row = await tx.get(
          `SELECT * FROM factors WHERE account_id = ? AND kind = 'totp'`,
          accountId,
        )
        return row === undefined ? undefined : toTotp(row)
      }),

    passkeys: async (accountId) =>
      db.step(async (tx) =>
        (
          await tx.all(
            `SELECT * FROM factors WHERE account_id = ? AND kind = 'passkey' ORDER BY created_at, id`,
            accountId,
          )
        ).map(toPasskey),
      ),

    findPasskey: async (credentialId) =>
      db.step(async (tx) => {
        const row = await tx.get('SELECT * FROM factors WHERE credential_id = ?', credentialId)
        return row === undefined
          ? undefined
          : { factor: toPasskey(row), accountId: factors.text(row, 'account_id') }
      }),

    userHandle: async (accountId, fresh) => {
      // Each login with a passkey asks for it, so only the first call writes.
      const known = await db.step(async (tx) => readUserHandle(tx, accountId))
      if (known !== undefined) return known
      return db.write(async (tx) => {
        await tx.run(
          'UPDATE accounts SET passkey_user = ? WHERE id = ? AND passkey_user IS NULL',
          fresh,
          accountId,
        )
        return readUserHandle(tx, accountId)
      }, 'none')
    },

    countGuess: async (accountId, kind) =>
      db.write(async (tx) => countGuess(tx, accountId, kind, tx.nowMs()), { account: accountId }),

    hasRecoveryCode: async (accountId, hashes) =>
      db.step(async (tx) => hasRecoveryCode(tx, accountId, hashes)),

    setDue: async (accountId, dueAt) => {
      await db.write(
        async (tx) =>
          tx.run(
            'UPDATE accounts SET factor_due_at = ? WHERE id = ? AND factor_due_at IS NULL',
            dueAt,
            accountId,
          ),
        'none',
      )
    },

    addChallenge: async (challenge, context) =>
      db.write(
        async (tx) => {
          await insertChallenge(tx, challenge)
          const { purpose, accountId } = challenge
          if (purpose === 'sign_in')
            await auditChange(tx, accountId, 'second_factor_asked', context)
        },
        challenge.accountId === undefined ? undefined : { account: challenge.accountId },
      ),

    findChallenge: async (id, purpose) =>
      db.step(async (tx) => findChallenge(tx, id, purpose, tx.nowMs())),

    takeChallenge: async (id, purpose, subject) =>
      db.write(async (tx) => takeChallenge(tx, id, purpose, subject, tx.nowMs()), 'none'),

    raise: async (sessionId, to, { use, version }, context) =>
      writeOrUndo(
        db,
        async (tx, undo) => {
          const row = await tx.get(
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
          if (use !== undefined && !(await useFactor(tx, by, use, context))) return undo('used')
          await tx.run(
            `UPDATE sessions SET authenticated_at = ?, amr = ?, acr = ?, second_factor = ?
           WHERE id = ?`,
            to.authenticatedAt,
            JSON.stringify(to.amr),
            to.acr ?? null,
            to.secondFactor,
            sessionId,
          )
          await auditSession(
            tx,
            { id: sessionId, accountId },
            'stepped_up',
            context,
            to.amr.join(' '),
          )
          await appendRevocation(tx, 'session', sessionId, 'soft', context.at)
          return 'raised'
        },
        { session: sessionId },
      ),

    rename: async (accountId, factorId, name, context) =>
      db.write(
        async (tx) => {
          const row = await tx.get(
            'SELECT name FROM factors WHERE id = ? AND account_id = ?',
            factorId,
            accountId,
          )
          if (row === undefined) return 'unknown'
          if (factors.text(row, 'name') === name) return 'unchanged'
          await tx.run('UPDATE factors SET name = ? WHERE id = ?', name, factorId)
          await auditChange(tx, accountId, 'factor_renamed', context, factorId)
          return 'changed'
        },
        { account: accountId },
      ),

    remove: async (by, factorId, context) =>
      db.write(
        async (tx) => {
          const { accountId, sessionId } = by
          if (!(await maySteer(tx, by))) return 'outdated'
          const removed = await tx.get(
            'DELETE FROM factors WHERE id = ? AND account_id = ? RETURNING kind',
            factorId,
            accountId,
          )
          if (removed === undefined) return 'unknown'
          // Without a factor they would be a factor of their own.
          if (!(await hasFactor(tx, accountId))) {
            await insertRecoveryCodes(tx, accountId, [])
            await tx.run(
              `UPDATE sessions SET second_factor = 'none', acr = NULL WHERE id = ?`,
              sessionId,
            )
          }
          await countChange(tx, accountId)
          await auditChange(tx, accountId, 'factor_removed', context, factors.text(removed, 'kind'))
          await revokeAllExcept(tx, accountId, sessionId, context)
          return 'changed'
        },
        { account: by.accountId },
      ),

    replaceRecoveryCodes: async (by, hashes, context) =>
      db.write(
        async (tx) => {
          const { accountId } = by
          if (!(await maySteer(tx, by))) return 'outdated'
          if (!(await hasFactor(tx, accountId))) return 'unknown'
          await insertRecoveryCodes(tx, accountId, hashes)
          await countChange(tx, accountId)
          await auditChange(tx, accountId, 'recovery_codes_replaced', context)
          await appendRevocation(tx, 'account', accountId, 'soft', context.at)
          return 'changed'
        },
        { account: by.accountId },
      ),

    reset: async (accountId, what, context) =>
      db.write(async (tx) => reset(tx, accountId, what, context), { account: accountId }),

    rpId: async () => db.step(async (tx) => readRpId(tx)),

    hasAny: async (kind) => db.step(async (tx) => (await tx.get(ANY[kind])) !== undefined),

    chooseRpId: async (rpId) =>
      db.write(async (tx) => {
        await tx.run(
          `INSERT INTO passkey_scope (id, rp_id) VALUES (1, ?) ON CONFLICT (id) DO UPDATE
           SET rp_id = excluded.rp_id
           WHERE NOT EXISTS (${ANY.passkey})`,
          rpId,
        )
        return (await readRpId(tx)) ?? rpId
      }),

    purge: async (limit) =>
      db.write(async (tx) => {
        const purge = async (table: string, key: string, rows: number): Promise<number> =>
          tx.run(
            `DELETE FROM ${table} WHERE ${key} IN
               (SELECT ${key} FROM ${table} WHERE expires_at <= ? LIMIT ?)`,
            tx.nowMs(),
            rows,
          )
        const challenges = await purge('challenges', 'id', limit)
        // A full step has exactly `limit` rows: then the caller takes another one.
        return challenges + (await purge('trusted_devices', 'hash', limit - challenges))
      }),
  }
}

/** Whether the session stands, and nothing has changed since it was checked what the session may do. */
async function maySteer(
  tx: Transaction,
  { accountId, sessionId, version }: FactorOwner,
): Promise<boolean> {
  return (
    (await tx.get(
      `SELECT 1 FROM sessions s JOIN accounts a ON a.id = s.account_id
       WHERE s.id = ? AND a.id = ? AND a.credentials_version = ? AND ${SESSION_STANDS}`,
      sessionId,
      accountId,
      version,
    )) !== undefined
  )
}

async function hasRecoveryCode(
  tx: Transaction,
  accountId: string,
  hashes: readonly Uint8Array[],
): Promise<boolean> {
  for (const hash of hashes) {
    const found = await tx.get(
      'SELECT 1 FROM recovery_codes WHERE account_id = ? AND hash = ?',
      accountId,
      hash,
    )
    if (found !== undefined) return true
  }
  return false
}

async function readUserHandle(tx: Transaction, accountId: string): Promise<Uint8Array | undefined> {
  const row = await tx.get(
    'SELECT passkey_user FROM accounts WHERE id = ? AND passkey_user IS NOT NULL',
    accountId,
  )
  return row === undefined ? undefined : accounts.bytes(row, 'passkey_user')
}

async function readRpId(tx: Transaction): Promise<string | undefined> {
  const row = await tx.get('SELECT rp_id FROM passkey_scope WHERE id = 1')
  return row === undefined ? undefined : scope.text(row, 'rp_id')
}

async function countGuess(
  tx: Transaction,
  accountId: string,
  kind: GuessKind,
  now: EpochMs,
): Promise<GuessDecision> {
  const row = await tx.get(
    'SELECT failures, last_at FROM factor_guesses WHERE account_id = ? AND kind = ?',
    accountId,
    kind,
  )
  const failures = row === undefined ? 0 : guesses.integer(row, 'failures')
  const lastAt = row === undefined ? 0 : guesses.integer(row, 'last_at')
  const decision = decideGuess(kind, failures, lastAt, now)
  if (decision.kind !== 'allowed') return decision
  await tx.run(
    `INSERT INTO factor_guesses (account_id, kind, failures, last_at) VALUES (?, ?, 1, ?)
     ON CONFLICT (account_id, kind) DO UPDATE SET failures = factor_guesses.failures + 1, last_at = excluded.last_at`,
    accountId,
    kind,
    now,
  )
  return decision
}

async function reset(
  tx: Transaction,
  accountId: string,
  what: FactorReset,
  context: AuditContext,
): Promise<Change> {
  if ((await tx.get('SELECT 1 FROM accounts WHERE id = ?', accountId)) === undefined)
    return 'unknown'
  const isAll = what === 'all'
  let removed = 0
  for (const kind of ['totp', 'passkey'] as const) {
    if (!isAll && what !== kind) continue
    removed += await tx.run(
      'DELETE FROM factors WHERE account_id = ? AND kind = ?',
      accountId,
      kind,
    )
  }
  if (isAll || what === 'recovery_codes' || !(await hasFactor(tx, accountId))) {
    removed += await tx.run('DELETE FROM recovery_codes WHERE account_id = ?', accountId)
  }
  const hadGuesses = await tx.get('SELECT 1 FROM factor_guesses WHERE account_id = ?', accountId)
  // An operator also unlocks a factor with it.
  await forgetGuesses(tx, accountId)
  if (removed === 0 && hadGuesses === undefined) return 'unchanged'
  // No new grace: whoever has talked the operator into it must not get in with the password alone.
  await tx.run('UPDATE accounts SET factor_due_at = ? WHERE id = ?', context.at, accountId)
  await countChange(tx, accountId)
  await auditChange(tx, accountId, 'factors_reset', context, what)
  await revokeAll(tx, accountId, context)
  return 'changed'
}
