import type { Account } from '../rows.ts'
import type { ShadowStore } from '../store.ts'
import { forgetTrusted } from './account-rows.ts'
import { auditChange } from './audit.ts'
import { columnsOf } from './columns.ts'
import type { SqliteDatabase } from './database.ts'
import { viewFactors } from './factor-rows.ts'
import { isKnownAddress } from './known-address.ts'
import { appendRevocation } from './revocations.ts'

const accounts = columnsOf('accounts')

/** Shadows of an application's accounts on SQLite: rows of the table `accounts`. */
export function createShadowStore(db: SqliteDatabase): ShadowStore {
  return {
    viewForSignIn: async (accountId, address) =>
      db.read(() => {
        const row = db.get('SELECT hard_position FROM accounts WHERE id = ?', accountId)
        return {
          isKnownAddress: isKnownAddress(db, accountId, address),
          hardPosition: row === undefined ? 0 : accounts.integer(row, 'hard_position'),
          factors: viewFactors(db, accountId),
        }
      }),

    noteChange: async (accountId, context) =>
      db.write(() => {
        auditChange(db, accountId, 'account_changed', context)
        appendRevocation(db, 'account', accountId, 'soft', context.at)
      }),

    endSessions: async (accountId, context) =>
      db.write(() => {
        // Also creates the row of an account that has never logged in. A first login may be in progress, and
        // must find the new position.
        keepShadow(db, { id: accountId, username: accountId, roles: [], createdAt: context.at })
        auditChange(db, accountId, 'sessions_ended', context)
        const position = appendRevocation(db, 'account', accountId, 'hard', context.at)
        db.run('UPDATE accounts SET hard_position = ? WHERE id = ?', position, accountId)
        forgetTrusted(db, accountId)
      }),
  }
}

type Shadow = Pick<Account, 'id' | 'username' | 'roles' | 'createdAt'>

/** Creates the row of an application's account, unless it exists. */
export function keepShadow(db: SqliteDatabase, { id, username, roles, createdAt }: Shadow): void {
  db.run(
    `INSERT INTO accounts (id, username, username_key, user_id, password_hash, roles,
                           disabled_at, hard_position, created_at, is_shadow)
     VALUES (?, ?, ?, NULL, NULL, ?, NULL, 0, ?, 1) ON CONFLICT (id) DO NOTHING`,
    id,
    username,
    `${KEY_PREFIX}${id}`,
    JSON.stringify(roles),
    createdAt,
  )
}

/** Writes the name and the roles that the application returned last. */
export function updateShadow(db: SqliteDatabase, { id, username, roles }: Shadow): void {
  const text = JSON.stringify(roles)
  db.run(
    'UPDATE accounts SET username = ?, roles = ? WHERE id = ? AND (username <> ? OR roles <> ?)',
    username,
    text,
    id,
    username,
    text,
  )
}

// No username has a control character, so no login by name finds the row, whatever names the application
// uses. An account of our own table may have the same name, but it is another account.
const KEY_PREFIX = '\u0001'
