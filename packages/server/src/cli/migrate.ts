import { createSystemRandom } from '../base/random.ts'
import { SetupError, messageOf } from '../base/faults.ts'
import type { Settings } from '../settings.ts'
import type { Compared, CopyEvents } from '../store/transfer/copy.ts'
import type { Side, Target } from '../store/transfer/side.ts'
import { JSON_FLAG, type Command, type CommandInput } from './command.ts'
import { print, printRows } from './print.ts'
import { createProgressBar, formatRate, type ProgressBar } from './progress.ts'

/** The exit code of `countersign migrate --check` if the schema must be upgraded. */
const PENDING = 3

const DETAILS =
  'Stop all servers first. The command copies every table, then reads both databases again and compares the number of rows and a SHA-256 of each table. If it is interrupted, run it again: it continues. No server starts on the target before everything is copied and compared. Sessions, keys, factors, the revocation log and the audit stay as they are, so nobody has to log in again.'

const sqliteToPostgres: Command = {
  words: ['migrate', 'sqlite-to-postgres'],
  summary: 'copy the embedded database to PostgreSQL',
  details: `Copies the database in \`COUNTERSIGN_DATA_DIR\` to the empty database of \`DATABASE_URL\`. ${DETAILS} The embedded database is not changed.`,
  operands: [],
  flags: JSON_FLAG,
  example: 'migrate sqlite-to-postgres',
  run: (input) =>
    transfer(input, async ({ dataDir }, url) => {
      const [{ assertDatabase }, sqlite, postgres] = await Promise.all([
        import('./workbench.ts'),
        import('../store/transfer/sqlite-side.ts'),
        import('../store/transfer/postgres-side.ts'),
      ])
      const path = assertDatabase(dataDir)
      return {
        openSource: async () => sqlite.openSqliteSource(dataDir),
        openTarget: () => postgres.openPostgresTarget(url),
        next: `Start the servers with DATABASE_URL. Do not start a server on ${path} again: it would continue from this moment, beside PostgreSQL.`,
      }
    }),
}

const postgresToSqlite: Command = {
  words: ['migrate', 'postgres-to-sqlite'],
  summary: 'copy PostgreSQL to an embedded database',
  details: `Copies the database of \`DATABASE_URL\` to \`COUNTERSIGN_DATA_DIR\`, which must not have a database. ${DETAILS} PostgreSQL is not changed, and its tables are locked against changes while the command runs.`,
  operands: [],
  flags: JSON_FLAG,
  example: 'migrate postgres-to-sqlite --data-dir ./data',
  run: (input) =>
    transfer(input, async ({ dataDir }, url) => {
      const [sqlite, postgres] = await Promise.all([
        import('../store/transfer/sqlite-side.ts'),
        import('../store/transfer/postgres-side.ts'),
      ])
      return {
        openSource: () => postgres.openPostgresSource(url),
        openTarget: async () => sqlite.openSqliteTarget(dataDir),
        next: 'Start the server without DATABASE_URL. Do not start a server on PostgreSQL again: it would continue from this moment, beside the embedded database.',
      }
    }),
}

const migrate: Command = {
  words: ['migrate'],
  summary: 'upgrade the schema of the database, and exit',
  details: `A server does the same when it starts. On PostgreSQL, servers of the previous version go on meanwhile. Stop the server before you upgrade the embedded database. \`--check\` changes nothing. Its exit code is 0 if the schema is current, and ${PENDING} if an upgrade is pending. It is 1 if the database cannot be reached, needs a newer version, or contains an unfinished import.`,
  operands: [],
  flags: { check: { type: 'boolean', text: 'Only report whether an upgrade is pending.' } },
  example: 'migrate --check',
  async run({ given, options }) {
    const [{ loadInput }, { readSchemaVersion, upgradeSchema }] = await Promise.all([
      import('./load-settings.ts'),
      import('../store/schema.ts'),
    ])
    const { settings } = await loadInput(given)
    const isCheck = options['check'] === true
    const found = await (isCheck ? readSchemaVersion : upgradeSchema)(settings)
    const { version, newest, isCurrent } = found
    if (isCurrent) {
      print(`The schema is current (version ${version}).`)
    } else if (isCheck) {
      print(`An upgrade is pending: from schema ${version} to ${newest}. Run: countersign migrate`)
      process.exitCode = PENDING
    } else {
      print(`The schema was upgraded from version ${version} to ${newest}.`)
    }
  },
}

