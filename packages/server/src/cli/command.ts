import { existsSync, realpathSync } from 'node:fs'
import { availableParallelism, userInfo } from 'node:os'
import { dirname, join } from 'node:path'

import { createClientManager, type ClientManager } from '../accounts/clients.ts'
import { createAccountManager, type AccountManager } from '../accounts/manage.ts'
import { createPasswordHasher } from '../accounts/passwords.ts'
import {
  createRoleManager,
  createTenantManager,
  type RoleManager,
  type TenantManager,
} from '../accounts/tenants.ts'
import { systemClock } from '../base/clock.ts'
import { SetupError, messageOf } from '../base/faults.ts'
import { findWriter } from '../base/ownership.ts'
import { createSystemRandom, type Random } from '../base/random.ts'
import { isProduction, readEnvironment } from '../settings-environment.ts'
import type { SettingsInput } from '../settings-table.ts'
import { parseSettings, variableOf, type Settings } from '../settings.ts'
import { openStore } from '../store/open.ts'
import type { Store } from '../store/store.ts'
import { importSettings } from './import-settings.ts'

/** A positional argument of a command. */
export interface Operand {
  /** Its name in the usage line: `NAME`. */
  readonly name: string
  readonly text: string
  readonly optional?: true
  /** How many values a command accepts for it. Default: 1. */
  readonly max?: number
}

/** A flag of a command, such as `--json` or `--role ROLE`. */
export interface Flag {
  readonly type: 'string' | 'boolean'
  /** Whether it may be repeated. */
  readonly multiple?: true
  /** Its value in the usage line: `ROLE`. Only with `type: 'string'`. */
  readonly value?: string
  readonly text: string
}

/**
 * One command of the command line. Parsing, help and docs/reference/cli.md follow from it.
 */
export interface Command {
  /** The words of its name: `['accounts', 'create']`. */
  readonly words: readonly string[]
  /** One sentence without a full stop, for lists. Starts with a verb. */
  readonly summary: string
  /** More details, in whole sentences. */
  readonly details?: string
  /** In the order of the command line. Only the last operand may be optional or repeated. */
  readonly operands: readonly Operand[]
  /** The key is the name of the flag without its dashes. */
  readonly flags?: Readonly<Record<string, Flag>>
  /** A working command line, without the word `countersign`. */
  readonly example: string
  run(input: CommandInput): Promise<void>
}

/** The parsed words after the name of a command. */
export interface CommandInput {
  readonly operands: readonly string[]
  /** The key is the name of the flag. Flags that were not given are missing. */
  readonly options: Readonly<Record<string, unknown>>
}

/** The flag `--json` of commands that list something. */
export const JSON_FLAG = {
  json: { type: 'boolean', text: 'Print one JSON object a line, for other programs.' },
} as const satisfies Record<string, Flag>

/** The usage line of a command, without the word `countersign`. */
export function usageOf({ words, operands, flags = {} }: Command): string {
  const positionals = operands.map(({ name, optional, max = 1 }) => {
    const shown = optional === true ? `[${name}]` : name
    return max > 1 ? `${shown}...` : shown
  })
  const options = Object.entries(flags).map(
    ([name, { value, multiple }]) =>
      `[--${name}${value === undefined ? '' : ` ${value}`}]${multiple === true ? '...' : ''}`,
  )
  return [...words, ...positionals, ...options].join(' ')
}

/** The command line cannot be parsed. The process exits with code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** The options of `createAuthority` that are not settings. `start` passes them on, and other commands ignore them. */
const PROGRAM_OPTIONS: ReadonlySet<string> = new Set([
  'claims',
  'signer',
  'logger',
  'clock',
  'random',
])

const CONFIG_FILES = ['countersign.config.ts', 'countersign.config.mjs', 'countersign.config.js']

/**
 * Reads and checks the settings of the configuration file of this directory and of the environment, which takes
 * precedence. Returns them as they were given, too. Throws a `SetupError` that names all mistakes, or says why
 * the file cannot be used.
 */
export async function loadInput(): Promise<{ input: SettingsInput; settings: Settings }> {
  const config = await readConfigFile()
  if ('accounts' in config) {
    throw new SetupError(
      'The configuration file may not contain `accounts`. An application with its own users must report changes to them, so it runs the authority in its own process: createAuthority({ accounts }). See docs/guides/own-users.md.',
    )
  }
  const environment = readEnvironment(process.env)
  const input = { ...config, ...environment }
  const checked = Object.fromEntries(
    Object.entries(input).filter(([key]) => !PROGRAM_OPTIONS.has(key)),
  )
  const settings = parseSettings(checked, {
    production: isProduction(process.env),
    nameOf: (key) => (key in config && !(key in environment) ? key : variableOf(key)),
  })
  return { input, settings }
}

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

/** The services for commands. They open the database while a server may be running. */
export interface Workbench {
  readonly settings: Settings
  readonly store: Store
  readonly accounts: AccountManager
  readonly tenants: TenantManager
  readonly roles: RoleManager
  readonly clients: ClientManager
  readonly random: Random
  /** The user, as the audit records it: `cli:USER`. */
  readonly actor: string
}

/**
 * Opens the store, calls `work`, and closes the store. A server may be running on the same database. With
 * `createsData: false` it throws a `SetupError` if there is no database.
 */
export async function withWorkbench(
  options: { createsData: boolean },
  work: (bench: Workbench) => Promise<void>,
): Promise<void> {
  const { settings } = await loadInput()
  const path = join(settings.dataDir, 'countersign.db')
  if (!options.createsData && !existsSync(path)) {
    throw new SetupError(
      `There is no database at ${path} yet. Start the server first, or set COUNTERSIGN_DATA_DIR.`,
    )
  }
  const store = openStore(settings, { exclusive: false, clock: systemClock })
  const random = createSystemRandom()
  try {
    const hasher = createPasswordHasher({
      parameters: settings.argon2,
      concurrency: availableParallelism(),
      waitMsMax: Infinity,
      elapsed: () => performance.now(),
      random,
      decoySecret: random.bytes(32), // Commands verify no passwords.
    })
    const accounts = createAccountManager({
      store,
      hasher,
      clock: systemClock,
      random,
      publicUrl: settings.publicUrl,
    })
    await work({
      settings,
      store,
      accounts,
      tenants: createTenantManager({ store, clock: systemClock, random }),
      roles: createRoleManager({ store, clock: systemClock }),
      clients: createClientManager({ store, clock: systemClock, random }),
      random,
      actor: actorName(),
    })
  } finally {
    await store.close()
  }
}

/** Returns the user who runs a command, as the audit records it: `cli:USER`. */
export function actorName(): string {
  return `cli:${userName()}`
}

function userName(): string {
  try {
    return userInfo().username
  } catch {
    return 'unknown' // The user of a container may have no name in /etc/passwd.
  }
}
