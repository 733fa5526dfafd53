import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'

import { SetupError, messageOf } from '../base/faults.ts'
import { limits } from '../base/limits.ts'
import { isPrivate, keepsModes, MODELESS_ADVICE } from '../base/ownership.ts'
import type { Random } from '../base/random.ts'

/**
 * Returns the secret of a development server. It is read from the data directory, or created there on the
 * first start, readable only by its owner. A new secret is written and synced to disk before the file gets
 * its name. Otherwise a full disk or a crash could leave an empty secret, which would then seal the keys.
 */
export function readOrCreateSecret(dataDir: string, random: Random): string {
  const path = secretPath(dataDir)
  if (!existsSync(path)) {
    const draft = `${path}.${random.bytes(8).toString('hex')}`
    try {
      mkdirSync(dataDir, { recursive: true, mode: 0o700 })
      writeDurably(draft, `${random.bytes(32).toString('base64url')}\n`)
      // Linking fails if the name exists, so two simultaneous first starts use the same secret.
      linkSync(draft, path)
    } catch (error) {
      if (!existsSync(path)) {
        throw new SetupError(
          `The data directory ${dataDir} is not writable: ${messageOf(error)}. Make it writable, or set COUNTERSIGN_DATA_DIR.`,
          { cause: error },
        )
      }
    } finally {
      rmSync(draft, { force: true })
    }
  }
  return readSecret(dataDir)
}

function writeDurably(path: string, text: string): void {
  const file = openSync(path, 'wx', 0o600)
  try {
    writeSync(file, text)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

/** Returns the secret for commands that only read, and never creates one. */
export function readSecret(dataDir: string): string {
  const path = secretPath(dataDir)
  try {
    assertPrivate(path, dataDir)
    const secret = readFileSync(path, 'utf8').trim()
    if (secret.length < limits.secretCharsMin) {
      throw new SetupError(
        `The secret file ${path} is empty or cut off. Restore it from a backup. Without it the keys in the database cannot be opened.`,
      )
    }
    return secret
  } catch (error) {
    if (error instanceof SetupError) throw error
    throw new SetupError(`The secret file ${path} cannot be read: ${messageOf(error)}.`, {
      cause: error,
    })
  }
}

/** The owner of the file can read and replace it. So the owner must be this user, root, or the owner of the data directory. */
function assertPrivate(path: string, dataDir: string): void {
  const found = statSync(path)
  if (!isPrivate(found)) {
    throw new SetupError(
      `Other users can read ${path}. ${keepsModes(dataDir) ? `Run: chmod 600 ${path}` : `${MODELESS_ADVICE} Or set COUNTERSIGN_SECRET.`}`,
    )
  }
  const me = process.getuid?.()
  if (me === undefined || [me, 0, statSync(dataDir).uid].includes(found.uid)) return
  throw new SetupError(
    `${path} belongs to another user (uid ${found.uid}), who can read and replace it. If you trust its contents, run: chown ${me} ${path}`,
  )
}

function secretPath(dataDir: string): string {
  return join(dataDir, 'secret')
}
