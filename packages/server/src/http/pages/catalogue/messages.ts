import type { RefusalCode } from '../../../base/refusals.ts'
import type { SiteLinkName } from '../../../base/site-links.ts'
import type { AccountMessages } from './account-messages.ts'
import type { FactorMessages } from './factor-messages.ts'
import type { SsoMessages } from './sso-messages.ts'
import type { UpstreamMessages } from './upstream-messages.ts'

/** The pages on which people use a link or a code from a mail. */
export type ProofPage = 'reset' | 'sign-up' | 'verify' | 'log-in'

/** The pages that say that something is done. */
export type DonePage = 'reset' | 'sign-up' | 'verify'

/** The pages on which people ask for a mail. */
export type AskPage = 'forgot' | 'sign-up-start' | 'log-in-start'

/** The fields that people see. */
export type FieldName =
  | 'email'
  | 'code'
  /** A new password. */
  | 'password'
  | 'username'
  | 'current_password'
  | 'new_username'
  /** The code of an authenticator app. */
  | 'totp'
  | 'recovery_code'
  | 'factor_name'

/** The words of a page for a link or a code. */
export interface ProofMessages {
  readonly title: string
  /** The link was opened in the browser that asked. */
  readonly asker: string
  /** The link was opened in another browser. */
  readonly recipient: string
  /** The browser that asked, without the link: it waits for the mail. */
  readonly waiting: string
  readonly button: string
  /** The person came without a link, and this browser has not asked for a mail. */
  readonly nothing: string
  /** The link has expired, was used or was replaced. */
  readonly void: string
  /** The words of the link to the page on which people ask for a new mail. */
  readonly again: string
}

/** The words of a page with a form that asks for a mail. */
export interface AskMessages {
  readonly title: string
  readonly lead: string
  readonly button: string
}

/** The words of the page on which people accept an invitation. */
export interface InviteMessages {
  readonly title: string
  readonly lead: string
  readonly button: string
  readonly done: string
  readonly joined: (tenant: string) => string
  /** Nobody is logged in. */
  readonly loginTitle: string
  readonly login: string
}

/** The reason why a person is on the sign-in page. */
export type SignInNotice = 'signed-out' | 'signed-up' | 'all-ended' | 'deleted' | 'expired'

/** All notices of the sign-in page. */
export const SIGN_IN_NOTICES: readonly SignInNotice[] = [
  'signed-out',
  'signed-up',
  'all-ended',
  'deleted',
  'expired',
]

/** The words of the sign-in page. */
export interface SignInMessages {
  /** Also the words of the button, and of links to the page. */
  readonly title: string
  readonly password: string
  readonly wrong: string
  readonly signedInTitle: string
  readonly signedInAs: (username: string) => string
  readonly other: string
  readonly notices: Readonly<Record<SignInNotice, string>>
}

/** The words of a page without a form. */
export interface Message {
  readonly title: string
  readonly text: string
}

/** The refusals that the pages show in words of their own. */
export type ShownRefusal = Extract<
  RefusalCode,
  | 'fields_invalid'
  | 'email_invalid'
  | 'email_taken'
  | 'username_taken'
  | 'username_invalid'
  | 'username_confusable'
  | 'username_too_long'
  | 'code_wrong'
  | 'code_missing'
  | 'code_elsewhere'
  | 'password_required'
  | 'password_too_short'
  | 'password_too_long'
  | 'password_common'
  | 'password_compromised'
  | 'password_contains_username'
  | 'password_malformed'
  | 'password_queue_full'
  | 'throttled'
  | 'csrf_failed'
  | 'tenant_forbidden'
  | 'credentials_invalid'
  | 'email_unverified'
  | 'invitation_void'
  | 'invitation_for_another'
  | 'tenant_disabled'
  | 'session_ended'
  | 'factor_wrong'
  | 'factor_locked'
  | 'factor_unavailable'
  | 'factors_full'
  | 'challenge_void'
  | 'passkey_refused'
  | 'passkey_unknown'
  | 'passkey_taken'
  | 'passkeys_off'
  | 'upstream_void'
  | 'upstream_refused'
  | 'upstream_unavailable'
  | 'upstream_redirect_invalid'
  | 'identity_unknown'
  | 'identity_address_taken'
  | 'identity_taken'
  | 'identity_last'
  | 'second_factor_required'
>

/** The words of all pages in one language. Values in them are not escaped. */
export interface Messages {
  /** The name of the language in that language. */
  readonly language: string
  readonly site: Readonly<Record<SiteLinkName, string>>
  readonly signIn: SignInMessages
  /** The page of a sign-up without a mail. */
  readonly signUp: { readonly title: string; readonly lead: string; readonly username: string }
  readonly account: AccountMessages
  readonly factors: FactorMessages
  readonly sso: SsoMessages
  readonly upstream: UpstreamMessages
  readonly proof: Readonly<Record<ProofPage, ProofMessages>>
  readonly ask: Readonly<Record<AskPage, AskMessages>>
  readonly done: Readonly<Record<DonePage, Message>>
  readonly invite: InviteMessages
  /** The title while the browser waits for the mail. */
  readonly checkMail: string
  readonly voidTitle: string
  /** Names the account's address, masked. */
  readonly forAddress: (masked: string) => string
  /** For a person who signed up with an address that has an account, and has now proved the address. */
  readonly accountExists: string
  /** The second step, after the code. */
  readonly chooseNow: string
  readonly continueButton: string
  /** The title of a page that loads itself again at once. */
  readonly again: string
  readonly toApplication: string
  readonly logInByMail: string
  readonly labels: Readonly<Record<FieldName, string>>
  readonly hints: Readonly<Record<'code' | 'password' | 'totp' | 'recovery_code', string>>
  /** Begins the title of a page that shows an error. */
  readonly error: string
  readonly refusals: Readonly<Record<ShownRefusal, string>>
  /** The pages for everything else: a form that cannot be read, a wrong method, a failure of the server. */
  readonly failures: Readonly<Record<'request' | 'method' | 'server' | 'cookies' | 'old', Message>>
}
