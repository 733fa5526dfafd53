import type { RevocationStore } from '../store.ts'
import { auditChange } from './audit.ts'
import type { Database } from './database.ts'
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

/** The revocation log in SQL. */
export function createRevocationStore(db: Database): RevocationStore {
  return {
    head: async () => db.step(async (tx) => readHead(tx)),

    // Both reads use one snapshot, because an entry may be pruned between them.
    chainAt: async (position) => db.read(async (tx) => readChainAt(tx, position)),

    tail: async (after, limit) =>
      db.read(async (tx) => ({
        chain: await readChainAt(tx, after),
        entries: await readAfter(tx, after, limit),
      })),

    floorBefore: async (at) =>
      db.read(async (tx) => {
        // The query reads backwards from the newest entry. So it reads only entries that a valid token can
        // need, not the whole log.
        const row = await tx.get(
          'SELECT position, chain FROM revocations WHERE at < ? ORDER BY position DESC LIMIT 1',
          at,
        )
        return row === undefined ? await readOldest(tx) : toHead(row)
      }),

    revokeToken: async (jti, accountId, context) =>
      db.write(
        async (tx) => {
          const known = await tx.get(
            `SELECT 1 FROM revocations WHERE kind = 'token' AND subject = ? LIMIT 1`,
            jti,
          )
          if (known !== undefined) return 'unchanged'
          await auditChange(tx, accountId, 'token_revoked', context, jti)
          await appendRevocation(tx, 'token', jti, 'soft', context.at)
          return 'changed'
        },
        { account: accountId },
      ),

    repair: async (evidence, by) => db.write(async (tx) => repair(tx, evidence, by)),

    startedOverFor: async () => db.step(async (tx) => readIssuerOfStartOver(tx)),

    startOver: async (lost, expected, by, restored) =>
      db.write(async (tx) => startOver(tx, lost, expected, by, restored)),

    startOverAs: async (by) => db.write(async (tx) => startOverAs(tx, by)),

    prune: async (keptMs, limit, until = Infinity) =>
      db.write(async (tx) => pruneRevocations(tx, Math.min(tx.nowMs() - keptMs, until), limit)),

    oldestAt: async () => db.step(async (tx) => readOldestAt(tx)),
  }
}
