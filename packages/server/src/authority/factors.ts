import type { Logger } from 'pino'

import { SetupError } from '../base/faults.ts'
import type { MailServices } from '../by-mail/services.ts'
import { decideRpId } from '../factors/passkeys/rp-id.ts'
import { RECOVERY_KEYS, createRecoveryHasher } from '../factors/recovery-codes.ts'
import type { Sealer } from '../keys/sealing.ts'
import type { SessionServices } from '../sessions/services.ts'
import type { Settings } from '../settings.ts'
import type { Store } from '../store/store.ts'
import type { FactorServices, RelyingParty } from '../with-factors/services.ts'

/** Builds the services of everything that people do with second factors. */
export async function createFactorServices(
  settings: Settings,
  {
    services,
    sealer,
    byMail,
    logger,
  }: {
    readonly services: SessionServices
    readonly sealer: Sealer
    readonly byMail: MailServices | undefined
    readonly logger: Logger
  },
): Promise<FactorServices> {
  const siteName = new URL(settings.publicUrl).host
  return {
    sessions: services,
    sealer,
    recovery: createRecoveryHasher(sealer.deriveEach(RECOVERY_KEYS, 32)),
    byMail,
    relyingParty: await chooseRelyingParty(settings, services.store, siteName, logger),
    siteName,
  }
}

/** Decides for which domain passkeys are made, and stores it. Throws a `SetupError` if it would void passkeys. */
async function chooseRelyingParty(
  { publicUrl, passkeyRpId: configured, http }: Settings,
  { factors }: Store,
  name: string,
  logger: Logger,
): Promise<RelyingParty | undefined> {
  const decision = await decideRpId({
    stored: await factors.rpId(),
    configured,
    publicUrl,
    hasPasskeys: await factors.hasAny('passkey'),
  })
  switch (decision.kind) {
    case 'refuse':
      throw new SetupError(decision.explanation)
    case 'unavailable':
      logger.info({ event: 'passkeys_off', reason: decision.reason }, decision.explanation)
      return undefined
    case 'use':
    case 'store': {
      const { rpId } = decision
      const id = decision.kind === 'store' ? await factors.chooseRpId(rpId) : rpId
      return {
        id,
        name,
        origins: [publicUrl, ...http.origins.filter((each) => isWithin(each, id))],
      }
    }
  }
}

/** Whether a page of this origin may use passkeys of the domain. */
function isWithin(origin: string, rpId: string): boolean {
  if (!/^https?:/.test(origin)) return false
  const { hostname } = new URL(origin)
  return hostname === rpId || hostname.endsWith(`.${rpId}`)
}
