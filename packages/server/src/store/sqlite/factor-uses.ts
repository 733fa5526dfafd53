import type { AuditContext } from '../audit-context.ts'
import type { FactorUse, SignInUse } from '../factors.ts'
import { auditChange } from './audit.ts'
import type { SqliteDatabase } from './database.ts'
import {
  countChange,
  forgetGuesses,
  hasFactor,
  insertFactor,
  insertRecoveryCodes,
} from './factor-rows.ts'
import { redeemForFactor } from './mail-codes.ts'
import { appendRevocation } from './revocations.ts'

/**
 * Uses up the ticket and the factor of a sign-in. Call it inside the transaction that opens the session. Returns false
 * if either was used meanwhile; the caller must then undo the transaction.
 */
export function useForSignIn(
  db: SqliteDatabase,
  { id: sessionId, accountId }: { readonly id: string; readonly accountId: string },
  { ticketId, use }: SignInUse,
  context: AuditContext,
): boolean {
  if (ticketId !== undefined) {
    const deleted = db.run(
      `DELETE FROM challenges WHERE id = ? AND purpose = 'sign_in' AND account_id = ?`,
      ticketId,
      accountId,
    )
    if (deleted === 0) return false
  }
  return use === undefined || useFactor(db, { accountId, sessionId }, use, context)
}

/** The account whose factor is used, and the session that uses it. */
interface FactorUser {
  readonly accountId: string
  readonly sessionId: string
}

/**
 * Uses a factor, and forgets the wrong guesses at all factors of the account. Call it inside a transaction. Returns
 * false if it was used or removed meanwhile; the caller must then undo the transaction.
 */
export function useFactor(
  db: SqliteDatabase,
  by: FactorUser,
  use: FactorUse,
  context: AuditContext,
): boolean {
  if (!apply(db, by, use, context)) return false
  forgetGuesses(db, by.accountId)
  return true
}

function apply(db: SqliteDatabase, by: FactorUser, use: FactorUse, context: AuditContext): boolean {
  const { accountId } = by
  // The mails of the context belong to the change that the caller writes.
  const alone = { ...context, mails: undefined }
  switch (use.kind) {
    case 'totp':
      return (
        db.run(
          `UPDATE factors SET last_step = ?, last_used_at = ?
           WHERE id = ? AND account_id = ? AND kind = 'totp' AND last_step < ?`,
          use.step,
          context.at,
          use.factorId,
          accountId,
          use.step,
        ) === 1
      )
    case 'recovery_code': {
      const marks = use.hashes.map(() => '?').join(', ')
      const deleted = db.run(
        `DELETE FROM recovery_codes WHERE account_id = ? AND hash IN (${marks})`,
        accountId,
        ...use.hashes,
      )
      if (deleted > 0) auditChange(db, accountId, 'recovery_code_used', alone)
      return deleted > 0
    }
    case 'passkey':
      return (
        db.run(
          `UPDATE factors SET sign_count = ?, is_backed_up = ?, last_used_at = ?
           WHERE id = ? AND account_id = ? AND kind = 'passkey'
             AND (sign_count < ? OR (sign_count = 0 AND ? = 0))`,
          use.signCount,
          use.isBackedUp ? 1 : 0,
          context.at,
          use.factorId,
          accountId,
          use.signCount,
          use.signCount,
        ) === 1
      )
    case 'mail':
      return redeemForFactor(db, use.codeId, accountId, context.at)
    case 'enrol':
      return enrol(db, by, use, alone)
  }
}

/**
 * Enrols a factor. Sessions of the account continue, and their tokens become stale, so that services learn of it. Beside
 * the first factor, a mailed code no longer counts, so other sessions that gave one have only one factor now.
 */
function enrol(
  db: SqliteDatabase,
  { accountId, sessionId }: FactorUser,
  { factor, recovery }: Extract<FactorUse, { kind: 'enrol' }>,
  context: AuditContext,
): boolean {
  if (!hasFactor(db, accountId)) {
    db.run(
      `UPDATE sessions SET second_factor = 'none'
       WHERE account_id = ? AND id <> ? AND second_factor = 'given'`,
      accountId,
      sessionId,
    )
  }
  if (!insertFactor(db, accountId, factor, context)) return false
  if (recovery.length > 0) insertRecoveryCodes(db, accountId, recovery)
  countChange(db, accountId)
  auditChange(db, accountId, 'factor_added', context, factor.kind)
  appendRevocation(db, 'account', accountId, 'soft', context.at)
  return true
}
