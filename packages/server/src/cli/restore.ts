import { existsSync } from 'node:fs'
import { join } from 'node:path'

import { systemClock } from '../base/clock.ts'
import { SetupError } from '../base/faults.ts'
import type { Command } from './command.ts'
import { print, warn } from './print.ts'
import type { Workbench } from './workbench.ts'

/** The command `countersign restore`. */
export const restore: Command = {
  words: ['restore'],
  summary: 'restore the database from a backup; everybody must log in again',
  details:
    'Stop the server first: no server starts until the restore has ended. The revocation log continues above the position of the replaced database, so nothing that was revoked since the backup becomes valid again. All keys of access tokens are revoked. The command rejects the live database file as its own backup, and a file that is damaged or has tables, triggers or other objects that Countersign did not create.',
  operands: [
    {
      name: 'FILE',
      text: 'The backup. Leave it out if you have already copied a backup over the database file, or restored PostgreSQL with its own tools.',
      optional: true,
    },
  ],
  example: 'restore /backups/countersign.db',
  async run({ operands: [copy], given, withWorkbench }) {
    const [{ loadInput }, { actorName }, { restoreDatabase }] = await Promise.all([
      import('./load-settings.ts'),
      import('./workbench.ts'),
      import('../store/sqlite/restore.ts'),
    ])
    const { dataDir, publicUrl, databaseUrl } = (await loadInput(given)).settings
    if (databaseUrl !== undefined) {
      if (copy !== undefined) {
        throw new SetupError(
          'Restore PostgreSQL with its own tools, then run: countersign restore, without FILE.',
        )
      }
      const { assertNoServers } = await import('../store/transfer/postgres-side.ts')
      await assertNoServers(databaseUrl)
      await withWorkbench(continueRestored)
      return
    }
    const database = join(dataDir, 'countersign.db')
    if (copy === undefined && !existsSync(database)) {
      throw new SetupError(
        `There is no database at ${database}. Name a backup: countersign restore FILE, or name the data directory with --data-dir or COUNTERSIGN_DATA_DIR.`,
      )
    }
    const by = { issuer: publicUrl, at: systemClock.nowMs(), actor: actorName() }
    const { position, kept, keepsKilled } = await restoreDatabase(dataDir, copy, by)
    if (kept !== undefined) print(`The replaced database was kept as ${kept}.`)
    if (!keepsKilled) {
      print(
        `${copy === undefined ? 'The database from before the backup is not known' : 'The replaced database cannot be read'}. If you killed keys of refresh tokens since the backup was made, kill them again: countersign keys kill KID`,
      )
    }
    print(
      `The revocation log continues at position ${position}. Tokens that were revoked since the backup stay rejected.`,
    )
    print(
      'All keys that sign access tokens are revoked. The server generates new ones when it starts.',
    )
    await withWorkbench(warnOfOtherSecret)
    print(
      'Everybody must log in again. Service accounts keep working. Start the server now: countersign start',
    )
  },
}

/** Starts the log over in a PostgreSQL that was restored from a backup. */
async function continueRestored({ store, settings, actor }: Workbench): Promise<void> {
  const by = { issuer: settings.publicUrl, at: store.clock.nowMs(), actor }
  const head = await store.revocations.head()
  const { kind, position } = await store.revocations.startOver(head.position, head, by, {
    killed: [],
  })
  if (kind === 'head_moved') {
    throw new SetupError('The database is in use. Stop all servers, then run this command again.')
  }
  print(
    `The revocation log continues at position ${position}. Tokens from before the restore are rejected.`,
  )
  print(
    'All keys that sign access tokens are revoked. The servers generate new ones when they start.',
  )
  print(
    'Everybody must log in again. If you killed keys of refresh tokens since the backup was made, kill them again: countersign keys kill KID. Start the servers now.',
  )
}

/**
 * Warns if the secret of this shell does not open the keys of the backup. A server with that secret would
 * refuse to start, perhaps long after the operator has gone.
 */
async function warnOfOtherSecret(bench: Workbench): Promise<void> {
  const keys = (await bench.store.keys.list()).filter(({ state }) => state !== 'revoked')
  if (keys.length === 0) return
  const { openKey } = await import('../keys/material.ts')
  const { ringParts } = await import('./ring-parts.ts')
  try {
    const { sealer } = await ringParts(bench)
    for (const key of keys) openKey(key, sealer)
  } catch (error) {
    if (!(error instanceof SetupError)) throw error
    warn(`${error.message} Until then the server does not start.`)
  }
}
