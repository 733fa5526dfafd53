import type { Sealer } from '../keys/sealing.ts'
import type { SessionServices } from '../sessions/services.ts'
import type { Connections } from './connections.ts'
import type { UpstreamProvider, UpstreamSettings } from './provider.ts'

/** A log-in at a provider that failed, for the log of the operator. It contains nothing that a client chose. */
export interface UpstreamFailure {
  readonly provider: string
  readonly reason: string
}

/** The dependencies of everything that people do with identities of other issuers. */
export interface UpstreamServices extends Omit<UpstreamSettings, 'providers'> {
  readonly sessions: SessionServices
  /** Has keys of its own. */
  readonly sealer: Sealer
  readonly providers: ReadonlyMap<string, UpstreamProvider>
  readonly connections: Connections
  /** Where a provider sends the browser back to. */
  readonly callbackUrlOf: (provider: string) => string
  /** Whether people can log in by a mail, so that an account without a password is not lost. */
  readonly hasMailLogin: boolean
  readonly report: (failure: UpstreamFailure) => void
}
