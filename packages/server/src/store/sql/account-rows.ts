import type { Account, AccountEmail, MailLocale } from '../rows.ts'
import type { AuditContext } from '../audit-context.ts'
import { columnsOf } from './columns.ts'
import type { Row, Transaction } from './database.ts'
import { appendRevocation } from './revocations.ts'
import { SESSION_STANDS } from './standing.ts'

const accounts = columnsOf('accounts')

/** Reads the account with this id, also the row of a shadow. */
export async function findById(tx: Transaction, accountId: string): Promise<Account | undefined> {
  const row = await tx.get('SELECT * FROM accounts WHERE id = ?', accountId)
  return row === undefined ? undefined : toAccount(row)
}

/** Reads the account with this username. */
export async function findByKey(
  tx: Transaction,
  usernameKey: string,
): Promise<Account | undefined> {
  const row = await tx.get('SELECT * FROM accounts WHERE username_key = ?', usernameKey)
  return row === undefined ? undefined : toAccount(row)
}

/** Reads the account with this e-mail address, verified or not. */
export async function findByEmail(tx: Transaction, emailKey: string): Promise<Account | undefined> {
  const row = await tx.get('SELECT * FROM accounts WHERE email_key = ?', emailKey)
  return row === undefined ? undefined : toAccount(row)
}

/**
 * Reads the account that a person means by what they typed. A verified address comes before a username: a
 * stranger could choose another person's address as a username.
 */
export async function findByLogin(tx: Transaction, key: string): Promise<Account | undefined> {
  const row = await tx.get(
    `SELECT * FROM accounts
     WHERE username_key = ? OR (email_key = ? AND email_verified_at IS NOT NULL)
     ORDER BY (email_key IS NOT DISTINCT FROM ? AND email_verified_at IS NOT NULL) DESC LIMIT 1`,
    key,
    key,
    key,
  )
  return row === undefined ? undefined : toAccount(row)
}

/** Reads the account that an operator names: by its username, otherwise by its verified address. */
export async function findByName(tx: Transaction, key: string): Promise<Account | undefined> {
  const named = await findByKey(tx, key)
  if (named !== undefined) return named
  const owner = await findByEmail(tx, key)
  return owner?.email?.verifiedAt === undefined ? undefined : owner
}

/** Writes a new account. Returns false if another account has the username or the address. */
export async function insertAccount(
  tx: Transaction,
  account: Account,
  usernameKey: string,
): Promise<boolean> {
  const { email } = account
  return (
    (await tx.run(
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
    )) === 1
  )
}

/** Revokes every session and token of the account with one entry and one row, whatever their number. */
export async function revokeAll(
  tx: Transaction,
  accountId: string,
  context: AuditContext,
): Promise<void> {
  const position = await appendRevocation(tx, 'account', accountId, 'hard', context.at)
  await tx.run('UPDATE accounts SET hard_position = ? WHERE id = ?', position, accountId)
  await forgetTrusted(tx, accountId)
}

/** After the end of all sessions, no browser may log in without a second factor. */
export async function forgetTrusted(tx: Transaction, accountId: string): Promise<void> {
  await tx.run('DELETE FROM trusted_devices WHERE account_id = ?', accountId)
}

/**
 * Like `revokeAll`, but one session survives the new hard position of its account. It survives no other
 * revocation. A session that is already over stays over.
 */
export async function revokeAllExcept(
  tx: Transaction,
  accountId: string,
  keepSessionId: string | undefined,
  context: AuditContext,
): Promise<void> {
  const position = await appendRevocation(tx, 'account', accountId, 'hard', context.at)
  if (keepSessionId !== undefined) {
    await tx.run(
      `UPDATE sessions AS s SET survived_position = ?
       WHERE s.id = ? AND s.account_id = ? AND ${SESSION_STANDS}`,
      position,
      keepSessionId,
      accountId,
    )
  }
  await tx.run('UPDATE accounts SET hard_position = ? WHERE id = ?', position, accountId)
  await forgetTrusted(tx, accountId)
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