/** The commands `countersign migrate`. Those with two words come first, because the other one begins like them. */
export const migrateCommands: readonly Command[] = [sqliteToPostgres, postgresToSqlite, migrate]

interface Transfer {
  readonly openSource: () => Promise<Side>
  readonly openTarget: () => Promise<Target>
  /** What to do when it has succeeded. */
  readonly next: string
}

async function transfer(
  { given, options }: CommandInput,
  plan: (settings: Settings, url: string) => Promise<Transfer>,
): Promise<void> {
  const [{ loadInput }, { copyDatabase }] = await Promise.all([
    import('./load-settings.ts'),
    import('../store/transfer/copy.ts'),
  ])
  const { settings } = await loadInput(given)
  if (settings.databaseUrl === undefined) {
    throw new SetupError('DATABASE_URL is not set. Set it to the URL of the PostgreSQL database.')
  }
  const { openSource, openTarget, next } = await plan(settings, settings.databaseUrl)
  const json = options['json'] === true
  const bar = createProgressBar(process.stderr)
  let compared: readonly Compared[]
  try {
    await using source = closing(await openSource())
    await assertOpensKeys(source.side, settings)
    await using target = closing(await openTarget())
    compared = await copyDatabase(source.side, target.side, report(bar, json))
  } catch (error) {
    if (error instanceof SetupError) throw error
    throw new SetupError(
      `The copy stopped: ${messageOf(error)}. Correct the cause, then run the command again. It continues where it stopped.`,
      { cause: error },
    )
  } finally {
    bar.clear()
  }
  const digits = json ? 64 : 16
  printRows(
    compared.map((each) => toRow(each, digits)),
    { json, empty: '' },
  )
  if (compared.some(({ isSame }) => !isSame)) {
    throw new SetupError(
      'The two databases differ, so no server starts on the target. A server or another program has changed one of them. Empty the target, then run this command again.',
    )
  }
  if (!json) print(`Everything was copied, and both databases are the same. ${next}`)
}

function closing<T extends Side>(side: T): AsyncDisposable & { readonly side: T } {
  return { side, [Symbol.asyncDispose]: () => side.close() }
}

/** A server that cannot open the keys does not start. That should be known before the copy. */
async function assertOpensKeys(source: Side, { secrets, dataDir }: Settings): Promise<void> {
  const [{ readStoredKeys }, { openKey }, { createSealer }, { readSecret }] = await Promise.all([
    import('../store/transfer/keys.ts'),
    import('../keys/material.ts'),
    import('../keys/sealing.ts'),
    import('../keys/secret.ts'),
  ])
  const keys = (await readStoredKeys(source)).filter(({ state }) => state !== 'revoked')
  if (keys.length === 0) return
  const sealer = createSealer(secrets ?? [readSecret(dataDir)], createSystemRandom())
  for (const key of keys) openKey(key, sealer)
}

function report(bar: ProgressBar, json: boolean): CopyEvents {
  const begunAtMs = performance.now()
  let first = 0
  return {
    onStart(copied, total) {
      first = copied
      if (copied > 0 && !json) {
        print(`The interrupted copy continues: ${copied} of ${total} rows are copied.`)
      }
    },
    onProgress(done, total) {
      const rate = { done: done - first, left: total - done, unit: 'rows' }
      bar.show(done / total, formatRate(rate, performance.now() - begunAtMs))
    },
  }
}

function toRow(
  { table, source, target, isSame }: Compared,
  digits: number,
): Record<string, string | number> {
  return {
    table,
    source_rows: source.rows,
    target_rows: target.rows,
    source_sha256: source.sha256.slice(0, digits),
    target_sha256: target.sha256.slice(0, digits),
    result: isSame ? 'same' : 'DIFFERENT',
  }
}
