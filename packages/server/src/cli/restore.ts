import { existsSync } from 'node:fs'
import { join } from 'node:path'

import { systemClock } from '../base/clock.ts'
import { SetupError } from '../base/faults.ts'
import { restoreDatabase } from '../store/sqlite/restore.ts'
import { actorName, loadInput, type Command } from './command.ts'
import { print } from './print.ts'

const restore: Command = {
  words: ['restore'],
  summary: 'restore the database from a backup; everybody must log in again',
  details:
    'Stop the server first: no server starts until the restore has ended. The revocation log continues above the position of the replaced database, so nothing that was revoked since the backup becomes valid again. All keys of access tokens are revoked. The command rejects the live database file as its own backup, and a file that is damaged or has tables, triggers or other objects that Countersign did not create.',
  operands: [
    {
      name: 'FILE',
      text: 'The backup. Leave it out if you have already copied a backup over the database file.',
      optional: true,
    },
  ],
  example: 'restore /backups/countersign.db',
  async run({ operands: [copy] }) {
    const { dataDir, publicUrl } = (await loadInput()).settings
    const database = join(dataDir, 'countersign.db')
    if (copy === undefined && !existsSync(database)) {
      throw new SetupError(
        `There is no database at ${database}. Name a backup: countersign restore FILE, or set COUNTERSIGN_DATA_DIR.`,
      )
    }
    const by = { issuer: publicUrl, at: systemClock.nowMs(), actor: actorName() }
    const { position, kept, keepsKilled } = restoreDatabase(dataDir, copy, by)
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
    print(
      'Everybody must log in again. Service accounts keep working. Start the server now: countersign start',
    )
  },
}

/** The command `countersign restore`. */
export const restoreCommands: readonly Command[] = [restore]
