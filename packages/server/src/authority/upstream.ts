import type { Logger } from 'pino'

import { SetupError } from '../base/faults.ts'
import type { Random } from '../base/random.ts'
import { createSealer, type Sealer } from '../keys/sealing.ts'
import type { SessionServices } from '../sessions/services.ts'
import type { Settings } from '../settings.ts'
import { createConnections } from '../upstream/connections.ts'
import type { UpstreamServices } from '../upstream/services.ts'

/** Builds the services of log-in with other identities. Undefined without providers. */
export function createUpstreamServices(
  { upstreams, publicUrl, http, mail }: Settings,
  {
    services: sessions,
    sealer,
    random,
    logger,
  }: {
    readonly services: SessionServices
    readonly sealer: Sealer
    readonly random: Random
    readonly logger: Logger
  },
): UpstreamServices | undefined {
  const { providers, signUp, redirects } = upstreams
  if (providers.length === 0) return undefined
  if (sessions.source !== undefined) {
    throw new SetupError(
      'Log-in with other identities needs the accounts of Countersign. Remove the settings COUNTERSIGN_UPSTREAM_..., or log people in yourself and call sessions.create.',
    )
  }
  return {
    sessions,
    sealer: createUpstreamSealer(sealer, random),
    providers: new Map(providers.map((each) => [each.name, each])),
    connections: createConnections(sessions.clock),
    callbackUrlOf: (name) => `${publicUrl}/auth/upstream/${name}/callback`,
    hasMailLogin: http.mailLogin && mail !== undefined,
    signUp,
    redirects,
    report: (failure) => logger.warn({ event: 'upstream_log_in_failed', ...failure }),
  }
}

/** A key with random IVs must not seal an unlimited number of messages, so these have keys of their own. */
function createUpstreamSealer(sealer: Sealer, random: Random): Sealer {
  const keys = sealer.deriveEach('upstream/v1', 32)
  return createSealer(
    keys.map((key) => key.toString('hex')),
    random,
  )
}
