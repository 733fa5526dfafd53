import type { Account, AccountEmail, MailLocale } from '../rows.ts'
import type { AuditContext } from '../audit-context.ts'
import { columnsOf } from './columns.ts'
import type { Row, SqliteDatabase } from './database.ts'
import { appendRevocation } from './revocations.ts'
import { SESSION_STANDS } from './standing.ts'

const accounts = columnsOf('accounts')

/** Reads the account with this id, also the row of a shadow. */
export function findById(db: SqliteDatabase, accountId: string): Account | undefined {
  const row = db.get('SELECT * FROM accounts WHERE id = ?', accountId)
  return row === undefined ? undefined : toAccount(row)
}

/** Reads the account with this username. */
export function findByKey(db: SqliteDatabase, usernameKey: string): Account | undefined {
  const row = db.get('SELECT * FROM accounts WHERE username_key = ?', usernameKey)
  return row === undefined ? undefined : toAccount(row)
}

/** Reads the account with this e-mail address, verified or not. */
export function findByEmail(db: SqliteDatabase, emailKey: string): Account | undefined {
  const row = db.get('SELECT * FROM accounts WHERE email_key = ?', emailKey)
  return row === undefined ? undefined : toAccount(row)
}

/**
 * Reads the account that a person means by what they typed. A verified address comes before a username: a
 * stranger could choose another person's address as a username.
 */
export function findByLogin(db: SqliteDatabase, key: string): Account | undefined {
  const row = db.get(
    `SELECT * FROM accounts
     WHERE username_key = ? OR (email_key = ? AND email_verified_at IS NOT NULL)
     ORDER BY email_key IS ? AND email_verified_at IS NOT NULL DESC LIMIT 1`,
    key,
    key,
    key,
  )
  return row === undefined ? undefined : toAccount(row)
}

/** Reads the account that an operator names: by its username, otherwise by its verified address. */
export function findByName(db: SqliteDatabase, key: string): Account | undefined {
  const named = findByKey(db, key)
  if (named !== undefined) return named
  const owner = findByEmail(db, key)
  return owner?.email?.verifiedAt === undefined ? undefined : owner
}

/** Writes a new account. Returns false if another account has the username or the address. */
export function insertAccount(db: SqliteDatabase, account: Account, usernameKey: string): boolean {
  const { email } = account
  return (
    db.run(
      `INSERT INTO accounts (id, username, username_key, user_id, password_hash, roles, disabled_at,
                             hard_position, created_at, email, email_key, email_verified_at, locale)
       VALUES (?, ?, ?, ?, ?, ?, NULL, 0, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
      account.id,
      account.username,
      usernameKey,
      account.userId ?? null,
      account.passwordHash ?? null,
      JSON.stringify(account.roles),
      account.createdAt,
      email?.address ?? null,
      email?.key ?? null,
      email?.verifiedAt ?? null,
      account.locale ?? null,
    ) === 1
  )
}

/** Revokes every session and token of the account with one entry and one row, whatever their number. */
export function revokeAll(db: SqliteDatabase, accountId: string, context: AuditContext): void {
  const position = appendRevocation(db, 'account', accountId, 'hard', context.at)
  db.run('UPDATE accounts SET hard_position = ? WHERE id = ?', position, accountId)
  forgetTrusted(db, accountId)
}

/** Whoever ends all sessions of an account wants no browser to get in without a second factor either. */
export function forgetTrusted(db: SqliteDatabase, accountId: string): void {
  db.run('DELETE FROM trusted_devices WHERE account_id = ?', accountId)
}

/**
 * Like `revokeAll`, but one session survives the new hard position of its account. It survives no other
 * revocation. A session that is already over stays over.
 */
export function revokeAllExcept(
  db: SqliteDatabase,
  accountId: string,
  keepSessionId: string | undefined,
  context: AuditContext,
): void {
  const position = appendRevocation(db, 'account', accountId, 'hard', context.at)
  if (keepSessionId !== undefined) {
    db.run(
      `UPDATE sessions AS s SET survived_position = ?
       WHERE s.id = ? AND s.account_id = ? AND ${SESSION_STANDS}`,
      position,
      keepSessionId,
      accountId,
    )
  }
  db.run('UPDATE accounts SET hard_position = ? WHERE id = ?', position, accountId)
  forgetTrusted(db, accountId)
}

/** Reads a whole row of accounts. */
export function toAccount(row: Row): Account {
  return {
    id: accounts.text(row, 'id'),
    username: accounts.text(row, 'username'),
    userId: accounts.textOrUndefined(row, 'user_id'),
    passwordHash: accounts.textOrUndefined(row, 'password_hash'),
    roles: accounts.texts(row, 'roles'),
    defaultTenantId: accounts.textOrUndefined(row, 'default_tenant'),
    email: toEmail(row),
    // Only this folder writes the table, and `Account` gives the column its type.
    locale: accounts.textOrUndefined(row, 'locale') as MailLocale | undefined,
    credentialsVersion: accounts.integer(row, 'credentials_version'),
    disabledAt: accounts.integerOrUndefined(row, 'disabled_at'),
    hardPosition: accounts.integer(row, 'hard_position'),
    createdAt: accounts.integer(row, 'created_at'),
  }
}

function toEmail(row: Row): AccountEmail | undefined {
  const address = accounts.textOrUndefined(row, 'email')
  if (address === undefined) return undefined
  const key = accounts.text(row, 'email_key')
  return { address, key, verifiedAt: accounts.integerOrUndefined(row, 'email_verified_at') }
}
