import type { Transaction } from './database.ts'

const KNOWN_SESSIONS = 50

/** Whether the account has a session, live or over. */
export async function hasSessions(tx: Transaction, accountId: string): Promise<boolean> {
  return (
    (await tx.get('SELECT 1 FROM sessions WHERE account_id = ? LIMIT 1', accountId)) !== undefined
  )
}

/** Whether one of the account's newest 50 sessions came from this address. */
export async function isKnownAddress(
  tx: Transaction,
  accountId: string,
  address: string,
): Promise<boolean> {
  if (address === '') return false
  const row = await tx.get(
    `SELECT 1 FROM (SELECT address FROM sessions WHERE account_id = ?
                    ORDER BY created_at DESC LIMIT ${KNOWN_SESSIONS}) newest WHERE address = ?`,
    accountId,
    address,
  )
  return row !== undefined
}
