import type { Revocation } from '../rows.ts'
import type { SsoLogoutStore } from '../sso.ts'
import { columnsOf } from './columns.ts'
import type { Database, Engine, SqlValue, Transaction } from './database.ts'
import { readAfter } from './revocations.ts'
import { moveToOutbox, queueLogout, toLogin, toLogout } from './sso-logout-rows.ts'
import { SESSION_STANDS } from './standing.ts'

const collected = columnsOf('sso_collected')
const heads = columnsOf('revocation_head')

/** The outbox of back-channel logouts in SQL. */
export function createSsoLogoutStore(db: Database): SsoLogoutStore {
  return {
    // With the lock of the account, so the session ends before this step, or after it with an entry that `collect`
    // has not read.
    noteLogin: async (login) =>
      db.write(
        async (tx) => {
          const stands = await tx.get(
            `SELECT 1 FROM sessions s WHERE s.id = ? AND ${SESSION_STANDS}`,
            login.sessionId,
          )
          if (stands === undefined) return queueLogout(tx, login, tx.nowMs())
          await tx.run(
            `INSERT INTO sso_logins (session_id, application_id, account_id, sid, created_at, expires_at)
             VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
            login.sessionId,
            login.applicationId,
            login.accountId,
            login.sid,
            login.createdAt,
            login.expiresAt,
          )
        },
        { session: login.sessionId },
      ),

    loginsOf: async (sessionId) =>
      db.step(async (tx) =>
        (
          await tx.all(
            'SELECT * FROM sso_logins WHERE session_id = ? ORDER BY created_at, application_id, sid',
            sessionId,
          )
        ).map(toLogin),
      ),

    collect: async (limit) => {
      // Most calls find nothing, and a read takes no lock.
      const isNew = await db.step(async (tx) => tx.get(HAS_ENTRIES))
      if (isNew === undefined) return { isMore: false }
      return db.write(async (tx) => collect(tx, limit), 'none')
    },

    take: async (limit, leaseMs) => {
      const due = await db.step(async (tx) =>
        tx.get('SELECT 1 FROM sso_logouts WHERE due_at <= ? LIMIT 1', tx.nowMs()),
      )
      if (due === undefined) return []
      return db.write(async (tx) => {
        const now = tx.nowMs()
        // The outer condition is for PostgreSQL: another node may have taken the row since it was selected.
        const rows = await tx.all(
          `UPDATE sso_logouts SET due_at = ? WHERE due_at <= ? AND id IN
             (SELECT id FROM sso_logouts WHERE due_at <= ? ORDER BY due_at, id LIMIT ?)
           RETURNING *`,
          now + leaseMs,
          now,
          now,
          limit,
        )
        return rows.map(toLogout).toSorted((one, other) => one.createdAt - other.createdAt)
      }, 'none')
    },

    delivered: async (id) => {
      await db.write(async (tx) => tx.run(REMOVE, id), 'none')
    },

    failed: async (id, nextAt) => {
      await db.write(
        async (tx) =>
          nextAt === undefined
            ? tx.run(REMOVE, id)
            : tx.run(
                'UPDATE sso_logouts SET attempts = attempts + 1, due_at = ? WHERE id = ?',
                nextAt,
                id,
              ),
        'none',
      )
    },
  }
}

const REMOVE = 'DELETE FROM sso_logouts WHERE id = ?'

const HAS_ENTRIES = `
  SELECT 1 FROM sso_collected c, revocation_head h WHERE c.id = 1 AND h.id = 1 AND h.position > c.position`

/** Reads up to where the log was collected. Nobody else collects until the transaction ends. */
const READ_COLLECTED: Readonly<Record<Engine, string>> = {
  sqlite: 'SELECT position FROM sso_collected WHERE id = 1',
  postgres: 'SELECT position FROM sso_collected WHERE id = 1 FOR UPDATE',
}

async function collect(tx: Transaction, limit: number): Promise<{ readonly isMore: boolean }> {
  const after = collected.integer((await tx.get(READ_COLLECTED[tx.engine])) ?? {}, 'position')
  // Read before the logins: a login that is written after this can end only after this head. The head is not locked,
  // because this transaction appends nothing.
  const head = await tx.get('SELECT position FROM revocation_head WHERE id = 1')
  if ((await tx.get('SELECT 1 FROM sso_logins LIMIT 1')) === undefined) {
    await advance(tx, heads.integer(head ?? {}, 'position'))
    return { isMore: false }
  }
  const entries = await readAfter(tx, after, limit)
  let last = after
  let room = limit
  for (const entry of entries) {
    room -= await queueEndedBy(tx, entry, room)
    // The entry may have ended more. The next call reads it again.
    if (room === 0) break
    last = entry.position
  }
  await advance(tx, last)
  return { isMore: room === 0 || entries.length === limit }
}

async function advance(tx: Transaction, position: number): Promise<void> {
  await tx.run(
    'UPDATE sso_collected SET position = ? WHERE id = 1 AND position < ?',
    position,
    position,
  )
}

/** Moves up to `limit` logins of sessions that an entry ended into the outbox. Returns their number. */
async function queueEndedBy(tx: Transaction, entry: Revocation, limit: number): Promise<number> {
  const reach = reachOf(entry)
  if (reach === undefined) return 0
  const [condition, values] = reach
  return moveToOutbox(
    tx,
    `DELETE FROM sso_logins WHERE (session_id, application_id, sid) IN
       (SELECT l.session_id, l.application_id, l.sid
        FROM sso_logins l LEFT JOIN sessions s ON s.id = l.session_id
        WHERE ${condition} AND (s.id IS NULL OR NOT ${SESSION_STANDS}) LIMIT ?)
     RETURNING *`,
    [...values, limit],
    tx.nowMs(),
  )
}

/**
 * Which logins an entry can have ended. Whether a session is over is then read from the rows, which every entry has
 * changed in its own transaction. So a session that survived the entry or was opened after it stays, also when a repair
 * appends the entry again. A killed refresh key ends the sessions that used it.
 */
function reachOf({
  kind,
  subject,
  strength,
}: Revocation): readonly [condition: string, values: readonly SqlValue[]] | undefined {
  if (kind === 'key') return ['true', []]
  if (strength === 'soft') return undefined
  switch (kind) {
    case 'session':
      return ['l.session_id = ?', [subject]]
    case 'account':
      return ['l.account_id = ?', [subject]]
    case 'tenant':
      return ['s.tenant_id = ?', [subject]]
    case 'issuer':
      return ['true', []]
    default:
      return undefined
  }
}
