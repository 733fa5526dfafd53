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
import type { Random } from '../base/random.ts'

/**
 * The secret of a development server: read from the data directory, or made there on the first
 * start, readable by its owner alone. It is written whole, and to the disk, before it gets its name: a
 * full disk or a crash in between must not leave an empty one that would then seal the keys.
 */
export function readOrCreateSecret(dataDir: string, random: Random): string {
  const path = secretPath(dataDir)
  if (!existsSync(path)) {
    const draft = `${path}.${random.bytes(8).toString('hex')}`
    try {
      mkdirSync(dataDir, { recursive: true, mode: 0o700 })
      writeDurably(draft, `${random.bytes(32).toString('base64url')}\n`)
      // Fails where the name is taken, so two first starts at once agree on one secret.
      linkSync(draft, path)
    } catch (error) {
      if (!existsSync(path)) {
        throw new SetupError(
          `The data directory ${dataDir} cannot be written: ${messageOf(error)}. Make it writable, or set COUNTERSIGN_DATA_DIR.`,
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

/** The same secret for commands that only look: where there is none, they must not make one. */
export function readSecret(dataDir: string): string {
  const path = secretPath(dataDir)
  try {
    if ((statSync(path).mode & 0o077) !== 0) {
      throw new SetupError(`Others can read ${path}. Run: chmod 600 ${path}`)
    }
    const secret = readFileSync(path, 'utf8').trim()
    if (secret.length < limits.secretCharsMin) {
      throw new SetupError(
        `The secret ${path} is empty or cut off. Restore it from a copy; without it the keys in the database cannot be opened.`,
      )
    }
    return secret
  } catch (error) {
    if (error instanceof SetupError) throw error
    throw new SetupError(`The secret ${path} cannot be read: ${messageOf(error)}.`, {
      cause: error,
    })
  }
}

function secretPath(dataDir: string): string {
  return join(dataDir, 'secret')
}
