import { refusals } from '../base/refusals.ts'
import type { BreachedPasswords } from './breached.ts'
import {
  checkNewPassword,
  type PasswordContext,
  type PasswordProblem,
  type PasswordProblemCode,
} from './password-rules.ts'
import type { PasswordHasher } from './passwords.ts'

/** Why a new password got no hash. */
export interface RefusedPassword {
  readonly ok: false
  readonly code: PasswordProblemCode | 'password_compromised' | 'password_queue_full'
  readonly text: string
}

/** The hash of a new password, or the reason of the refusal. */
export type HashedPassword = { readonly ok: true; readonly value: string } | RefusedPassword

/** The facts about an account that the rules for its new password use. */
export type AccountContext = Omit<PasswordContext, 'publicUrl'>

/**
 * Makes the hashes of passwords. Sessions and the managers of accounts get this in place of the hasher, so nothing
 * can set a password that was not checked.
 */
export interface NewPasswords {
  /**
   * Checks a new password by the rules alone, without a look-up and without a hash. A caller asks this early, before
   * it counts anything. `hash` repeats the check.
   */
  check(password: string, account: AccountContext): PasswordProblem | undefined
  /**
   * Decides about a new password and hashes it: first the rules, then a look-up among breached passwords if the
   * operator has set a source for it. The look-up takes at most a second. Callers count the request first: otherwise
   * strangers could make this server send any number of requests.
   */
  hash(password: string, account: AccountContext): Promise<HashedPassword>
  /**
   * Hashes a password again that has just matched its hash, if the hash has outdated parameters. Returns undefined
   * if its parameters are current, or if the password would wait too long.
   */
  rehash(passwordHash: string, password: string): Promise<string | undefined>
}

/** The dependencies of new passwords. */
export interface NewPasswordsOptions {
  readonly hasher: Pick<PasswordHasher, 'hash' | 'isBusy' | 'isOutdated'>
  /** The public URL. A password may not be made of its host name. */
  readonly publicUrl: string
  /** Undefined: the operator has set no source of breached passwords. */
  readonly breached: BreachedPasswords | undefined
}

/** Creates the one place where the hashes of new passwords are made. */
export function createNewPasswords({
  hasher,
  publicUrl,
  breached,
}: NewPasswordsOptions): NewPasswords {
  const check: NewPasswords['check'] = (password, account) =>
    checkNewPassword(password, { ...account, publicUrl })

  return {
    check,
    async hash(password, account) {
      const problem = check(password, account)
      if (problem !== undefined) return { ok: false, ...problem }
      if (hasher.isBusy()) return refused('password_queue_full')
      const isBreached = await (breached?.includes(password) ?? false)
      if (isBreached === undefined) return refused('password_queue_full')
      if (isBreached) return refused('password_compromised')
      const value = await hasher.hash(password)
      return value === undefined ? refused('password_queue_full') : { ok: true, value }
    },
    rehash: async (passwordHash, password) =>
      hasher.isOutdated(passwordHash) ? hasher.hash(password) : undefined,
  }
}

function refused(code: 'password_compromised' | 'password_queue_full'): RefusedPassword {
  return { ok: false, code, text: refusals[code].text }
}
