import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { SetupError, messageOf } from '../base/faults.ts'
import type { Random } from '../base/random.ts'

/**
 * The secret of a development server: read from the data directory, or made there on the first
 * start, readable by its owner alone.
 */
export function readOrCreateSecret(dataDir: string, random: Random): string {
  const path = secretPath(dataDir)
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
    // `wx` fails where the file exists, so two first starts at once agree on one secret.
    writeFileSync(path, `${random.bytes(32).toString('base64url')}\n`, { flag: 'wx', mode: 0o600 })
    chmodSync(path, 0o600)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) {
      throw new SetupError(
        `The data directory ${dataDir} cannot be written: ${messageOf(error)}. Make it writable, or set COUNTERSIGN_DATA_DIR.`,
        { cause: error },
      )
    }
  }
  return readSecret(dataDir)
}

/** The same secret for commands that only look: where there is none, they must not make one. */
export function readSecret(dataDir: string): string {
  const path = secretPath(dataDir)
  try {
    if ((statSync(path).mode & 0o077) !== 0) {
      throw new SetupError(`Others can read ${path}. Run: chmod 600 ${path}`)
    }
    return readFileSync(path, 'utf8').trim()
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
