import type { EpochMs } from '../../base/clock.ts'
import { StoreFault } from '../../base/faults.ts'
import type { Beat, NodeReport, NodeRow, NodeStore } from '../nodes.ts'
import { columnsOf } from './columns.ts'
import type { Database, Row, SqlValue, Transaction } from './database.ts'

const nodes = columnsOf('nodes')
const lead = columnsOf('node_lead')

/** The register of nodes in SQL. */
export function createNodeStore(db: Database): NodeStore {
  return {
    // One statement on PostgreSQL: a heartbeat is one round trip and locks no row of another node. On SQLite, only
    // tests call this.
    beat: async (report, leadMs) =>
      db.step(async (tx) => {
        const now = tx.nowMs()
        return tx.engine === 'postgres'
          ? toBeat(await tx.all(BEAT_AT_ONCE, ...beatValues(report, leadMs, now)))
          : beatInSteps(tx, report, leadMs, now)
      }),

    others: async (id) =>
      db.step(async (tx) => (await tx.all('SELECT * FROM nodes WHERE id <> ?', id)).map(toNode)),

    leave: async (report) =>
      db.write(async (tx) => {
        await tx.run(WRITE, ...rowValues(report, 1, tx.nowMs()))
        await tx.run('UPDATE node_lead SET until = 0 WHERE id = 1 AND node_id = ?', report.id)
      }, 'none'),

    leader: async () =>
      db.step(async (tx) => {
        const row = await tx.get(
          'SELECT node_id FROM node_lead WHERE id = 1 AND until > ?',
          tx.nowMs(),
        )
        return row === undefined ? undefined : lead.text(row, 'node_id')
      }),

    purge: async (keptMs) => {
      // Most calls find nothing, and a read writes nothing.
      const old = await db.step(async (tx) =>
        tx.get('SELECT 1 FROM nodes WHERE heartbeat_at < ? LIMIT 1', tx.nowMs() - keptMs),
      )
      if (old === undefined) return 0
      return db.write(
        async (tx) => tx.run('DELETE FROM nodes WHERE heartbeat_at < ?', tx.nowMs() - keptMs),
        'none',
      )
    },
  }
}

const WRITE = `
  INSERT INTO nodes (id, name, version, started_at, heartbeat_at, beats, confirmed, guards, awaits,
                     is_settled, has_left)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (id) DO UPDATE SET heartbeat_at = excluded.heartbeat_at, beats = excluded.beats,
    confirmed = excluded.confirmed, guards = excluded.guards, awaits = excluded.awaits,
    is_settled = excluded.is_settled, has_left = excluded.has_left`

// Of two nodes that take the lead at once, the second waits for the first and then finds that its condition is false.
const TAKE_LEAD = `
  UPDATE node_lead SET node_id = ?, until = ? WHERE id = 1 AND (node_id = ? OR until <= ?)`

// The join gives one row even if there is no other node.
const BEAT_AT_ONCE = `
  WITH own AS (${WRITE} RETURNING started_at), taken AS (${TAKE_LEAD} RETURNING id)
  SELECT nodes.*, own.started_at AS own_started_at, (SELECT count(*) FROM taken) AS leads
  FROM own LEFT JOIN nodes ON nodes.id <> ?`

function rowValues(report: NodeReport, hasLeft: 0 | 1, now: EpochMs): readonly SqlValue[] {
  const { id, name, version, beats, confirmed, guards, awaits, isSettled } = report
  return [id, name, version, now, now, beats, confirmed, guards, awaits, isSettled ? 1 : 0, hasLeft]
}

function leadValues({ id }: NodeReport, leadMs: number, now: EpochMs): readonly SqlValue[] {
  return [id, now + leadMs, id, now]
}

function beatValues(report: NodeReport, leadMs: number, now: EpochMs): readonly SqlValue[] {
  return [...rowValues(report, 0, now), ...leadValues(report, leadMs, now), report.id]
}

async function beatInSteps(
  tx: Transaction,
  report: NodeReport,
  leadMs: number,
  now: EpochMs,
): Promise<Beat> {
  await tx.run(WRITE, ...rowValues(report, 0, now))
  const leads = await tx.run(TAKE_LEAD, ...leadValues(report, leadMs, now))
  const rows = await tx.all(
    `SELECT other.*, own.started_at AS own_started_at, ${leads} AS leads
     FROM nodes AS own LEFT JOIN nodes AS other ON other.id <> own.id WHERE own.id = ?`,
    report.id,
  )
  return toBeat(rows)
}

function toBeat(rows: readonly Row[]): Beat {
  const [first] = rows
  if (first === undefined) throw new StoreFault('The database did not keep the row of this node.')
  return {
    startedAt: nodes.integer(first, 'own_started_at'),
    leads: lead.integer(first, 'leads') > 0,
    others: rows.filter((row) => row['id'] !== null).map(toNode),
  }
}

function toNode(row: Row): NodeRow {
  return {
    id: nodes.text(row, 'id'),
    name: nodes.text(row, 'name'),
    version: nodes.text(row, 'version'),
    startedAt: nodes.integer(row, 'started_at'),
    heartbeatAt: nodes.integer(row, 'heartbeat_at'),
    beats: nodes.integer(row, 'beats'),
    confirmed: nodes.integer(row, 'confirmed'),
    guards: nodes.integer(row, 'guards'),
    awaits: nodes.integer(row, 'awaits'),
    isSettled: nodes.flag(row, 'is_settled'),
    hasLeft: nodes.flag(row, 'has_left'),
  }
}
