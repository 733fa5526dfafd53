import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'

import type { Logger } from 'pino'

import { findWriter, type Exposure } from '../base/ownership.ts'
import type { SettingsInput } from '../settings-table.ts'
import type { Settings } from '../settings.ts'

/** The settings that name files with secrets. */
const SECRET_FILES = ['secretFile', 'sharedSecretFile', 'adminPasswordFile'] as const

/**
 * Warns of a data directory, a database and secret files to which other users have access. This does not stop the server,
 * because containers often run with such files on purpose. Files that must stop the server are checked when they are
 * opened.
 */
export function warnOfExposures(input: SettingsInput, settings: Settings, logger: Logger): void {
  const { dataDir, databaseUrl } = settings
  const files = databaseUrl === undefined ? [dataDir, join(dataDir, 'countersign.db')] : []
  const own = files.map((path) => findWriter(path))
  const secrets = SECRET_FILES.map((key) => findReader(input[key]))
  for (const exposure of [...own, ...secrets]) {
    if (exposure !== undefined) logger.warn({ event: 'files_exposed', ...exposure })
  }
}

/** Docker and Kubernetes mount secrets readable for a group, so that is no reason for a warning. */
function findReader(path: unknown): Exposure | undefined {
  if (typeof path !== 'string' || process.getuid === undefined || !existsSync(path)) {
    return undefined
  }
  const isReadable = (statSync(path).mode & 0o007) !== 0
  return isReadable
    ? { path, problem: 'can be read by every user of this machine', run: `chmod o= ${path}` }
    : findWriter(path)
}
