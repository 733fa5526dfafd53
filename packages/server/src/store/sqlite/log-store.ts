import type { RevocationStore } from '../store.ts'
import { auditChange } from './audit.ts'
import { step, type SqliteDatabase } from './database.ts'
import { repair, startOver, startOverAs } from './log-repair.ts'
import {
  appendRevocation,
  readAfter,
  readChainAt,
  readHead,
  readOrigin,
  toHead,
} from './revocations.ts'

export function createRevocationStore(db: SqliteDatabase): RevocationStore {
  return {
    head: async () => step(() => readHead(db)),
    chainAt: async (position) => step(() => readChainAt(db, position)),
    tail: async (after, limit) =>
      db.read(() => ({ chain: readChainAt(db, after), entries: readAfter(db, after, limit) })),
    floorBefore: async (at) =>
      step(() => {
        // From the newest back: what is read are the entries that are kept, not the whole log.
        const row = db.get(
          'SELECT position, chain FROM revocations WHERE at < ? ORDER BY position DESC LIMIT 1',
          at,
        )
        return row === undefined ? readOrigin(db) : toHead(row)
      }),
    revokeToken: async (jti, accountId, context) =>
      db.write(() => {
        const known = db.get(
          `SELECT 1 FROM revocations WHERE kind = 'token' AND subject = ? LIMIT 1`,
          jti,
        )
        if (known !== undefined) return 'unchanged'
        auditChange(db, accountId, 'token_revoked', context, jti)
        appendRevocation(db, 'token', jti, 'soft', context.at)
        return 'changed'
      }),
    repair: async (evidence, by) => db.write(() => repair(db, evidence, by)),
    startedOverFor: async () =>
      step(() => {
        const row = db.get(
          `SELECT subject FROM revocations WHERE kind = 'issuer' ORDER BY position DESC LIMIT 1`,
        )
        return row === undefined ? undefined : String(row['subject'])
      }),
    startOver: async (position, by, restored) =>
      db.write(() => startOver(db, position, by, restored)),
    startOverAs: async (by) => db.write(() => startOverAs(db, by)),
  }
}
