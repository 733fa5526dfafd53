import type { EpochMs } from '../../base/clock.ts'
import type { Transaction } from './database.ts'
import { queueLogoutsOf } from './sso-logout-rows.ts'

/** The tables whose rows belong to a session, an application and a grant. */
const OF_SESSIONS = ['sso_records', 'sso_refreshes'] as const

/** Removes all records and refresh tokens of an application. They have no index for it, because that is rare. */
export async function removeGrantsOfApplication(
  tx: Transaction,
  applicationId: string,
): Promise<void> {
  for (const table of OF_SESSIONS) {
    await tx.runLong(`DELETE FROM ${table} WHERE application_id = ?`, applicationId)
  }
}

/**
 * Removes the records and refresh tokens of all sessions of an account, or of those in one application. Returns how
 * many there were.
 */
export async function removeGrantsOfAccount(
  tx: Transaction,
  accountId: string,
  applicationId?: string,
): Promise<number> {
  let removed = 0
  for (const table of OF_SESSIONS) {
    removed += await tx.run(
      `DELETE FROM ${table} WHERE session_id IN (SELECT id FROM sessions WHERE account_id = ?)
       ${applicationId === undefined ? '' : 'AND application_id = ?'}`,
      accountId,
      ...(applicationId === undefined ? [] : [applicationId]),
    )
  }
  return removed
}

/**
 * Deletes everything that single sign-on stores about an account that is deleted, and its identities. Applications in
 * which it was signed in are told of the logout. Call it before the sessions of the account are deleted.
 */
export async function deleteSsoOf(tx: Transaction, accountId: string, now: EpochMs): Promise<void> {
  await removeGrantsOfAccount(tx, accountId)
  await queueLogoutsOf(tx, accountId, now)
  for (const table of ['sso_consents', 'identities']) {
    await tx.run(`DELETE FROM ${table} WHERE account_id = ?`, accountId)
  }
}

/**
 * Removes all records and refresh tokens of a backup. Since it was made, a code may have been used, and a grant
 * revoked.
 */
export async function voidGrants(tx: Transaction): Promise<void> {
  for (const table of OF_SESSIONS) await tx.runLong(`DELETE FROM ${table}`)
}
