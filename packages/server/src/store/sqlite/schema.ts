import { dirname } from 'node:path'

import { SetupError, messageOf } from '../../base/faults.ts'
import { connect } from './connection.ts'
import { ServerLock } from './lock.ts'
import { migrations } from './migrations.ts'

const BUSY_MS = 5_000

/**
 * Reads the version of an embedded database, beside a server that may run. Without `path`, of a missing one. Throws a
 * `SetupError` if a newer version has written it or it cannot be read.
 */
export function readSqliteSchema(path: string | undefined): {
  readonly version: number
  readonly newest: number
  readonly isCurrent: boolean
} {
  const newest = migrations.length
  if (path === undefined) return { version: 0, newest, isCurrent: false }
  const version = readVersion(path)
  if (version > newest) throw new SetupError(newerVersion(path, version))
  return { version, newest, isCurrent: version === newest }
}

/** Says that a newer version has written a database. */
export function newerVersion(path: string, version: number): string {
  return `The database ${path} was written by a newer version (schema ${version}, this one knows ${migrations.length}). Start that version, or restore an older copy.`
}

function readVersion(path: string): number {
  const lock = ServerLock.share(dirname(path))
  try {
    const { db } = connect(path, BUSY_MS, false)
    try {
      return Number(db.prepare('PRAGMA user_version').get()?.['user_version'])
    } finally {
      db.close()
    }
  } catch (error) {
    throw new SetupError(`The database ${path} cannot be used: ${messageOf(error)}.`, {
      cause: error,
    })
  } finally {
    lock.release()
  }
}
