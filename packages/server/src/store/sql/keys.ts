import type { AuditEvent, KeySchedule, KeyState, KeyUse, RingChange, StoredKey } from '../rows.ts'
import type { AuditContext } from '../audit-context.ts'
import type { KeyStore } from '../store.ts'
import { auditChange } from './audit.ts'
import { columnsOf } from './columns.ts'
import type { Database, Row, Transaction } from './database.ts'
import { appendRevocation } from './revocations.ts'

const keys = columnsOf('keys')
const schedules = columnsOf('key_schedule')

/** The key ring in SQL. */
export function createKeyStore(db: Database): KeyStore {
  return {
    list: async () => db.step(async (tx) => readKeys(tx)),

    schedule: async () => db.step(async (tx) => readSchedule(tx)),

    setSchedule: async (schedule) =>
      db.write(async (tx) => {
        const { alg, rotationMs, leadMs, livesMs } = schedule
        await tx.run(
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
      db.write(async (tx) => {
        if (nameRing(await readKeys(tx)) !== nameRing(from)) return 'outdated'
        for (const kid of change.remove) {
          await tx.run('DELETE FROM keys WHERE kid = ?', kid)
          await audit(tx, 'key_removed', kid, context)
        }
        for (const key of change.put) await put(tx, key, from, context)
        // The first ring needs no entry, because no process has read an earlier ring.
        if (from.length > 0) await noteInLog(tx, change, context)
        return 'changed'
      }),

    reseal: async (kid, sealed, context) =>
      db.write(async (tx) => {
        await tx.run('UPDATE keys SET sealed = ? WHERE kid = ?', sealed, kid)
        await audit(tx, 'key_resealed', kid, context)
      }),
  }
}

async function readKeys(tx: Transaction): Promise<readonly StoredKey[]> {
  return (await tx.all('SELECT * FROM keys ORDER BY created_at, kid')).map(toKey)
}

async function readSchedule(tx: Transaction): Promise<KeySchedule | undefined> {
  const row = await tx.get('SELECT * FROM key_schedule')
  if (row === undefined) return undefined
  return {
    alg: schedules.text(row, 'alg'),
    rotationMs: schedules.integerOrUndefined(row, 'rotation_ms'),
    leadMs: schedules.integer(row, 'lead_ms'),
    livesMs: {
      access: schedules.integer(row, 'access_life_ms'),
      refresh: schedules.integer(row, 'refresh_life_ms'),
    },
  }
}

/** Returns a name of the ring. Two rings with the same name have the same keys in the same states. */
function nameRing(ring: readonly StoredKey[]): string {
  return ring.map(({ kid, state, changedAt }) => `${kid}/${state}/${changedAt}`).join()
}

const EVENTS: Readonly<Record<KeyState, AuditEvent>> = {
  pending: 'key_created',
  active: 'key_activated',
  retiring: 'key_retired',
  revoked: 'key_killed',
}

async function put(
  tx: Transaction,
  key: StoredKey,
  from: readonly StoredKey[],
  context: AuditContext,
): Promise<void> {
  await tx.run(
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
  await audit(tx, isNew ? 'key_created' : EVENTS[key.state], key.kid, context)
}

/** Appends the entries by which guards notice a changed key set, and other processes a changed ring. */
async function noteInLog(
  tx: Transaction,
  { put: written, remove, killed }: RingChange,
  context: AuditContext,
): Promise<void> {
  if (killed !== undefined) await appendRevocation(tx, 'key', killed, 'soft', context.at)
  const [first = remove[0]] = written.map(({ kid }) => kid)
  if (first !== undefined) await appendRevocation(tx, 'keyset', first, 'soft', context.at)
}

async function audit(
  tx: Transaction,
  event: AuditEvent,
  kid: string,
  context: AuditContext,
): Promise<void> {
  await auditChange(tx, undefined, event, context, kid)
}

/** Reads a row of the table of keys. */
export function toKey(row: Row): StoredKey {
  return {
    kid: keys.text(row, 'kid'),
    alg: keys.text(row, 'alg'),
    // Only this file writes the table, and `StoredKey` gives both columns their type.
    use: keys.text(row, 'use') as KeyUse,
    state: keys.text(row, 'state') as KeyState,
    sealed: keys.bytes(row, 'sealed'),
    createdAt: keys.integer(row, 'created_at'),
    changedAt: keys.integer(row, 'changed_at'),
    verifiesUntil: keys.integerOrUndefined(row, 'verifies_until'),
    imported: keys.flag(row, 'imported'),
    certificates: row['certificates'] === null ? [] : keys.texts(row, 'certificates'),
  }
}
