import type { Logger } from 'pino'

import { SetupError } from '../base/faults.ts'
import { createOutbound } from '../base/outbound.ts'
import type { Sealer } from '../keys/sealing.ts'
import type { SessionServices } from '../sessions/services.ts'
import type { Settings } from '../settings.ts'
import { createSso, type Sso } from '../sso/sso.ts'

/**
 * Creates single sign-on. Returns undefined if it is off. It loads nothing yet. Throws a `SetupError` for settings with
 * which no application could log people in.
 */
export function openSso(
  settings: Pick<Settings, 'http' | 'publicUrl' | 'sharedSecrets' | 'outboundPrivate'>,
  {
    services,
    sealer,
    logger,
  }: {
    readonly services: SessionServices
    readonly sealer: Sealer
    readonly logger: Logger
  },
): Sso | undefined {
  if (!settings.http.sso) return undefined
  if (settings.sharedSecrets !== undefined) {
    throw new SetupError(
      'COUNTERSIGN_SSO needs published keys: applications cannot verify tokens that are signed with COUNTERSIGN_SHARED_SECRET. Remove one of the two settings.',
    )
  }
  if (!settings.http.pages) {
    throw new SetupError(
      'COUNTERSIGN_SSO needs the pages on which people log in. Remove COUNTERSIGN_PAGES=false, or turn single sign-on off.',
    )
  }
  return createSso({
    sessions: services,
    isSecure: settings.publicUrl.startsWith('https:'),
    dpopSecret: sealer.derive('sso-dpop/v1', 32),
    outbound: createOutbound({ allowPrivate: settings.outboundPrivate }),
    logger,
  })
}
