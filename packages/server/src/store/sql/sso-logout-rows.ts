import { createHash } from 'node:crypto'

import type { EpochMs } from '../../base/clock.ts'
import type { SsoLogin, SsoLogout } from '../sso.ts'
import { columnsOf } from './columns.ts'
import type { Row, SqlValue, Transaction } from './database.ts'

const logins = columnsOf('sso_logins')
const logouts = columnsOf('sso_logouts')

/** The fields of a login that its logout needs. */
type EndedLogin = Pick<SsoLogin, 'sessionId' | 'applicationId' | 'accountId' | 'sid'>

/** Writes a logout that is due at once. Does nothing if it waits already. */
export async function queueLogout(tx: Transaction, login: EndedLogin, now: EpochMs): Promise<void> {
  await tx.run(
    `INSERT INTO sso_logouts (id, application_id, account_id, sid, attempts, created_at, due_at)
     VALUES (?, ?, ?, ?, 0, ?, ?) ON CONFLICT (id) DO NOTHING`,
    logoutId(login),
    login.applicationId,
    login.accountId,
    login.sid,
    now,
    now,
  )
}

/** Moves all logins of an account into the outbox. */
export async function queueLogoutsOf(
  tx: Transaction,
  accountId: string,
  now: EpochMs,
): Promise<void> {
  await moveToOutbox(
    tx,
    'DELETE FROM sso_logins WHERE account_id = ? RETURNING *',
    [accountId],
    now,
  )
}

/** Queues the logouts of the logins that a statement deletes and returns. Returns their number. */
export async function moveToOutbox(
  tx: Transaction,
  deletion: string,
  values: readonly SqlValue[],
  now: EpochMs,
): Promise<number> {
  const deleted = (await tx.all(deletion, ...values)).map(toLogin)
  for (const login of deleted) await queueLogout(tx, login, now)
  return deleted.length
}

/** Reads a row of `sso_logins`. */
export function toLogin(row: Row): SsoLogin {
  return {
    sessionId: logins.text(row, 'session_id'),
    applicationId: logins.text(row, 'application_id'),
    accountId: logins.text(row, 'account_id'),
    sid: logins.text(row, 'sid'),
    createdAt: logins.integer(row, 'created_at'),
    expiresAt: logins.integer(row, 'expires_at'),
  }
}

/** Reads a row of `sso_logouts`. */
export function toLogout(row: Row): SsoLogout {
  return {
    id: logouts.text(row, 'id'),
    applicationId: logouts.text(row, 'application_id'),
    accountId: logouts.text(row, 'account_id'),
    sid: logouts.text(row, 'sid'),
    attempts: logouts.integer(row, 'attempts'),
    createdAt: logouts.integer(row, 'created_at'),
  }
}

/** The same login gets the same id, so that no step can queue its logout twice. */
function logoutId({ sessionId, applicationId, sid }: EndedLogin): string {
  const name = JSON.stringify([sessionId, applicationId, sid])
  const hash = createHash('sha256').update(name).digest().subarray(0, 16)
  return `logout_${hash.toString('base64url')}`
}
