import type { AuditContext } from '../audit-context.ts'
import type { FactorUse, SignInUse } from '../factors.ts'
import { auditChange } from './audit.ts'
import type { Transaction } from './database.ts'
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
export async function useForSignIn(
  tx: Transaction,
  { id: sessionId, accountId }: { readonly id: string; readonly accountId: string },
  { ticketId, use }: SignInUse,
  context: AuditContext,
): Promise<boolean> {
  if (ticketId !== undefined) {
    const deleted = await tx.run(
      `DELETE FROM challenges WHERE id = ? AND purpose = 'sign_in' AND account_id = ?`,
      ticketId,
      accountId,
    )
    if (deleted === 0) return false
  }
  return use === undefined || (await useFactor(tx, { accountId, sessionId }, use, context))
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
export async function useFactor(
  tx: Transaction,
  by: FactorUser,
  use: FactorUse,
  context: AuditContext,
): Promise<boolean> {
  if (!(await apply(tx, by, use, context))) return false
  await forgetGuesses(tx, by.accountId)
  return true
}

async function apply(
  tx: Transaction,
  by: FactorUser,
  use: FactorUse,
  context: AuditContext,
): Promise<boolean> {
  const { accountId } = by
  // The mails of the context belong to the change that the caller writes.
  const alone = { ...context, mails: undefined }
  switch (use.kind) {
    case 'totp':
      return (
        (await tx.run(
          `UPDATE factors SET last_step = ?, last_used_at = ?
           WHERE id = ? AND account_id = ? AND kind = 'totp' AND last_step < ?`,
          use.step,
          context.at,
          use.factorId,
          accountId,
          use.step,
        )) === 1
      )
    case 'recovery_code': {
      const marks = use.hashes.map(() => '?').join(', ')
      const deleted = await tx.run(
        `DELETE FROM recovery_codes WHERE account_id = ? AND hash IN (${marks})`,
        accountId,
        ...use.hashes,
      )
      if (deleted > 0) await auditChange(tx, accountId, 'recovery_code_used', alone)
      return deleted > 0
    }
    case 'passkey':
      return (
        (await tx.run(
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
        )) === 1
      )
    case 'mail':
      return redeemForFactor(tx, use.codeId, accountId, context.at)
    case 'enrol':
      return enrol(tx, by, use, alone)
  }
}

/**
 * Enrols a factor. Sessions of the account continue, and their tokens become stale, so that services learn of it. Beside
 * the first factor, a mailed code no longer counts, so other sessions that gave one have only one factor now.
 */
async function enrol(
  tx: Transaction,
  { accountId, sessionId }: FactorUser,
  { factor, recovery }: Extract<FactorUse, { kind: 'enrol' }>,
  context: AuditContext,
): Promise<boolean> {
  if (!(await hasFactor(tx, accountId))) {
    await tx.run(
      `UPDATE sessions SET second_factor = 'none'
       WHERE account_id = ? AND id <> ? AND second_factor = 'given'`,
      accountId,
      sessionId,
    )
  }
  if (!(await insertFactor(tx, accountId, factor, context))) return false
  if (recovery.length > 0) await insertRecoveryCodes(tx, accountId, recovery)
  await countChange(tx, accountId)
  await auditChange(tx, accountId, 'factor_added', context, factor.kind)
  await appendRevocation(tx, 'account', accountId, 'soft', context.at)
  return true
}
