import type { Account } from '../rows.ts'
import type { ShadowStore } from '../store.ts'
import { auditChange } from './audit.ts'
import type { SqliteDatabase } from './database.ts'
import { appendRevocation } from './revocations.ts'
import { isKnownAddress } from './known-address.ts'

export function createShadowStore(db: SqliteDatabase): ShadowStore {
  return {
    viewForSignIn: async (accountId, address) =>
      db.read(() => {
        const row = db.get('SELECT hard_position FROM accounts WHERE id = ?', accountId)
        return {
          isKnownAddress: isKnownAddress(db, accountId, address),
          hardPosition: Number(row?.['hard_position'] ?? 0),
        }
      }),

    noteChange: async (accountId, context) =>
      db.write(() => {
        auditChange(db, accountId, 'account_changed', context)
        appendRevocation(db, 'account', accountId, 'soft', context.at)
      }),

    endSessions: async (accountId, context) =>
      db.write(() => {
        // Also where nobody has logged in yet: a first log-in may be on its way, and finds the position.
        keepShadow(db, { id: accountId, username: accountId, roles: [], createdAt: context.at })
        auditChange(db, accountId, 'sessions_ended', context)
        const position = appendRevocation(db, 'account', accountId, 'hard', context.at)
        db.run('UPDATE accounts SET hard_position = ? WHERE id = ?', position, accountId)
      }),
  }
}

type Shadow = Pick<Account, 'id' | 'username' | 'roles' | 'createdAt'>

/** Makes the row unless it is there. */
export function keepShadow(db: SqliteDatabase, { id, username, roles, createdAt }: Shadow): void {
  db.run(
    `INSERT INTO accounts (id, username, username_key, user_id, password_hash, roles,
                           disabled_at, hard_position, created_at)
     VALUES (?, ?, ?, NULL, NULL, ?, NULL, 0, ?) ON CONFLICT (id) DO NOTHING`,
    id,
    username,
    `${KEY_PREFIX}${id}`,
    JSON.stringify(roles),
    createdAt,
  )
}

/** Writes down how the account was last seen. */
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

// No username has a control character, so no log-in by name finds such a row, whatever the application's
// names are, and the same name in our own table is another account.
const KEY_PREFIX = '\u0001'

/** In a WHERE: the accounts of our own table alone. Whatever begins with a control character sorts before. */
export const OWN_ACCOUNTS = 'username_key >= char(2)'
