import type { Database } from '../../tests/support/postgres.ts'
import { ACCOUNTS } from './seed.ts'

const DAY_MS = 86_400_000

/**
 * Fills a database that a node has created with this many live sessions of a thousand accounts. The server makes the
 * rows, because a million logins would take two hours of hashing.
 */
export async function seedPostgres(
  database: Database,
  { sessions, passwordHash }: { readonly sessions: number; readonly passwordHash: string },
): Promise<void> {
  await database.query(
    `INSERT INTO accounts (id, username, username_key, password_hash, roles, hard_position, created_at)
    SELECT 'acct_bench' || lpad(CAST(i AS text), 17, '0'), 'user' || i, 'user' || i, $1,
           '["reader","writer"]', 0, 0
    FROM generate_series(0, ${ACCOUNTS - 1}) AS i`,
    [passwordHash],
  )
  // Checks of foreign keys would take most of the time. They hold by construction.
  await database.query(`
    SET session_replication_role = replica;
    INSERT INTO sessions (id, account_id, client_id, seed, generation, created_at, rotated_at,
                          expires_at, ends_at, signed_in_position, refresh_kid, address, user_agent)
    SELECT rtrim(translate(encode(uuid_send(gen_random_uuid()), 'base64'), '+/', '-_'), '='),
           'acct_bench' || lpad(CAST(i % ${ACCOUNTS} AS text), 17, '0'), 'first-party',
           uuid_send(gen_random_uuid()), 0, now, now, now + ${14 * DAY_MS}, now + ${15 * DAY_MS}, 0,
           (SELECT kid FROM keys WHERE use = 'refresh' LIMIT 1), '127.0.0.1', 'bench'
    FROM generate_series(1, ${sessions}) AS i,
         (SELECT CAST(extract(epoch FROM now()) * 1000 AS bigint) AS now) AS t`)
  await database.query('VACUUM ANALYZE')
  await database.query('CHECKPOINT')
}

/** Picks sessions at random that nobody has refreshed. */
export async function pickSessions(database: Database, count: number): Promise<readonly string[]> {
  const rows = await database.query<{ id: string }>(
    'SELECT id FROM sessions WHERE generation = 0 AND ended_at IS NULL ORDER BY random() LIMIT $1',
    [count],
  )
  return rows.map(({ id }) => id)
}
