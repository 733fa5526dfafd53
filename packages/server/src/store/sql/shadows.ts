import type { Account } from '../rows.ts'
import type { ShadowStore } from '../store.ts'
import { forgetTrusted } from './account-rows.ts'
import { auditChange } from './audit.ts'
import { columnsOf } from './columns.ts'
import type { Database, Transaction } from './database.ts'
import { viewFactors } from './factor-rows.ts'
import { isKnownAddress } from './known-address.ts'
import { appendRevocation } from './revocations.ts'

const accounts = columnsOf('accounts')

/** Shadows of an application's accounts in SQL: rows of the table `accounts`. */
export function createShadowStore(db: Database): ShadowStore {
  return {
    viewForSignIn: async (accountId, address) =>
      db.read(async (tx) => {
        const row = await tx.get('SELECT hard_position FROM accounts WHERE id = ?', accountId)
        return {
          isKnownAddress: await isKnownAddress(tx, accountId, address),
          hardPosition: row === undefined ? 0 : accounts.integer(row, 'hard_position'),
          factors: await viewFactors(tx, accountId),
        }
      }),

    noteChange: async (accountId, context) =>
      db.write(
        async (tx) => {
          await auditChange(tx, accountId, 'account_changed', context)
          await appendRevocation(tx, 'account', accountId, 'soft', context.at)
        },
        { account: accountId },
      ),

    endSessions: async (accountId, context) =>
      db.write(
        async (tx) => {
          // Also creates the row of an account that has never logged in. A first login may be in progress, and
          // must find the new position.
          await keepShadow(tx, {
            id: accountId,
            username: accountId,
            roles: [],
            createdAt: context.at,
          })
          await auditChange(tx, accountId, 'sessions_ended', context)
          const position = await appendRevocation(tx, 'account', accountId, 'hard', context.at)
          await tx.run('UPDATE accounts SET hard_position = ? WHERE id = ?', position, accountId)
          await forgetTrusted(tx, accountId)
        },
        { account: accountId },
      ),
  }
}

type Shadow = Pick<Account, 'id' | 'username' | 'roles' | 'createdAt'>

/** Creates the row of an application's account, unless it exists. */
export async function keepShadow(
  tx: Transaction,
  { id, username, roles, createdAt }: Shadow,
): Promise<void> {
  await tx.run(
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
export async function updateShadow(
  tx: Transaction,
  { id, username, roles }: Shadow,
): Promise<void> {
  const text = JSON.stringify(roles)
  await tx.run(
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
