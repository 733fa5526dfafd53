import { resolve } from 'node:path'

import { SetupError } from '../base/faults.ts'
import type { Command } from './command.ts'
import { print } from './print.ts'
import { createProgressBar } from './progress.ts'

/** The command `countersign backup`. */
export const backup: Command = {
  words: ['backup'],
  summary: 'copy the embedded database to a file, while the server runs',
  details:
    'The copy is the state of one moment, in one file that only its owner can read. It is checked before it gets its name. It does not contain the secret: keep that in another place. `restore` restores it.',
  operands: [{ name: 'FILE', text: 'The file to write. It must not exist yet.' }],
  flags: { overwrite: { type: 'boolean', text: 'Replace the file if it exists.' } },
  example: 'backup /backups/countersign.db',
  async run({ operands: [file = ''], options, given }) {
    const [{ loadInput }, { assertDatabase }, { backUpDatabase }] = await Promise.all([
      import('./load-settings.ts'),
      import('./workbench.ts'),
      import('../store/sqlite/backup.ts'),
    ])
    const { dataDir, databaseUrl } = (await loadInput(given)).settings
    if (databaseUrl !== undefined) {
      throw new SetupError(
        'This command copies the embedded database. Back up PostgreSQL with its own tools, for example pg_dump or pg_basebackup.',
      )
    }
    const database = assertDatabase(dataDir)
    const bar = createProgressBar(process.stderr)
    const { bytes, position } = await backUpDatabase(dataDir, resolve(file), {
      overwrite: options['overwrite'] === true,
      onProgress: (part) => bar.show(part),
    }).finally(() => bar.clear())
    print(`${database} was copied to ${resolve(file)} (${megabytes(bytes)} MB) and checked.`)
    print(`The revocation log in it ends at position ${position}.`)
    print(
      'The backup does not contain the secret that opens its keys. Keep the secret in another place.',
    )
  },
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1)
}
