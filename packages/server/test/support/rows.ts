import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** How much the server of this directory has stored, read beside it. */
export interface Stored {
  readonly accounts: number
  readonly sessions: number
  /** The sum of all generations: it grows with each rotation. */
  readonly generations: number
  readonly ended: number
  readonly revocations: number
}

export function countStored(dataDir: string): Stored {
  const db = new DatabaseSync(join(dataDir, 'countersign.db'), { readOnly: true })
  try {
    const count = (sql: string): number =>
      Number(Object.values(db.prepare(sql).get() ?? {})[0] ?? 0)
    return {
      accounts: count('SELECT count(*) FROM accounts'),
      sessions: count('SELECT count(*) FROM sessions'),
      generations: count('SELECT sum(generation) FROM sessions'),
      ended: count('SELECT count(ended_at) FROM sessions'),
      revocations: count('SELECT count(*) FROM revocations'),
    }
  } finally {
    db.close()
  }
}
