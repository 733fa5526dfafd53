import { randomBytes } from 'node:crypto'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

import { createAuthority } from '../../packages/server/src/authority.ts'
import { systemClock } from '../../packages/server/src/base/clock.ts'
import { createSystemRandom } from '../../packages/server/src/base/random.ts'
import { KeyRing } from '../../packages/server/src/keys/ring.ts'
import { createSealer } from '../../packages/server/src/keys/sealing.ts'
import { readOrCreateSecret } from '../../packages/server/src/keys/secret.ts'
import { mintAccessToken } from '../../packages/server/src/sessions/access-token.ts'
import { makeRefreshToken } from '../../packages/server/src/sessions/refresh-token.ts'
import { openStore, type StoreSettings } from '../../packages/server/src/store/open.ts'

const DAY_MS = 86_400_000
/** Reads that share the connections to PostgreSQL. */
const TOGETHER = 40
/** Seeded sessions belong to this many accounts, `user0` and so on. */
export const ACCOUNTS = 1_000

/**
 * Makes a data directory with this many live sessions of a thousand accounts. It writes them directly into
 * the tables, because a million logins would take two hours of hashing.
 */
export async function seedSessions(sessions: number): Promise<string> {
  const dataDir = mkdtempSync(join(tmpdir(), 'countersign-bench-'))
  const authority = await createAuthority({ dataDir, logLevel: 'silent' })
  await authority.close()
  const db = new DatabaseSync(join(dataDir, 'countersign.db'))
  const refreshKid = String(db.prepare(`SELECT kid FROM keys WHERE use = 'refresh'`).get()?.['kid'])
  const now = Date.now()
  db.exec('BEGIN')
  const account = db.prepare(
    `INSERT INTO accounts (id, username, username_key, roles, hard_position, created_at)
     VALUES (?, ?, ?, '["reader","writer"]', 0, ?)`,
  )
  for (let i = 0; i < ACCOUNTS; i += 1) account.run(accountId(i), `user${i}`, `user${i}`, now)
  const session = db.prepare(
    `INSERT INTO sessions (id, account_id, client_id, seed, generation, created_at, rotated_at,
       expires_at, ends_at, signed_in_position, refresh_kid, address, user_agent)
     VALUES (?, ?, 'first-party', ?, 0, ?, ?, ?, ?, 0, ?, '127.0.0.1', 'bench')`,
  )
  const ids = Array.from({ length: sessions }, () => randomBytes(16).toString('base64url'))
  // Writes the rows in the order of the key. The table is then as dense as after a VACUUM, and is written
  // within seconds.
  for (const [i, id] of ids.toSorted().entries()) {
    const end = now + 14 * DAY_MS
    session.run(
      id,
      accountId(i % ACCOUNTS),
      randomBytes(16),
      now,
      now,
      end,
      end + DAY_MS,
      refreshKid,
    )
  }
  db.exec('COMMIT')
  db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  db.close()
  return dataDir
}

/** The current tokens of one session. */
export interface SeededPair {
  readonly sid: string
  readonly refresh: string
  readonly access: string
}

/** Returns the current refresh tokens of `count` sessions, picked evenly, for a server with this issuer. */
export async function currentTokens(
  dataDir: string,
  issuer: string,
  count: number,
): Promise<string[]> {
  return (await currentPairs(dataDir, issuer, count)).map(({ refresh }) => refresh)
}

/** Returns the same refresh tokens, each with an access token. */
export async function currentPairs(
  dataDir: string,
  issuer: string,
  count: number,
): Promise<SeededPair[]> {
  const db = new DatabaseSync(join(dataDir, 'countersign.db'), { readOnly: true })
  const total = Number(db.prepare('SELECT count(*) AS n FROM sessions').get()?.['n'])
  const step = Math.max(1, Math.floor(total / count))
  const all = db
    .prepare('SELECT id FROM sessions ORDER BY id')
    .all()
    .map((row) => String(row['id']))
  db.close()
  const ids = Array.from({ length: count }, (_, i) => all[(i * step) % all.length] ?? '')
  const secret = readOrCreateSecret(dataDir, createSystemRandom())
  return pairsOf({ settings: { dataDir }, secret, issuer }, ids)
}

/** Returns the current tokens of these sessions. */
export async function pairsOf(
  { settings, secret, issuer }: { settings: StoreSettings; secret: string; issuer: string },
  ids: readonly string[],
): Promise<SeededPair[]> {
  const store = await openStore(settings, { exclusive: false, clock: systemClock })
  const random = createSystemRandom()
  const ring = await KeyRing.read({
    store: store.keys,
    sealer: createSealer([secret], random),
    clock: systemClock,
    random,
    schedule: {
      alg: 'ES256',
      rotationMs: undefined,
      leadMs: 0,
      livesMs: { access: 0, refresh: 0 },
    },
  })
  const pairs: SeededPair[] = []
  const claims = { issuer, audience: issuer, lifetimeSec: 3_600 }
  const add = async (id: string, i: number): Promise<void> => {
    const state = await store.sessions.state(id)
    if (state === undefined) throw new Error('a seeded session is missing')
    const { session, account, position } = state
    const now = systemClock.nowMs()
    pairs[i] = {
      sid: session.id,
      refresh: makeRefreshToken(ring, issuer, session, account.userId),
      access: await mintAccessToken(ring.accessSigner, claims, random, {
        session,
        account,
        position,
        now,
      }),
    }
  }
  for (let from = 0; from < ids.length; from += TOGETHER) {
    await Promise.all(ids.slice(from, from + TOGETHER).map((id, i) => add(id, from + i)))
  }
  await store.close()
  return pairs
}

function accountId(i: number): string {
  return `acct_bench${String(i).padStart(17, '0')}`
}
