import type { Logger } from 'pino'

import type { Outbound } from '../../base/outbound.ts'
import type { SessionServices } from '../../sessions/services.ts'

/** The dependencies of the OpenID Connect library on the rest of the authority. */
export interface LibraryOptions {
  readonly sessions: SessionServices
  /** Whether the public URL is https. Its cookies then have the prefixes that browsers enforce. */
  readonly isSecure: boolean
  /** 32 bytes from which the nonces of DPoP proofs are made. The same at all nodes. */
  readonly dpopSecret: Buffer
  /** Fetches the key sets of applications. */
  readonly outbound: Outbound
  readonly logger: Logger
}

/** The paths of the endpoints that the library answers, and of the pages to which it sends people. */
export const PATHS = {
  authorize: '/oauth2/authorize',
  token: '/oauth2/token',
  pushed: '/oauth2/par',
  deviceAuthorization: '/oauth2/device_authorization',
  device: '/oauth2/device',
  interaction: '/oauth2/interaction',
} as const

/** The names of the library's cookies. Only the first has the path `/`, which `__Host-` demands. */
export function cookieNames(
  isSecure: boolean,
): Readonly<Record<'session' | 'interaction' | 'resume', string>> {
  const [host, secure] = isSecure ? ['__Host-', '__Secure-'] : ['', '']
  return {
    session: `${host}cs_sso`,
    interaction: `${secure}cs_interaction`,
    resume: `${secure}cs_resume`,
  }
}
