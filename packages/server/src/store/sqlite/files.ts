import {
  chownSync,
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'

import { SetupError } from '../../base/faults.ts'

const COPY_BYTES = 4 * 1024 * 1024

/** The files that SQLite keeps beside a database. Both can hold pages that the database file does not have yet. */
export const LOG_SUFFIXES = ['-wal', '-journal'] as const

/** Where `countersign restore` prepares the database that will replace the one at this path. */
export function restoringPath(database: string): string {
  return `${database}.restoring`
}

/** The names of databases that a restore has replaced begin with this path. */
export function keptPrefix(database: string): string {
  return `${database}.before-`
}

/** Where `countersign migrate postgres-to-sqlite` prepares the database of this path. */
export function importingPath(database: string): string {
  return `${database}.importing`
}

/**
 * Throws a `SetupError` where there is no database, but files of a restore or of an import are. A server that created an
 * empty database there would serve no account, and nobody would notice at once that the data is missing.
 */
export function assertNoRemains(database: string): void {
  assertNoRestore(database)
  if (existsSync(database) && statSync(database).size > 0) return
  const importing = importingPath(database)
  if (!existsSync(importing)) return
  throw new SetupError(
    `There is no database at ${database}, but an unfinished import from PostgreSQL: ${importing}. Continue it: countersign migrate postgres-to-sqlite. If you want to begin with an empty database, delete that file first.`,
  )
}

/** Throws a `SetupError` where there is no database, but files of a restore are. */
export function assertNoRestore(database: string): void {
  if (existsSync(database) && statSync(database).size > 0) return
  const prefixes = [restoringPath(database), keptPrefix(database)].map((path) => basename(path))
  const remains = readdirSync(dirname(database))
    .filter((name) => prefixes.some((prefix) => name.startsWith(prefix)))
    .toSorted()
  if (remains.length === 0) return
  throw new SetupError(
    `There is no database at ${database}, but a restore was interrupted there: it has left ${remains.join(', ')}. Run it again: countersign restore FILE. If you want to begin with an empty database, move these files to another directory first.`,
  )
}

/**
 * Copies a file to a path that does not exist yet, and syncs it to disk. Other users cannot read the copy at any time,
 * whatever the mode of the original. `copyFileSync` would give it that mode before it writes the first byte.
 */
export function copyPrivately(from: string, to: string): void {
  const source = openSync(from, 'r')
  try {
    const target = openSync(to, 'wx', 0o600)
    try {
      const buffer = Buffer.allocUnsafe(COPY_BYTES)
      for (let read = 1; read > 0;) {
        read = readSync(source, buffer, 0, buffer.length, null)
        for (let at = 0; at < read;) at += writeSync(target, buffer, at, read - at)
      }
      fsyncSync(target)
    } finally {
      closeSync(target)
    }
  } finally {
    closeSync(source)
  }
}

/** Gives a file a second name, or copies it where the file system has no hard links. */
export function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') throw error
    copyPrivately(from, to)
  }
}

/** Whether both paths name the same file, also through symbolic or hard links. */
export function isSameFile(path: string, other: string): boolean {
  if (!existsSync(path) || !existsSync(other)) return false
  const [a, b] = [path, other].map((each) => statSync(each, { bigint: true }))
  return a?.ino === b?.ino && a?.dev === b?.dev
}

/**
 * Removes the second names that an interrupted restore has given to the database. They look like databases that were
 * replaced, but would change with this one.
 */
export function removeExtraNames(database: string): void {
  const folder = dirname(database)
  for (const name of readdirSync(folder)) {
    const path = join(folder, name)
    if (path.startsWith(keptPrefix(database)) && isSameFile(path, database)) rmSync(path)
  }
}

/** Removes a database and the files that SQLite keeps beside it. */
export function removeDatabase(path: string): void {
  for (const suffix of ['', ...LOG_SUFFIXES, '-shm']) rmSync(`${path}${suffix}`, { force: true })
}

/** Writes the names in a directory to disk: a rename is durable only after that. */
export function syncFolder(path: string): void {
  let folder: number | undefined
  try {
    folder = openSync(path, 'r')
    fsyncSync(folder)
  } catch (error) {
    // Windows and some network file systems do not allow this. They write names at once.
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (!['EINVAL', 'EISDIR', 'EPERM', 'ENOTSUP'].includes(String(code))) throw error
  } finally {
    if (folder !== undefined) closeSync(folder)
  }
}

/** When root runs a command, gives a new file to the owner of another one. Otherwise the server could not open it. */
export function giveToOwnerOf(path: string, other: string): void {
  if (process.getuid?.() !== 0) return
  const { uid, gid } = statSync(other)
  if (uid !== 0 || gid !== 0) chownSync(path, uid, gid)
}
