import type { AuditEvent, KeySchedule, KeyState, KeyUse, RingChange, StoredKey } from '../rows.ts'
import type { KeyStore, AuditContext } from '../store.ts'
import { auditChange } from './audit.ts'
import { toTexts } from './columns.ts'
import { step, type Row, type SqliteDatabase } from './database.ts'
import { appendRevocation } from './revocations.ts'

export function createKeyStore(db: SqliteDatabase): KeyStore {
  return {
    list: async () => step(() => readKeys(db)),

    schedule: async () => step(() => readSchedule(db)),

    setSchedule: async (schedule) =>
      db.write(() => {
        const { alg, rotationMs, leadMs, livesMs } = schedule
        db.run(
          `INSERT INTO key_schedule (id, alg, rotation_ms, lead_ms, access_life_ms, refresh_life_ms)
           VALUES (1, ?, ?, ?, ?, ?)
           ON CONFLICT (id) DO UPDATE SET alg = excluded.alg, rotation_ms = excluded.rotation_ms,
             lead_ms = excluded.lead_ms, access_life_ms = excluded.access_life_ms,
             refresh_life_ms = excluded.refresh_life_ms`,
          alg,
          rotationMs ?? null,
          leadMs,
          livesMs.access,
          livesMs.refresh,
        )
      }),

    change: async (from, change, context) =>
      db.write(() => {
        if (nameRing(readKeys(db)) !== nameRing(from)) return 'outdated'
        for (const kid of change.remove) {
          db.run('DELETE FROM keys WHERE kid = ?', kid)
          audit(db, 'key_removed', kid, context)
        }
        for (const key of change.put) put(db, key, from, context)
        // Nobody can have another ring than the first.
        if (from.length > 0) noteInLog(db, change, context)
        return 'changed'
      }),

    reseal: async (kid, sealed, context) =>
      db.write(() => {
        db.run('UPDATE keys SET sealed = ? WHERE kid = ?', sealed, kid)
        audit(db, 'key_resealed', kid, context)
      }),
  }
}

function readKeys(db: SqliteDatabase): readonly StoredKey[] {
  return db.all('SELECT * FROM keys ORDER BY created_at, kid').map(toKey)
}

function readSchedule(db: SqliteDatabase): KeySchedule | undefined {
  const row = db.get('SELECT * FROM key_schedule')
  if (row === undefined) return undefined
  return {
    alg: row['alg'] as string,
    rotationMs: (row['rotation_ms'] as number | null) ?? undefined,
    leadMs: row['lead_ms'] as number,
    livesMs: {
      access: row['access_life_ms'] as number,
      refresh: row['refresh_life_ms'] as number,
    },
  }
}

/** Two rings of one name have the same keys in the same states. */
function nameRing(keys: readonly StoredKey[]): string {
  return keys.map(({ kid, state, changedAt }) => `${kid}/${state}/${changedAt}`).join()
}

const EVENTS: Readonly<Record<KeyState, AuditEvent>> = {
  pending: 'key_created',
  active: 'key_activated',
  retiring: 'key_retired',
  revoked: 'key_killed',
}

function put(
  db: SqliteDatabase,
  key: StoredKey,
  from: readonly StoredKey[],
  context: AuditContext,
): void {
  db.run(
    `INSERT INTO keys (kid, alg, use, state, sealed, created_at, changed_at, verifies_until,
                       certificates, imported)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (kid) DO UPDATE SET state = excluded.state, sealed = excluded.sealed,
       changed_at = excluded.changed_at, verifies_until = excluded.verifies_until`,
    key.kid,
    key.alg,
    key.use,
    key.state,
    key.sealed,
    key.createdAt,
    key.changedAt,
    key.verifiesUntil ?? null,
    JSON.stringify(key.certificates),
    key.imported ? 1 : 0,
  )
  const isNew = !from.some(({ kid }) => kid === key.kid)
  audit(db, isNew ? 'key_created' : EVENTS[key.state], key.kid, context)
}

/** Guards learn of another key set, and other processes of another ring, by the position of the log. */
function noteInLog(
  db: SqliteDatabase,
  { put: keys, remove, killed }: RingChange,
  context: AuditContext,
): void {
  if (killed !== undefined) appendRevocation(db, 'key', killed, 'soft', context.at)
  const [first = remove[0]] = keys.map(({ kid }) => kid)
  if (first !== undefined) appendRevocation(db, 'keyset', first, 'soft', context.at)
}

function audit(db: SqliteDatabase, event: AuditEvent, kid: string, context: AuditContext): void {
  auditChange(db, undefined, event, context, kid)
}

function toKey(row: Row): StoredKey {
  return {
    kid: row['kid'] as string,
    alg: row['alg'] as string,
    use: row['use'] as KeyUse,
    state: row['state'] as KeyState,
    sealed: row['sealed'] as Uint8Array,
    createdAt: row['created_at'] as number,
    changedAt: row['changed_at'] as number,
    verifiesUntil: (row['verifies_until'] as number | null) ?? undefined,
    imported: row['imported'] === 1,
    certificates: row['certificates'] === null ? [] : toTexts(row['certificates']),
  }
}
