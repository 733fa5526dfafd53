import type { SsoRecord, SsoRecordStore } from '../sso.ts'
import { columnsOf } from './columns.ts'
import type { Database, GroupCommit, Row } from './database.ts'

const records = columnsOf('sso_records')

/** Records of the OpenID Connect library in SQL. Changes that arrive together share a transaction. */
export function createSsoRecordStore(db: Database, together: GroupCommit): SsoRecordStore {
  return {
    put: async (record) => {
      await together.run((tx) => tx.run(PUT, ...valuesOf(record)), 'none')
    },

    find: async (kind, idHash) =>
      db.step(async (tx) => {
        const row = await tx.get(
          'SELECT * FROM sso_records WHERE kind = ? AND id_hash = ? AND expires_at > ?',
          kind,
          idHash,
          tx.nowMs(),
        )
        return row === undefined ? undefined : toRecord(row)
      }),

    findByOther: async (kind, otherHash) =>
      db.step(async (tx) => {
        const row = await tx.get(
          `SELECT * FROM sso_records WHERE kind = ? AND other_hash = ? AND expires_at > ?
           ORDER BY expires_at DESC LIMIT 1`,
          kind,
          otherHash,
          tx.nowMs(),
        )
        return row === undefined ? undefined : toRecord(row)
      }),

    use: async (kind, idHash) =>
      together.run(async (tx) => {
        const now = tx.nowMs()
        const used = await tx.run(
          `UPDATE sso_records SET used_at = ?
           WHERE kind = ? AND id_hash = ? AND used_at IS NULL AND expires_at > ?`,
          now,
          kind,
          idHash,
          now,
        )
        return used === 1
      }, 'none'),

    remove: async (kind, idHash) => {
      await together.run(
        (tx) => tx.run('DELETE FROM sso_records WHERE kind = ? AND id_hash = ?', kind, idHash),
        'none',
      )
    },
  }
}

// `used_at` is left out of the update: whoever writes a code again must not make it usable again.
const PUT = `
  INSERT INTO sso_records (kind, id_hash, session_id, grant_id, application_id, other_hash, payload,
                           used_at, expires_at)
  VALUES (?, ?, ?, ?, ?, ?, ?, NULL, ?)
  ON CONFLICT (kind, id_hash) DO UPDATE SET session_id = excluded.session_id,
    grant_id = excluded.grant_id, application_id = excluded.application_id,
    other_hash = excluded.other_hash, payload = excluded.payload, expires_at = excluded.expires_at`

function valuesOf(
  record: Omit<SsoRecord, 'usedAt'>,
): readonly (string | number | null | Uint8Array)[] {
  return [
    record.kind,
    record.idHash,
    record.sessionId ?? null,
    record.grantId ?? null,
    record.applicationId ?? null,
    record.otherHash ?? null,
    record.payload,
    record.expiresAt,
  ]
}

function toRecord(row: Row): SsoRecord {
  const otherHash = row['other_hash']
  return {
    kind: records.text(row, 'kind'),
    idHash: records.bytes(row, 'id_hash'),
    sessionId: records.textOrUndefined(row, 'session_id'),
    grantId: records.textOrUndefined(row, 'grant_id'),
    applicationId: records.textOrUndefined(row, 'application_id'),
    otherHash: otherHash === null ? undefined : records.bytes(row, 'other_hash'),
    payload: records.text(row, 'payload'),
    usedAt: records.integerOrUndefined(row, 'used_at'),
    expiresAt: records.integer(row, 'expires_at'),
  }
}
