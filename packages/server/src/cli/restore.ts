import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  realpathSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'

import { systemClock } from '../base/clock.ts'
import { messageOf, SetupError } from '../base/faults.ts'
import { ServerLock } from '../store/sqlite/lock.ts'
import { migrations } from '../store/sqlite/migrations.ts'
import { openStore } from '../store/open.ts'
import type { Store } from '../store/store.ts'
import { actorName, loadSettings, type Command } from './command.ts'
import { print } from './print.ts'

const restore: Command = {
  words: ['restore'],
  summary: 'restore the database from a backup; everybody must log in again',
  details:
    'Stop the server first. The revocation log continues above the position of the replaced database, so nothing that was revoked since the backup becomes valid again. All keys of access tokens are revoked. The command rejects the live database file as its own backup.',
  operands: [
    {
      name: 'FILE',
      text: 'The backup. Leave it out if you have already copied a backup over the database file.',
      optional: true,
    },
  ],
  example: 'restore /backups/countersign.db',
  async run({ operands: [copy] }) {
    const { dataDir, publicUrl } = await loadSettings()
    const database = join(dataDir, 'countersign.db')
    if (copy === undefined && !existsSync(database)) {
      throw new SetupError(
        `There is no database at ${database}. Name a backup: countersign restore FILE, or set COUNTERSIGN_DATA_DIR.`,
      )
    }
    // Throws if a server runs, so nobody writes at the same time. The replaced database may be damaged, so it
    // is only read.
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
    ServerLock.take(dataDir).release()
    const replaced = copy === undefined ? undefined : readReplaced(database)
    const kept = copy === undefined ? undefined : putBack(copy, database)
    const store = openStore({ dataDir }, { exclusive: true, clock: systemClock })
    try {
      const now = await startOver(store, publicUrl, replaced)
      if (kept !== undefined) print(`The replaced database was kept as ${kept}.`)
      if (replaced === undefined) {
        print(
          `${copy === undefined ? 'The database from before the backup is not known' : 'The replaced database cannot be read'}. If you killed keys of refresh tokens since the backup was made, kill them again: countersign keys kill KID`,
        )
      }
      print(
        `The revocation log continues at position ${now}. Tokens that were revoked since the backup stay rejected.`,
      )
      print(
        'All keys that sign access tokens are revoked. The server generates new ones when it starts.',
      )
      print(
        'Everybody must log in again. Service accounts keep working. Start the server now: countersign start',
      )
    } finally {
      await store.close()
    }
  },
}

/** Starts the log over above the positions of both databases. Returns the position at which it continues. */
async function startOver(
  { revocations }: Store,
  issuer: string,
  replaced: Replaced | undefined,
): Promise<number> {
  const by = { issuer, at: systemClock.nowMs(), actor: actorName() }
  for (;;) {
    const head = await revocations.head()
    // The log continues above the replaced database too, because no position may have two meanings. The
    // replaced database may itself have been restored.
    const lost = Math.max(head.position, replaced?.position ?? 0)
    const outcome = await revocations.startOver(lost, head, by, { killed: replaced?.killed ?? [] })
    // Another command may have moved the head since it was read.
    if (outcome.kind !== 'head_moved') return outcome.position
  }
}

/** The facts about the replaced database that the continued log needs. */
interface Replaced {
  readonly killed: readonly string[]
  readonly position: number
}

/** Returns undefined if the database cannot be read. */
function readReplaced(database: string): Replaced | undefined {
  if (!existsSync(database)) return { killed: [], position: 0 }
  try {
    return opened(database, { readOnly: true }, (db) => ({
      killed: db
        .prepare("SELECT kid FROM keys WHERE state = 'revoked'")
        .all()
        .map(({ kid }) => String(kid)),
      position: Number(db.prepare('SELECT position FROM revocation_head').get()?.['position'] ?? 0),
    }))
  } catch {
    return undefined
  }
}

/**
 * Replaces the database with a backup and keeps the old database in the same directory. Returns the path of
 * the old database.
 */
function putBack(copy: string, database: string): string | undefined {
  const fresh = `${database}.restoring`
  try {
    if (isSame(copy, database)) {
      throw new SetupError(
        `${copy} is the live database itself. If you have already copied a backup there, leave FILE out.`,
      )
    }
    if (isSame(copy, fresh)) {
      throw new SetupError(
        `${copy} was left by an interrupted restore. Name the backup file itself.`,
      )
    }
    // An interrupted restore may have left a write-ahead log, which SQLite would apply to this backup.
    discard(fresh)
    // If the server was killed, its write-ahead log is part of the backup.
    for (const suffix of ['', '-wal']) {
      if (suffix === '' || existsSync(copy + suffix)) {
        copyFileSync(copy + suffix, fresh + suffix)
        chmodSync(fresh + suffix, 0o600)
      }
    }
  } catch (error) {
    if (error instanceof SetupError) throw error
    throw new SetupError(`${copy} cannot be read: ${messageOf(error)}`, { cause: error })
  }
  assertOurs(fresh, copy)
  const kept = `${database}.before-${new Date(systemClock.nowMs()).toISOString().replaceAll(':', '')}`
  const hadOne = existsSync(database)
  if (hadOne) renameSync(database, kept)
  // A write-ahead log of a killed server belongs to the replaced file.
  for (const suffix of ['-wal', '-shm']) {
    if (existsSync(`${database}${suffix}`)) {
      renameSync(`${database}${suffix}`, `${kept}${suffix}`)
    }
  }
  renameSync(fresh, database)
  return hadOne ? kept : undefined
}

function assertOurs(path: string, name: string): void {
  try {
    opened(path, { readOnly: false }, (db) => {
      db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
      for (const table of ['revocation_head', 'accounts', 'sessions', 'keys', 'audit']) {
        db.prepare(`SELECT 1 FROM ${table} LIMIT 1`).get()
      }
      const { user_version: schema } = db.prepare('PRAGMA user_version').get() ?? {}
      if (Number(schema) > migrations.length)
        throw new Error('it was written by a newer version of Countersign')
    })
  } catch (error) {
    discard(path)
    throw new SetupError(`${name} is not a backup of a Countersign database: ${messageOf(error)}`, {
      cause: error,
    })
  }
}

function isSame(path: string, other: string): boolean {
  return existsSync(other) && realpathSync(path) === realpathSync(other)
}

function discard(path: string): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true })
}

/** Opens a file that may not be a Countersign database, and closes it after `work`. */
function opened<T>(
  path: string,
  options: { readonly readOnly: boolean },
  work: (db: DatabaseSync) => T,
): T {
  const { DatabaseSync: Database } = process.getBuiltinModule('node:sqlite')
  const db = new Database(path, options)
  try {
    return work(db)
  } finally {
    db.close()
  }
}

/** The command `countersign restore`. */
export const restoreCommands: readonly Command[] = [restore]
