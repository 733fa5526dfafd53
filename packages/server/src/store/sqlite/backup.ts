import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'

import { SetupError, messageOf } from '../../base/faults.ts'
import { checkBackup } from './backup-check.ts'
import { isSameFile, LOG_SUFFIXES, removeDatabase, syncFolder } from './files.ts'
import { ServerLock } from './lock.ts'

/** The result of a backup. */
export interface BackedUp {
  /** The size of the backup in bytes. */
  readonly bytes: number
  /** The position of the revocation log in the backup. */
  readonly position: number
}

/** How a backup is made. */
export interface BackupOptions {
  /** Whether an older backup at the path is replaced. */
  readonly overwrite: boolean
  /** Called after each step with the part that is copied, from 0 to 1. */
  readonly onProgress: (part: number) => void
}

const BUSY_MS = 5_000
/** 4 MiB: a step holds no lock that a writer waits for, and shows progress often enough. */
const STEP_PAGES = 1_024

/**
 * Copies the database of a directory to a file, while a server may be writing to it. The copy is the state of one
 * moment, and is complete in one file with mode 600. It is checked before it gets its name, so a file with that name
 * is always an intact backup.
 *
 * Throws a `SetupError` if the file exists and is not to be replaced, cannot be written, or is the live database.
 */
export async function backUpDatabase(
  dataDir: string,
  target: string,
  { overwrite, onProgress }: BackupOptions,
): Promise<BackedUp> {
  const database = join(dataDir, 'countersign.db')
  assertTarget(database, target, overwrite)
  const draft = `${target}.part`
  const lock = ServerLock.share(dataDir)
  try {
    createDraft(draft)
    await copyDatabase(database, draft, onProgress)
    const position = completeCopy(draft)
    // A log beside it belongs to an older backup. A restore would apply it to this one.
    for (const suffix of LOG_SUFFIXES) rmSync(target + suffix, { force: true })
    renameSync(draft, target)
    syncFolder(dirname(target))
    return { bytes: statSync(target).size, position }
  } catch (error) {
    removeDatabase(draft)
    if (error instanceof SetupError) throw error
    throw new SetupError(`The backup failed: ${messageOf(error)}. Nothing was left at ${target}.`, {
      cause: error,
    })
  } finally {
    lock.release()
  }
}

function assertTarget(database: string, target: string, overwrite: boolean): void {
  const owned = ['', ...LOG_SUFFIXES, '-shm'].map((suffix) => database + suffix)
  if (owned.some((path) => isSameFile(path, target))) {
    throw new SetupError(`${target} is the live database itself. Name another file for the backup.`)
  }
  const existing = ['', ...LOG_SUFFIXES]
    .map((suffix) => target + suffix)
    .find((path) => existsSync(path))
  if (existing === undefined) return
  if (!statSync(existing).isFile()) {
    throw new SetupError(`${existing} is not a regular file. Name a file for the backup.`)
  }
  if (overwrite) return
  throw new SetupError(`${existing} exists. Choose another name, or add --overwrite to replace it.`)
}

/** Creates the file before SQLite does, which would make it readable for others. */
function createDraft(draft: string): void {
  try {
    removeDatabase(draft) // A backup that was interrupted may have left it.
    closeSync(openSync(draft, 'wx', 0o600))
  } catch (error) {
    throw new SetupError(`The backup cannot be written: ${messageOf(error)}.`, { cause: error })
  }
}

async function copyDatabase(
  database: string,
  draft: string,
  onProgress: (part: number) => void,
): Promise<void> {
  const { backup, DatabaseSync: Database } = process.getBuiltinModule('node:sqlite')
  const source = new Database(database)
  try {
    source.exec(`PRAGMA busy_timeout = ${BUSY_MS}`)
    // The open snapshot keeps the copy at one moment. Without it, SQLite begins again after each write of the server,
    // and a busy server would never let it end. In WAL mode a reader makes no writer wait.
    source.exec('BEGIN')
    source.exec('SELECT count(*) FROM sqlite_schema')
    await backup(source, draft, {
      rate: STEP_PAGES,
      progress: ({ totalPages, remainingPages }) => {
        onProgress(totalPages === 0 ? 0 : 1 - remainingPages / totalPages)
      },
    })
    onProgress(1)
  } finally {
    source.close()
  }
}

/** Checks the copy and syncs it to disk. Returns the position of its revocation log. */
function completeCopy(draft: string): number {
  const { DatabaseSync: Database } = process.getBuiltinModule('node:sqlite')
  const copy = new Database(draft)
  try {
    // The copy has the mode of the live database, whose files beside it a backup must not need.
    const mode = copy.prepare('PRAGMA journal_mode = DELETE').get()?.['journal_mode']
    if (mode !== 'delete') throw new Error('the write-ahead log of the copy cannot be closed')
    checkBackup(copy)
    return readPosition(copy)
  } finally {
    copy.close()
    chmodSync(draft, 0o600)
    const file = openSync(draft, 'r')
    fsyncSync(file)
    closeSync(file)
  }
}

function readPosition(copy: DatabaseSync): number {
  return Number(copy.prepare('SELECT position FROM revocation_head').get()?.['position'] ?? 0)
}
