import type { RefusedPassword } from './new-passwords.ts'
import type { UsernameProblemCode } from './usernames.ts'

/** The stable code of the reason why a change was not made. */
export type ManagedCode =
  | RefusedPassword['code']
  | UsernameProblemCode
  | 'username_taken'
  | 'email_invalid'
  | 'email_taken'
  | 'email_missing'
  | 'account_disabled'
  | 'mail_off'
  | 'account_unknown'
  | 'tenant_unknown'
  | 'tenant_disabled'
  | 'invitation_unknown'
  | 'tenant_taken'
  | 'tenant_name_invalid'
  | 'member_unknown'
  | 'permissions_invalid'
  | 'roles_invalid'
  | 'client_unknown'
  | 'client_taken'
  | 'client_name_invalid'
  | 'client_secrets_full'
  | 'client_secret_unknown'
  | 'application_unknown'
  | 'application_taken'
  | 'application_name_invalid'
  | 'application_invalid'
  | 'application_without_secret'
  | 'application_secrets_full'
  | 'application_secret_unknown'
  | 'session_unknown'
  | 'identity_last'

/** A change that was not made: a stable code, and a sentence that says why and what to do. */
export interface NotManaged {
  readonly ok: false
  readonly code: ManagedCode
  readonly text: string
}

/** The result of a change that an operator or the application asked for. */
export type Managed<T> = { readonly ok: true; readonly value: T } | NotManaged

/** A change that was made, with its value. */
export function yes<T>(value: T): Managed<T> {
  return { ok: true, value }
}

/** A change that was not made. */
export function no(code: ManagedCode, text: string): NotManaged {
  return { ok: false, code, text }
}

/** The refusal for a username that no account has. */
export function unknown(username: string): NotManaged {
  return no('account_unknown', `There is no account "${username}".`)
}
