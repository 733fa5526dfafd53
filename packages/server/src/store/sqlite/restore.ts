import { chmodSync, existsSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'

import { SetupError, messageOf } from '../../base/faults.ts'
import type { RepairBy } from '../repair.ts'
import { checkBackup } from './backup-check.ts'
import { SqliteDatabase } from './database.ts'
import {
  copyPrivately,
  giveToOwnerOf,
  isSameFile,
  keptPrefix,
  linkOrCopy,
  LOG_SUFFIXES,
  removeDatabase,
  removeExtraNames,
  restoringPath,
  syncFolder,
} from './files.ts'
import { ServerLock } from './lock.ts'
import { startOver } from '../sql/log-repair.ts'
import { readHead } from '../sql/revocations.ts'
import { ensureDirectory } from './store.ts'

const BUSY_MS = 5_000
/** SQLite's result codes for a file that is damaged or no database, and for a missing table. */
const UNREADABLE: ReadonlySet<number> = new Set([1, 11, 26])

/** The result of a restore. */
export interface Restored {
  /** The position at which the revocation log continues. */
  readonly position: number
  /** The path of the replaced database. Undefined if there was none. */
  readonly kept: string | undefined
  /** Whether keys that were killed in the replaced database are killed in the new one too. */
  readonly keepsKilled: boolean
}

/**
 * Replaces the database in a directory with a backup, and starts the revocation log over. Without `copy`, the backup is
 * already in place. It holds the lock of the directory throughout.
 *
 * The new database is completed beside the live one, which it replaces with one rename. So a crash at any point leaves
 * the old database as it was or the complete new one. Only a database that cannot be read is moved away first, because
 * its write-ahead log must not meet the new file. A crash then leaves none, and `assertNoRemains` stops the next start.
 *
 * Throws a `SetupError` if a server runs, or the copy is not an intact backup.
 */
export async function restoreDatabase(
  dataDir: string,
  copy: string | undefined,
  by: RepairBy,
): Promise<Restored> {
  const database = join(dataDir, 'countersign.db')
  ensureDirectory(dataDir)
  const lock = ServerLock.takeAlone(dataDir)
  try {
    if (copy !== undefined) return await replace(database, copy, by)
    // One transaction starts the log over, so a crash leaves all of it or nothing.
    assertBackup(database, database)
    const position = await continueLog(database, UNKNOWN, by)
    return { position, kept: undefined, keepsKilled: false }
  } finally {
    lock.release()
  }
}

async function replace(database: string, copy: string, by: RepairBy): Promise<Restored> {
  const fresh = restoringPath(database)
  if (isSameFile(copy, database)) {
    throw new SetupError(
      `${copy} is the live database itself. If you have already copied a backup there, leave FILE out.`,
    )
  }
  if (isSameFile(copy, fresh)) {
    throw new SetupError(`${copy} was left by an interrupted restore. Name the backup file itself.`)
  }
  removeExtraNames(database)
  let replaced: Replaced | undefined
  try {
    copyBackup(copy, fresh)
    assertBackup(fresh, copy)
    replaced = openReplaced(database)
    const position = await continueLog(fresh, replaced, by)
    chmodSync(fresh, 0o600)
    giveToOwnerOf(fresh, replaced.exists ? database : dirname(database))
    const kept = swap(fresh, database, replaced, by.at)
    return { position, kept, keepsKilled: replaced.isReadable }
  } catch (error) {
    removeDatabase(fresh)
    if (error instanceof SetupError) throw error
    throw new SetupError(
      `The restore failed: ${messageOf(error)}. Correct the cause, then run the command again.`,
      {
        cause: error,
      },
    )
  } finally {
    replaced?.db?.close()
  }
}

function copyBackup(copy: string, fresh: string): void {
  // An interrupted restore may have left a write-ahead log, which SQLite would apply to this backup.
  removeDatabase(fresh)
  if (!existsSync(copy)) throw new SetupError(`There is no file at ${copy}.`)
  // If the server was killed, its write-ahead log is part of the backup.
  for (const suffix of ['', ...LOG_SUFFIXES]) {
    if (suffix !== '' && !existsSync(copy + suffix)) continue
    try {
      copyPrivately(copy + suffix, fresh + suffix)
    } catch (error) {
      throw new SetupError(
        `${copy + suffix} cannot be copied to ${fresh + suffix}: ${messageOf(error)}`,
        { cause: error },
      )
    }
  }
}

/** Throws a `SetupError` that says why a file is not a backup. `name` is what the operator called it. */
function assertBackup(path: string, name: string): void {
  try {
    const db = openFile(path)
    try {
      checkBackup(db)
    } finally {
      db.close()
    }
  } catch (error) {
    throw new SetupError(`${name} is not a backup of a Countersign database: ${messageOf(error)}`, {
      cause: error,
    })
  }
}

/** The replaced database, and the facts about it that the continued log needs. */
interface Replaced {
  readonly exists: boolean
  readonly isReadable: boolean
  readonly killed: readonly string[]
  readonly position: number
  /** Open until it is replaced, and locked, so that no other program writes to it. */
  readonly db: DatabaseSync | undefined
}

const UNKNOWN: Replaced = {
  exists: true,
  isReadable: false,
  killed: [],
  position: 0,
  db: undefined,
}

/**
 * Locks the database that will be replaced, moves its write-ahead log into the file, and reads it. Throws a `SetupError`
 * if another program uses it or the disk fails.
 */
function openReplaced(database: string): Replaced {
  if (!existsSync(database)) return { ...UNKNOWN, exists: false, isReadable: true }
  const db = openFile(database)
  try {
    db.exec(`PRAGMA busy_timeout = ${BUSY_MS}`)
    db.exec('PRAGMA locking_mode = EXCLUSIVE')
    const kids = db.prepare(`SELECT kid FROM keys WHERE state = 'revoked'`).all()
    const head = db.prepare('SELECT position FROM revocation_head').get()
    // Closes the write-ahead log. A log with this name would be applied to the database that takes the place.
    const mode = db.prepare('PRAGMA journal_mode = DELETE').get()?.['journal_mode']
    if (mode !== 'delete') throw new Error('its write-ahead log cannot be closed')
    return {
      exists: true,
      isReadable: true,
      killed: kids.map(({ kid }) => String(kid)),
      position: Number(head?.['position'] ?? 0),
      db,
    }
  } catch (error) {
    db.close()
    const code = error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : -1
    if (UNREADABLE.has(code)) return UNKNOWN
    throw new SetupError(
      `The database ${database} cannot be replaced: ${messageOf(error)}. Stop every program that uses it, then run this command again.`,
      { cause: error },
    )
  }
}

/** Starts the log over above the positions of both databases, and leaves one file without a write-ahead log. */
async function continueLog(
  path: string,
  { killed, position }: Replaced,
  by: RepairBy,
): Promise<number> {
  const db = SqliteDatabase.open(path, { busyTimeoutMs: BUSY_MS })
  try {
    const outcome = await db.write(async (tx) => {
      const head = await readHead(tx)
      // The log continues above the replaced database too, because no position may have two meanings. The replaced
      // database may itself have been restored.
      return startOver(tx, Math.max(head.position, position), head, by, { killed })
    })
    const mode = db.get('PRAGMA journal_mode = DELETE')?.['journal_mode']
    if (mode !== 'delete') throw new Error('the write-ahead log cannot be closed')
    return outcome.position
  } finally {
    await db.close()
  }
}

/** Puts the prepared database in its place. Returns the path of the replaced database. */
function swap(
  fresh: string,
  database: string,
  { exists, db }: Replaced,
  nowMs: number,
): string | undefined {
  const kept = `${keptPrefix(database)}${new Date(nowMs).toISOString().replaceAll(':', '')}`
  const folder = dirname(database)
  if (db !== undefined) {
    linkOrCopy(database, kept)
    // SQLite has applied it. A connection that locks the file keeps an empty one.
    rmSync(`${database}-journal`, { force: true })
  } else if (exists) {
    renameSync(database, kept)
  }
  // A log that remains belongs to a database that cannot be read or no longer exists.
  for (const suffix of LOG_SUFFIXES) {
    if (existsSync(database + suffix)) renameSync(database + suffix, kept + suffix)
  }
  rmSync(`${database}-shm`, { force: true })
  syncFolder(folder)
  renameSync(fresh, database)
  syncFolder(folder)
  return exists ? kept : undefined
}

/** Opens a file that may not be a Countersign database. */
function openFile(path: string): DatabaseSync {
  const { DatabaseSync: Database } = process.getBuiltinModule('node:sqlite')
  return new Database(path)
}
