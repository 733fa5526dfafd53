import type { RoleStore } from '../store.ts'
import { auditChange } from './audit.ts'
import type { Database } from './database.ts'
import { readDefinitions } from './membership-rows.ts'
import { appendRevocation } from './revocations.ts'

/** Role definitions in SQL. */
export function createRoleStore(db: Database): RoleStore {
  return {
    list: async () => db.step(async (tx) => readDefinitions(tx)),

    define: async ({ name, permissions }, context) =>
      db.write(async (tx) => {
        const text = JSON.stringify(permissions)
        const before = await tx.get('SELECT permissions FROM roles WHERE name = ?', name)
        if (before?.['permissions'] === text) return 'unchanged'
        await tx.run(
          `INSERT INTO roles (name, permissions) VALUES (?, ?)
           ON CONFLICT (name) DO UPDATE SET permissions = excluded.permissions`,
          name,
          text,
        )
        await auditChange(tx, undefined, 'role_defined', context, name)
        // The entry makes no token stale. Guards get the new definitions when the entry is sent.
        await appendRevocation(tx, 'role', name, 'soft', context.at)
        return 'changed'
      }),
  }
}
