import type { EpochMs } from '../base/clock.ts'
import type { MailKind } from '../store/rows.ts'

/** A code and a link that do the same. Both work once. */
interface Proof {
  /** In the form in which people type it: `WDJB-MJHT`. */
  readonly code: string
  /** An absolute URL. */
  readonly url: string
  /** When the code and the link expire. */
  readonly expiresAt: EpochMs
}

/** Where and when somebody did something. */
interface Trace {
  readonly at: EpochMs
  /** The address of the client. Undefined if it is not known. */
  readonly address: string | undefined
  /** The browser and its system in words. Undefined if it is not known. */
  readonly device: string | undefined
}

/**
 * The values of each kind of mail. Names may be any text: they are shortened, quoted and made unlinkable when
 * the mail is written.
 */
export interface MailValues {
  /** To a new address: finish the sign-up. */
  readonly sign_up: Proof
  /** To an address that already has an account, after somebody signed up with it. The proof resets the password. */
  readonly account_exists: Proof
  /** To the address of an account: prove it. */
  readonly verify_address: Proof & { readonly username: string }
  /** To the new address of an account: prove it, and it replaces the old one. */
  readonly change_address: Proof & { readonly username: string }
  /** To the old address of an account. The mail masks the new one. */
  readonly address_changed: { readonly newAddress: string; readonly at: EpochMs }
  readonly reset_password: Proof & { readonly username: string }
  readonly password_changed: Trace
  readonly login_code: Proof
  readonly new_device: Trace
  readonly invitation: Proof & {
    /** The name of the tenant. */
    readonly tenant: string
    /** The name of the person who invites. Undefined if an operator or the application invites. */
    readonly inviter: string | undefined
  }
  readonly account_deleted: { readonly username: string; readonly at: EpochMs }
  /** To the address of an account whose factors or recovery codes changed. */
  readonly factor_changed: Trace & { readonly change: FactorChange }
  /** A code without a link: it is typed where the person is signing in. */
  readonly factor_code: Pick<Proof, 'code' | 'expiresAt'>
}

/** A change of the ways in which an account logs in. */
export type FactorChange =
  | 'totp_added'
  | 'totp_removed'
  | 'passkey_added'
  | 'passkey_removed'
  | 'recovery_codes_replaced'
  | 'recovery_code_used'
  | 'factors_reset'
  | 'identity_added'
  | 'identity_removed'
  | 'account_reclaimed'

/** The values that a mail shows, as texts. Not every kind has all of them. */
export interface ShownValues {
  readonly code: string
  readonly url: string
  /** How long the code and the link work: `15 minutes`. */
  readonly lifetime: string
  readonly username: string
  readonly tenant: string
  /** Empty if nobody is named. */
  readonly inviter: string
  readonly newAddress: string
  readonly time: string
  readonly address: string
  readonly device: string
  /** A {@link FactorChange}. */
  readonly change: string
  /** The host of the public URL. */
  readonly site: string
}

/** The name of a value that a mail can show. Templates use it as `{{name}}`. */
export type ShownName = keyof ShownValues

const PROOF = ['code', 'url', 'lifetime', 'site'] as const
const TRACE = ['time', 'address', 'device', 'site'] as const

/** The values that each kind of mail shows. */
export const SHOWN = {
  sign_up: PROOF,
  account_exists: PROOF,
  verify_address: [...PROOF, 'username'],
  change_address: [...PROOF, 'username'],
  address_changed: ['newAddress', 'time', 'site'],
  reset_password: [...PROOF, 'username'],
  password_changed: TRACE,
  login_code: PROOF,
  new_device: TRACE,
  invitation: [...PROOF, 'tenant', 'inviter'],
  account_deleted: ['username', 'time', 'site'],
  factor_changed: ['change', ...TRACE],
  factor_code: ['code', 'lifetime', 'site'],
} as const satisfies Record<MailKind, readonly ShownName[]>

/** The values that a mail of this kind shows. */
export type ShownOf<Kind extends MailKind> = Pick<ShownValues, (typeof SHOWN)[Kind][number]>

/** All kinds of mails. */
export const MAIL_KINDS = Object.keys(SHOWN) as readonly MailKind[]

/** All languages of mails. */
export const MAIL_LOCALES = ['en', 'de'] as const
