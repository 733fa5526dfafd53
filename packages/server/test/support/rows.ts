import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** Counts the rows that the server of this directory has stored. */
export interface Stored {
  readonly accounts: number
  readonly sessions: number
  /** The sum of all generations, which grows with each rotation. */
  readonly generations: number
  readonly ended: number
  readonly revocations: number
  /** A hash over all columns of accounts, sessions and service accounts, with passwords and roles. */
  readonly contents: string
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
      contents: hashOf(db),
    }
  } finally {
    db.close()
  }
}

const HASHED = ['accounts', 'sessions', 'clients', 'client_secrets', 'memberships', 'roles']

function hashOf(db: DatabaseSync): string {
  const hash = createHash('sha256')
  for (const table of HASHED) {
    for (const row of db.prepare(`SELECT * FROM ${table}`).iterate()) {
      hash.update(JSON.stringify(Object.values(row).map(String)))
    }
  }
  return hash.digest('hex')
}
