import type { KeyState, KeyUse, StoredKey } from '../rows.ts'
import type { KeyStore } from '../store.ts'
import { appendAudit } from './audit.ts'
import { step, type Row, type SqliteDatabase } from './database.ts'

export function createKeyStore(db: SqliteDatabase): KeyStore {
  return {
    list: async () => step(() => db.all('SELECT * FROM keys ORDER BY created_at, kid').map(toKey)),
    createFirst: async (keys, origin) =>
      db.write(() => {
        if (db.get('SELECT 1 FROM keys LIMIT 1') !== undefined) return 'present'
        for (const key of keys) {
          db.run(
            'INSERT INTO keys (kid, alg, use, state, sealed, created_at) VALUES (?, ?, ?, ?, ?, ?)',
            key.kid,
            key.alg,
            key.use,
            key.state,
            key.sealed,
            key.createdAt,
          )
          appendAudit(db, {
            ...origin,
            address: origin.address,
            event: 'key_created',
            outcome: 'ok',
            accountId: undefined,
            sessionId: undefined,
            detail: key.kid,
          })
        }
        return 'created'
      }),
  }
}

function toKey(row: Row): StoredKey {
  return {
    kid: row['kid'] as string,
    alg: row['alg'] as string,
    use: row['use'] as KeyUse,
    state: row['state'] as KeyState,
    sealed: row['sealed'] as Uint8Array,
    createdAt: row['created_at'] as number,
  }
}
