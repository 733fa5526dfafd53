import type { RoleStore } from '../store.ts'
import { auditChange } from './audit.ts'
import { step, type SqliteDatabase } from './database.ts'
import { readDefinitions } from './membership-rows.ts'
import { appendRevocation } from './revocations.ts'

/** Role definitions on SQLite. */
export function createRoleStore(db: SqliteDatabase): RoleStore {
  return {
    list: async () => step(() => readDefinitions(db)),

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
        auditChange(db, undefined, 'role_defined', context, name)
        // The entry makes no token stale. Guards get the new definitions when the entry is sent.
        appendRevocation(db, 'role', name, 'soft', context.at)
        return 'changed'
      }),
  }
}
