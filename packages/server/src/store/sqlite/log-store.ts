import type { Clock } from '../../base/clock.ts'
import type { RevocationStore } from '../store.ts'
import { auditChange } from './audit.ts'
import { step, type SqliteDatabase } from './database.ts'
import { repair, startOver, startOverAs } from './log-repair.ts'
import {
  appendRevocation,
  pruneRevocations,
  readAfter,
  readChainAt,
  readHead,
  readIssuerOfStartOver,
  readOldest,
  readOldestAt,
  toHead,
} from './revocations.ts'

/** The revocation log on SQLite. */
export function createRevocationStore(db: SqliteDatabase, clock: Clock): RevocationStore {
  return {
    head: async () => step(() => readHead(db)),

    // Both reads use one snapshot, because an entry may be pruned between them.
    chainAt: async (position) => db.read(() => readChainAt(db, position)),

    tail: async (after, limit) =>
      db.read(() => ({ chain: readChainAt(db, after), entries: readAfter(db, after, limit) })),

    floorBefore: async (at) =>
      db.read(() => {
        // The query reads backwards from the newest entry. So it reads only entries that a valid token can
        // need, not the whole log.
        const row = db.get(
          'SELECT position, chain FROM revocations WHERE at < ? ORDER BY position DESC LIMIT 1',
          at,
        )
        return row === undefined ? readOldest(db) : toHead(row)
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

    startedOverFor: async () => step(() => readIssuerOfStartOver(db)),

    startOver: async (lost, expected, by, restored) =>
      db.write(() => startOver(db, lost, expected, by, restored)),

    startOverAs: async (by) => db.write(() => startOverAs(db, by)),

    prune: async (keptMs, limit, until = Infinity) =>
      db.write(() => pruneRevocations(db, Math.min(clock.nowMs() - keptMs, until), limit)),

    oldestAt: async () => step(() => readOldestAt(db)),
  }
}
