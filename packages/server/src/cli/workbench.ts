import { existsSync, statSync } from 'node:fs'
import { availableParallelism, userInfo } from 'node:os'
import { join } from 'node:path'

import { openBreachedPasswords } from '../authority/breached.ts'
import { createCodeServices } from '../authority/by-mail.ts'
import { createAccountMails, type AccountMails } from '../by-mail/manage.ts'
import { createNotices } from '../by-mail/notices.ts'
import type { CodeServices } from '../by-mail/services.ts'
import { createClientManager, type ClientManager } from '../accounts/clients.ts'
import type { WriteInvitation } from '../accounts/invitations.ts'
import { createAccountManager, type AccountManager } from '../accounts/manage.ts'
import type { BreachedPasswords } from '../accounts/breached.ts'
import { createNewPasswords } from '../accounts/new-passwords.ts'
import { createPasswordHasher } from '../accounts/passwords.ts'
import { usernameKey } from '../accounts/usernames.ts'
import {
  createRoleManager,
  createTenantManager,
  type RoleManager,
  type TenantManager,
} from '../accounts/tenants.ts'
import { systemClock } from '../base/clock.ts'
import { SetupError } from '../base/faults.ts'
import { createSystemRandom, type Random } from '../base/random.ts'
import { createInvitationWriter } from '../by-mail/write-invitation.ts'
import { createSealer } from '../keys/sealing.ts'
import { readSecret } from '../keys/secret.ts'
import { createMailer, createMailSealer } from '../mail/compose.ts'
import type { SettingsInput } from '../settings-table.ts'
import type { Settings } from '../settings.ts'
import { createApplicationManager, type ApplicationManager } from '../sso/applications.ts'
import { openStore } from '../store/open.ts'
import { assertNoRemains } from '../store/sqlite/files.ts'
import type { Store } from '../store/store.ts'
import { createFactorManager, type FactorManager } from '../with-factors/manage.ts'
import { flagOf } from './application-members.ts'
import { loadInput } from './load-settings.ts'
import { warn } from './print.ts'

/** The services for commands. They open the database while a server may be running. */
export interface Workbench {
  readonly settings: Settings
  readonly store: Store
  readonly accounts: AccountManager & AccountMails
  readonly tenants: TenantManager
  readonly roles: RoleManager
  readonly clients: ClientManager
  readonly applications: ApplicationManager
  readonly factors: FactorManager
  readonly random: Random
  /** The user, as the audit records it: `cli:USER`. */
  readonly actor: string
}

/** See `CommandInput.withWorkbench`. */
export async function withWorkbench(
  given: SettingsInput,
  work: (bench: Workbench) => Promise<void>,
): Promise<void> {
  const { settings } = await loadInput(given)
  if (settings.databaseUrl === undefined) assertDatabase(settings.dataDir)
  const store = await openStore(settings, { exclusive: false, clock: systemClock })
  try {
    await work(createWorkbench(settings, store))
  } finally {
    await store.close()
  }
}

/**
 * Returns the path of the database. Throws a `SetupError` if the directory has no database. A command that
 * created one would report success, and the server would never see the change.
 */
export function assertDatabase(dataDir: string): string {
  const path = join(dataDir, 'countersign.db')
  if (existsSync(dataDir)) assertNoRemains(path)
  // An empty file is no database yet: SQLite would fill it.
  if (existsSync(path) && statSync(path).size > 0) return path
  throw new SetupError(
    `There is no database at ${path}. Start the server first, or name the directory of its database with --data-dir or COUNTERSIGN_DATA_DIR.`,
  )
}

function createWorkbench(settings: Settings, store: Store): Workbench {
  const random = createSystemRandom()
  const base = { store, clock: store.clock, random }
  const hasher = createPasswordHasher({
    parameters: settings.argon2,
    concurrency: availableParallelism(),
    waitMsMax: Infinity,
    elapsed: () => performance.now(),
    random,
    decoySecret: random.bytes(32), // Commands verify no passwords.
  })
  const { publicUrl } = settings
  const newPasswords = createNewPasswords({ hasher, publicUrl, breached: breachedOf(settings) })
  return {
    settings,
    store,
    accounts: {
      ...createAccountManager({ ...base, newPasswords }),
      ...createAccountMails(() => openCodeServices(settings, base), base),
    },
    tenants: createTenantManager({ ...base, writeInvitation: invitationWriter(settings, base) }),
    roles: createRoleManager(base),
    clients: createClientManager(base),
    applications: createApplicationManager({
      ...base,
      production: settings.production,
      nameOf: flagOf,
    }),
    factors: createFactorManager({
      ...base,
      notices: () => {
        const codes = openCodeServices(settings, base)
        return codes && createNotices(codes.mailer)
      },
      // Only an id names the accounts of an application: their usernames are not unique here.
      find: async (name) =>
        (await store.accounts.find(usernameKey(name))) ?? store.accounts.get(name),
    }),
    random,
    actor: actorName(),
  }
}

/** Opens the source with the first new password only: most commands set none. */
function breachedOf(settings: Settings): BreachedPasswords {
  return {
    async includes(password) {
      const breached = await openBreachedPasswords(settings, ({ reason }) =>
        warn(
          `The password was not compared with breached passwords, because the look-up failed (${reason}). Check COUNTERSIGN_BREACHED_PASSWORDS.`,
        ),
      )
      return (await breached?.includes(password)) ?? false
    },
  }
}

/** The server sends the mails of commands from its outbox. So both seal them with the same secrets. */
function openCodeServices(
  settings: Settings,
  { store, random }: { readonly store: Store; readonly random: Random },
): CodeServices | undefined {
  const { mail, dataDir } = settings
  if (mail === undefined) return undefined
  const secrets = settings.secrets ?? [readSecret(dataDir)]
  const sealer = createSealer(secrets, random)
  const mailSealer = createMailSealer(sealer, random)
  const mailer = createMailer({ sealer: mailSealer, random, locale: mail.locale })
  return createCodeServices(settings, { store, random, sealer, mailer })
}

/** Reads the secret with the first invitation only. Undefined if the server sends no mail. */
function invitationWriter(
  settings: Settings,
  base: { readonly store: Store; readonly random: Random },
): WriteInvitation | undefined {
  if (settings.mail === undefined) return undefined
  return (letter) => {
    const codes = openCodeServices(settings, base)
    if (codes === undefined) throw new TypeError('Invitations need mail.')
    return createInvitationWriter(settings, codes)(letter)
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
