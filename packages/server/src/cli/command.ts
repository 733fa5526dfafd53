import { existsSync } from 'node:fs'
import { availableParallelism, userInfo } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { ParseArgsConfig } from 'node:util'

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
import { createSystemRandom, type Random } from '../base/random.ts'
import { parseSettings, readEnvironment, type Settings, type SettingsInput } from '../settings.ts'
import { openStore } from '../store/open.ts'
import type { Store } from '../store/store.ts'

/** One command of the command line. */
export interface Command {
  /** The words that name it. */
  readonly words: readonly string[]
  readonly usage: string
  readonly summary: string
  readonly operands: { readonly min: number; readonly max: number }
  readonly options?: NonNullable<ParseArgsConfig['options']>
  run(input: CommandInput): Promise<void>
}

export interface CommandInput {
  readonly operands: readonly string[]
  readonly options: Readonly<Record<string, unknown>>
}

/** The words cannot be understood: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

const CONFIG_FILES = ['countersign.config.ts', 'countersign.config.mjs', 'countersign.config.js']

/** The settings of this directory and environment; the environment wins. */
export async function loadInput(): Promise<SettingsInput> {
  const config = await readConfigFile()
  if ('accounts' in config) {
    throw new SetupError(
      'The configuration file may not have accounts. An application that keeps its own users has to say what changes in them, so it runs the authority itself: createAuthority({ accounts }), see docs/own-users.md.',
    )
  }
  return { ...config, ...readEnvironment(process.env) }
}

export async function loadSettings(): Promise<Settings> {
  // What adds claims is no setting, and only the server mints tokens.
  const { claims: _, ...input }: SettingsInput & { claims?: unknown } = await loadInput()
  return parseSettings(input, { production: process.env['NODE_ENV'] === 'production' })
}

async function readConfigFile(): Promise<SettingsInput> {
  const path = CONFIG_FILES.map((name) => join(process.cwd(), name)).find((each) =>
    existsSync(each),
  )
  if (path === undefined) return {}
  try {
    const module: unknown = await import(pathToFileURL(path).href)
    if (typeof module === 'object' && module !== null && 'default' in module) {
      const { default: config } = module
      // parseSettings checks every member of it.
      if (typeof config === 'object' && config !== null) return config
    }
  } catch (error) {
    throw new SetupError(`${path} cannot be loaded: ${messageOf(error)}`, { cause: error })
  }
  throw new SetupError(`${path} must export its settings: export default { port: 8000 }`)
}

/** What commands beside the server work with. */
export interface Workbench {
  readonly settings: Settings
  readonly store: Store
  readonly accounts: AccountManager
  readonly tenants: TenantManager
  readonly roles: RoleManager
  readonly clients: ClientManager
  readonly random: Random
  /** Who acts, for the audit. */
  readonly actor: string
}

/** Opens the store beside a server that may be running, and closes it afterwards. */
export async function withWorkbench(
  options: { createsData: boolean },
  work: (bench: Workbench) => Promise<void>,
): Promise<void> {
  const settings = await loadSettings()
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
      queueMax: 1,
      random,
      decoySecret: random.bytes(32), // commands verify no passwords
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

/** Who gives a command, for the audit. */
export function actorName(): string {
  return `cli:${userName()}`
}

function userName(): string {
  try {
    return userInfo().username
  } catch {
    return 'unknown' // A container's user without a name in /etc/passwd.
  }
}
