import type { SqliteDatabase } from './database.ts'

const KNOWN_SESSIONS = 50

/** Whether the account has a session, live or over. */
export function hasSessions(db: SqliteDatabase, accountId: string): boolean {
  return db.get('SELECT 1 FROM sessions WHERE account_id = ? LIMIT 1', accountId) !== undefined
}

/** Whether one of the account's newest 50 sessions came from this address. */
export function isKnownAddress(db: SqliteDatabase, accountId: string, address: string): boolean {
  if (address === '') return false
  const row = db.get(
    `SELECT 1 FROM (SELECT address FROM sessions WHERE account_id = ?
                    ORDER BY created_at DESC LIMIT ${KNOWN_SESSIONS}) WHERE address = ?`,
    accountId,
    address,
  )
  return row !== undefined
}
