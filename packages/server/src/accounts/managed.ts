import type { PasswordProblemCode } from './password-rules.ts'
import type { UsernameProblemCode } from './usernames.ts'

/** The stable name of a reason why a change was not made. */
export type ManagedCode =
  | PasswordProblemCode
  | UsernameProblemCode
  | 'username_taken'
  | 'account_unknown'
  | 'tenant_unknown'
  | 'tenant_taken'
  | 'tenant_name_invalid'
  | 'member_unknown'
  | 'permissions_invalid'
  | 'roles_invalid'
  | 'password_queue_full'
  | 'client_unknown'
  | 'client_taken'
  | 'client_name_invalid'
  | 'client_secrets_full'
  | 'client_secret_unknown'
  | 'session_unknown'

/** Why a change was not made: a stable code, and a sentence that says what to do. */
export interface NotManaged {
  readonly ok: false
  readonly code: ManagedCode
  readonly text: string
}

/** What came of a change that an operator asked for. */
export type Managed<T> = { readonly ok: true; readonly value: T } | NotManaged

export function yes<T>(value: T): Managed<T> {
  return { ok: true, value }
}

export function no(code: ManagedCode, text: string): NotManaged {
  return { ok: false, code, text }
}

export function unknown(username: string): NotManaged {
  return no('account_unknown', `There is no account "${username}".`)
}
