import { existsSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'

import { SetupError, messageOf } from '../base/faults.ts'
import { findWriter } from '../base/ownership.ts'
import { table } from '../settings-table.ts'
import { parseSettings, readEnvironment, type Settings, type SettingsInput } from '../settings.ts'
import { UsageError } from './usage-error.ts'

/**
 * Reads the settings from flags, from the environment and from the configuration file of this directory. Flags
 * take precedence over the environment, and the environment over the file. Throws a `SetupError` if the file
 * cannot be used, and a `UsageError` that names a flag with a wrong value.
 */
export async function loadInput(given: SettingsInput): Promise<SettingsInput> {
  checkFlags(given)
  const config = await readConfigFile()
  if ('accounts' in config) {
    throw new SetupError(
      'The configuration file may not contain `accounts`. An application with its own users must report changes to them, so it runs the authority in its own process: createAuthority({ accounts }). See docs/guides/own-users.md.',
    )
  }
  return { ...config, ...readEnvironment(process.env), ...given }
}

/**
 * Reads and checks the settings of this directory and environment. Throws a `SetupError` that names all
 * mistakes.
 */
export async function loadSettings(given: SettingsInput): Promise<Settings> {
  // `claims` is a function, not a setting. Commands mint no tokens, so they do not need it.
  const { claims: _, ...input }: SettingsInput & { claims?: unknown } = await loadInput(given)
  return parseSettings(input, { production: process.env['NODE_ENV'] === 'production' })
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
    const module: unknown = await import(pathToFileURL(path).href)
    if (typeof module === 'object' && module !== null && 'default' in module) {
      const { default: config } = module
      // `parseSettings` checks every member.
      if (typeof config === 'object' && config !== null) return config
    }
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
