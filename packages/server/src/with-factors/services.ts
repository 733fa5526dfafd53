import type { RecoveryHasher } from '../factors/recovery-codes.ts'
import type { MailServices } from '../by-mail/services.ts'
import type { Sealer } from '../keys/sealing.ts'
import type { SessionServices } from '../sessions/services.ts'

/** For whom passkeys are made. */
export interface RelyingParty {
  /** The RP ID: a domain. */
  readonly id: string
  /** The name that browsers show. */
  readonly name: string
  /** The origins whose pages may use passkeys. */
  readonly origins: readonly string[]
}

/** The dependencies of everything that people do with second factors. */
export interface FactorServices {
  readonly sessions: SessionServices
  /** Seals the secrets of authenticator apps, and the details of challenges. */
  readonly sealer: Sealer
  readonly recovery: RecoveryHasher
  /** Undefined if the server sends no mail. */
  readonly byMail: MailServices | undefined
  /** Undefined if the public URL has no host name, so that there can be no passkeys. */
  readonly relyingParty: RelyingParty | undefined
  /** The name of the site in authenticator apps. */
  readonly siteName: string
}
