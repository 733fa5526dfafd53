import { existsSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'

import { SetupError, messageOf } from '../base/faults.ts'
import { findWriter } from '../base/ownership.ts'
import { isProduction, readEnvironment } from '../settings-environment.ts'
import { table, type SettingsInput } from '../settings-table.ts'
import { parseSettings, variableOf, type Settings } from '../settings.ts'
import { importSettings } from './import-settings.ts'
import { UsageError } from './usage-error.ts'

/** The options of `createAuthority` that are not settings. `start` passes them on, and other commands ignore them. */
const PROGRAM_OPTIONS: ReadonlySet<string> = new Set([
  'claims',
  'signer',
  'logger',
  'clock',
  'random',
])

/**
 * Reads and checks the settings from flags, from the environment and from the configuration file of this
 * directory. Flags take precedence over the environment, and the environment over the file. Returns them as they
 * were given, too. Throws a `SetupError` that names all mistakes, or says why the file cannot be used. Throws a
 * `UsageError` that names a flag with a wrong value.
 */
export async function loadInput(
  given: SettingsInput,
): Promise<{ input: SettingsInput; settings: Settings }> {
  checkFlags(given)
  const config = await readConfigFile()
  if ('accounts' in config) {
    throw new SetupError(
      'The configuration file may not contain `accounts`. An application with its own users must report changes to them, so it runs the authority in its own process: createAuthority({ accounts }). See docs/guides/own-users.md.',
    )
  }
  const environment = readEnvironment(process.env)
  const input = { ...config, ...environment, ...given }
  const checked = Object.fromEntries(
    Object.entries(input).filter(([key]) => !PROGRAM_OPTIONS.has(key)),
  )
  const settings = parseSettings(checked, {
    production: isProduction(process.env),
    nameOf: (key) => (key in config && !(key in environment) ? key : variableOf(key)),
  })
  return { input, settings }
}

/** The settings that flags can set, with the name of the flag. */
const FLAG_OF = { port: '--port', dataDir: '--data-dir' } as const

/** A wrong value is reported with the flag, because that is what the operator typed. */
function checkFlags(given: SettingsInput): void {
  for (const key of Object.keys(FLAG_OF) as (keyof typeof FLAG_OF)[]) {
    if (given[key] === undefined) continue
    const { error } = table[key].schema.safeParse(given[key])
    if (error === undefined) continue
    throw new UsageError(`${FLAG_OF[key]} ${error.issues[0]?.message ?? 'is not valid'}.`)
  }
}

const CONFIG_FILES = ['countersign.config.ts', 'countersign.config.mjs', 'countersign.config.js']

async function readConfigFile(): Promise<SettingsInput> {
  const path = CONFIG_FILES.map((name) => join(process.cwd(), name)).find((each) =>
    existsSync(each),
  )
  if (path === undefined) return {}
  assertOwnCode(path)
  try {
    const config = await importSettings(path)
    // `parseSettings` checks every member.
    if (typeof config === 'object' && config !== null) return config
  } catch (error) {
    throw new SetupError(`${path} cannot be loaded: ${messageOf(error)}`, { cause: error })
  }
  throw new SetupError(
    `${path} must export its settings as the default export: export default { port: 8000 }`,
  )
}

/**
 * The configuration file is code. Throws a `SetupError` if another user could have written it, for example in `/tmp`:
 * that user could run anything as the user of this command.
 */
function assertOwnCode(path: string): void {
  const real = realpathSync(path)
  for (const each of new Set([real, dirname(path), dirname(real)])) {
    const found = findWriter(each)
    if (found === undefined) continue
    throw new SetupError(
      `${path} was not loaded, because ${each} ${found.problem}, who could run any code as you through it. If you trust its contents, run: ${found.run}. If that has no effect on this file system, start in another directory and set environment variables instead.`,
    )
  }
}
