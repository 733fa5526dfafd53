import type { Random } from '../base/random.ts'
import type { WriteInvitation } from '../accounts/invitations.ts'
import type { Sealer } from '../keys/sealing.ts'
import type { Mailer } from '../mail/compose.ts'
import type { SessionServices } from '../sessions/services.ts'
import type { MailLocale } from '../store/rows.ts'
import type { Store } from '../store/store.ts'
import type { LinkedPurpose } from './links.ts'
import type { CodeHasher } from './secrets.ts'

/** The dependencies of a mail with a code. */
export interface CodeServices {
  readonly store: Store
  readonly random: Random
  readonly mailer: Mailer
  readonly hasher: CodeHasher
  /** Seals the details of a code, such as the password hash of a sign-up. */
  readonly sealer: Sealer
  /** Returns the URL of the page where a link is used: a page of the server or of the application. */
  readonly urlOf: (purpose: LinkedPurpose, link: string) => string
}

/** The dependencies of everything that people do by mail. */
export interface MailServices extends CodeServices {
  readonly sessions: SessionServices
  /** Makes the secrets and the mail of an invitation. */
  readonly writeInvitation: WriteInvitation
  /** Waits. Answers that must not reveal whether an account exists take at least this long. */
  readonly pause: (ms: number) => Promise<void>
}

/** A request that is answered by mail. */
export interface Asking {
  /** The address that the person typed. */
  readonly email: string
  /** The language of the request. A language that the account has chosen comes first. */
  readonly locale?: MailLocale | undefined
}

/** The mail is on its way, if there is somebody to write to. The answer is the same in either case. */
export interface Asked {
  readonly ok: true
  /** Proves, together with the link or the code, that this browser or program has asked. Keep it secret. */
  readonly ticket: string
}
