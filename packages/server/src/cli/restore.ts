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
  usage: 'restore [FILE]',
  summary: 'put back a copy of the database, or say that it was put back: everybody signs in again',
  operands: { min: 0, max: 1 },
  async run({ operands: [copy] }) {
    const { dataDir, publicUrl } = await loadSettings()
    const database = join(dataDir, 'countersign.db')
    if (copy === undefined && !existsSync(database)) {
      throw new SetupError(`There is no database at ${database}.`)
    }
    // Nobody writes meanwhile: it throws while a server runs. What is replaced may be broken, and is not opened.
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
    ServerLock.take(dataDir).release()
    const replaced = copy === undefined ? undefined : readReplaced(database)
    const kept = copy === undefined ? undefined : putBack(copy, database)
    const store = openStore({ dataDir }, { exclusive: true, clock: systemClock })
    try {
      const now = await startOver(store, publicUrl, replaced)
      if (kept !== undefined) print(`The database from before is ${kept}.`)
      if (replaced === undefined) {
        print(
          `${copy === undefined ? 'What was here before is not known' : 'It cannot be read'}: kill secrets of refresh tokens again that were killed since the copy was made.`,
        )
      }
      print(`The log goes on at position ${now}: what the copy does not know of cannot come back.`)
      print('All keys that sign access tokens are killed, and new ones made at the start.')
      print('Everybody signs in again; service accounts go on. Start the server.')
    } finally {
      await store.close()
    }
  },
}

/** Starts the log over above both databases. Gives the position where it goes on. */
async function startOver(
  { revocations }: Store,
  issuer: string,
  replaced: Replaced | undefined,
): Promise<number> {
  const by = { issuer, at: systemClock.nowMs(), actor: actorName() }
  for (;;) {
    const head = await revocations.head()
    // Above what was replaced too, which may have been put back before: no position means two things.
    const lost = Math.max(head.position, replaced?.position ?? 0)
    const outcome = await revocations.startOver(lost, head, by, { killed: replaced?.killed ?? [] })
    // A command beside this one has revoked something meanwhile.
    if (outcome.kind !== 'head_moved') return outcome.position
  }
}

/** What the new log must know of the database that is replaced. */
interface Replaced {
  readonly killed: readonly string[]
  readonly position: number
}

/** Undefined where it cannot be read. */
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

/** Puts a copy in the place of the database, which is kept beside it. Gives where. */
function putBack(copy: string, database: string): string | undefined {
  const fresh = `${database}.restoring`
  try {
    if (isSame(copy, database)) {
      throw new SetupError(
        `${copy} is the database itself. Leave FILE out where you have put a copy in its place.`,
      )
    }
    if (isSame(copy, fresh)) {
      throw new SetupError(`${copy} is what an interrupted restore has left. Name the copy itself.`)
    }
    // A write-ahead log that an interrupted restore has left would be taken for one of this copy.
    discard(fresh)
    // What a server that was killed had not copied over yet is part of the copy.
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
  // What a server that was killed had not copied over yet belongs to the file from before.
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
      if (Number(schema) > migrations.length) throw new Error('it is of a newer version')
    })
  } catch (error) {
    discard(path)
    throw new SetupError(`${name} is no copy of a Countersign database: ${messageOf(error)}`, {
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

/** Opens a database that may be none of ours. */
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

export const restoreCommands: readonly Command[] = [restore]
