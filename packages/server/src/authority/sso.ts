import type { Logger } from 'pino'

import type { Clock } from '../base/clock.ts'
import { messageOf, SetupError } from '../base/faults.ts'
import { canEverybodyWrite } from '../base/ownership.ts'
import type { Random } from '../base/random.ts'
import { readTextFile } from '../base/text-file.ts'
import type { KeyRing } from '../keys/ring.ts'
import type { Sealer } from '../keys/sealing.ts'
import type { SessionServices } from '../sessions/services.ts'
import type { Settings } from '../settings.ts'
import { createSso, type Sso } from '../sso/sso.ts'
import type { Store } from '../store/store.ts'

/** The dependencies of single sign-on. */
export interface SsoOptions {
  readonly settings: Pick<
    Settings,
    'http' | 'applicationsFile' | 'outboundPrivate' | 'publicUrl' | 'production' | 'sharedSecrets'
  >
  readonly services: SessionServices
  readonly store: Store
  readonly ring: KeyRing
  readonly sealer: Sealer
  /** Whether this server does the work that one node does for all. */
  readonly leads: () => boolean
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

/** Single sign-on: the logins, and the background work. */
export interface SsoSide {
  /** The logins of applications. Undefined if it is off. */
  readonly login: Sso | undefined
  /**
   * Starts the worker of back-channel logout. Returns the function that stops it, which waits a few seconds for
   * attempts in flight. Call that before the store is closed.
   */
  readonly start: () => () => Promise<void>
}

/**
 * Applies the file with applications, and prepares the worker of back-channel logout. Loads nothing without single
 * sign-on, and the library of OpenID Connect only with the first request that needs it. Throws a `SetupError` that names
 * each mistake in the file, and for settings with which no application could log people in.
 */
export async function openSso(options: SsoOptions): Promise<SsoSide> {
  const { settings, store, ring, leads, clock, random, logger } = options
  if (!settings.http.sso) return { login: undefined, start: () => async () => {} }
  assertUsable(settings)
  if (settings.applicationsFile !== undefined) await applyFile(settings.applicationsFile, options)
  const [{ LogoutOutbox }, { createSendLogout }, { createOutbound }, { LOGOUT_TYP }] =
    await Promise.all([
      import('../sso/logout-outbox.ts'),
      import('../sso/send-logout.ts'),
      import('../base/outbound.ts'),
      import('../sso/logout-token.ts'),
    ])
  const outbound = createOutbound({ allowPrivate: settings.outboundPrivate })
  const send = createSendLogout({
    applications: store.sso.applications,
    signer: () => ring.signerFor(LOGOUT_TYP),
    issuer: settings.publicUrl,
    outbound,
    clock,
    random,
  })
  return {
    login: createSso({
      sessions: options.services,
      isSecure: settings.publicUrl.startsWith('https:'),
      dpopSecret: options.sealer.derive('sso-dpop/v1', 32),
      outbound,
      logger,
    }),
    start: () => {
      const outbox = new LogoutOutbox({ store, send, leads, clock, random, logger })
      return () => outbox.close()
    },
  }
}

function assertUsable({ http, sharedSecrets }: SsoOptions['settings']): void {
  if (sharedSecrets !== undefined) {
    throw new SetupError(
      'COUNTERSIGN_SSO needs published keys: applications cannot verify tokens that are signed with COUNTERSIGN_SHARED_SECRET. Remove one of the two settings.',
    )
  }
  if (!http.pages) {
    throw new SetupError(
      'COUNTERSIGN_SSO needs the pages on which people log in. Remove COUNTERSIGN_PAGES=false, or turn single sign-on off.',
    )
  }
}

async function applyFile(path: string, { settings, store, clock }: SsoOptions): Promise<void> {
  const [{ parseApplicationsFile }, { applyApplications }] = await Promise.all([
    import('../sso/applications-file.ts'),
    import('../sso/apply-applications.ts'),
  ])
  const parsed = parseApplicationsFile(readFile(path), {
    production: settings.production,
    env: process.env,
    readFile: readTextFile,
  })
  throwIfAny(path, parsed.ok ? [] : parsed.mistakes)
  if (parsed.ok) throwIfAny(path, await applyApplications(parsed.applications, { store, clock }))
}

/** A person who can change the file can send the codes of all people to a server of their own. */
function readFile(path: string): string {
  try {
    if (canEverybodyWrite(path)) {
      throw new SetupError(
        `COUNTERSIGN_APPLICATIONS_FILE: every user of this machine can write to ${path}. Run: chmod o-w ${path}`,
      )
    }
    return readTextFile(path)
  } catch (error) {
    if (error instanceof SetupError) throw error
    throw new SetupError(
      `COUNTERSIGN_APPLICATIONS_FILE: the file ${path} cannot be read: ${messageOf(error)}`,
      { cause: error },
    )
  }
}

function throwIfAny(path: string, mistakes: readonly string[]): void {
  if (mistakes.length === 0) return
  const lines = mistakes.map((mistake) => `  ${mistake}.`)
  throw new SetupError(
    [`COUNTERSIGN_APPLICATIONS_FILE: the file ${path} has mistakes:`, ...lines].join('\n'),
  )
}
