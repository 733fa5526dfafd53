import type { RoleStore } from '../store.ts'
import { appendAudit } from './audit.ts'
import { toTexts } from './columns.ts'
import { step, type SqliteDatabase } from './database.ts'
import { appendRevocation } from './revocations.ts'

export function createRoleStore(db: SqliteDatabase): RoleStore {
  return {
    list: async () =>
      step(() =>
        db.all('SELECT name, permissions FROM roles ORDER BY name').map((row) => ({
          name: row['name'] as string,
          permissions: toTexts(row['permissions']),
        })),
      ),

    define: async ({ name, permissions }, context) =>
      db.write(() => {
        const text = JSON.stringify(permissions)
        const before = db.get('SELECT permissions FROM roles WHERE name = ?', name)
        if (before?.['permissions'] === text) return 'unchanged'
        db.run(
          `INSERT INTO roles (name, permissions) VALUES (?, ?)
           ON CONFLICT (name) DO UPDATE SET permissions = excluded.permissions`,
          name,
          text,
        )
        appendAudit(db, {
          at: context.at,
          actor: context.actor,
          address: context.address,
          event: 'role_defined',
          outcome: 'ok',
          accountId: undefined,
          sessionId: undefined,
          detail: name,
        })
        // Of no token: guards have the definitions, and are told that one has changed.
        appendRevocation(db, 'role', name, 'soft', context.at)
        return 'changed'
      }),
  }
}
