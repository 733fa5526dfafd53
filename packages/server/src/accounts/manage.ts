import type { Clock } from '../base/clock.ts'
import { limits } from '../base/limits.ts'
import { randomId, type Random } from '../base/random.ts'
import type { Account } from '../store/rows.ts'
import type { Change, AuditContext, Store } from '../store/store.ts'
import { checkNewPassword, type PasswordProblemCode } from './password-rules.ts'
import type { PasswordHasher } from './passwords.ts'
import { checkUsername, usernameKey, type UsernameProblemCode } from './usernames.ts'

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

/** Why a change was not made: a stable code, and a sentence that says what to do. */
export interface NotManaged {
  readonly ok: false
  readonly code: ManagedCode
  readonly text: string
}

/** What came of a change that an operator asked for. */
export type Managed<T> = { readonly ok: true; readonly value: T } | NotManaged

/** An account as it is shown: never its hash. */
export type AccountSummary = Omit<Account, 'passwordHash' | 'hardPosition'>

/** Accounts, as operators and embedding applications manage them. `by` names who, for the audit. */
export interface AccountManager {
  create(
    input: { username: string; password: string; roles?: readonly string[] },
    by: string,
  ): Promise<Managed<AccountSummary>>
  list(): Promise<readonly AccountSummary[]>
  find(username: string): Promise<AccountSummary | undefined>
  count(): Promise<number>
  /** Ends all sessions of the account, and lets nobody in until it is enabled. */
  disable(username: string, by: string): Promise<Managed<Change>>
  enable(username: string, by: string): Promise<Managed<Change>>
  /** Ends all sessions of the account, and forgets it for good. Its name is free again, its id never. */
  delete(username: string, by: string): Promise<Managed<Change>>
  /** Ends all sessions of the account. */
  setPassword(username: string, password: string, by: string): Promise<Managed<Change>>
  addRole(username: string, role: string, by: string): Promise<Managed<Change>>
  removeRole(username: string, role: string, by: string): Promise<Managed<Change>>
}

/** What the manager works with. */
export interface AccountManagerOptions {
  readonly store: Store
  readonly hasher: PasswordHasher
  readonly clock: Clock
  readonly random: Random
  /** Where the server is reached: its host is no password. */
  readonly publicUrl: string
}

export function createAccountManager(options: AccountManagerOptions): AccountManager {
  const { store, hasher, clock, random, publicUrl } = options
  const { accounts } = store
  const auditBy = (by: string): AuditContext => ({ at: clock.nowMs(), actor: by })

  async function change(
    username: string,
    by: string,
    apply: (accountId: string, context: AuditContext) => Promise<Change>,
  ): Promise<Managed<Change>> {
    const account = await accounts.find(usernameKey(username))
    return account === undefined ? unknown(username) : yes(await apply(account.id, auditBy(by)))
  }

  /** The one way to the hash of a new password: none is stored that has not passed the rules. */
  async function hashNew(password: string, username: string): Promise<Managed<string>> {
    const problem = checkNewPassword(password, { username, publicUrl })
    if (problem !== undefined) return { ok: false, ...problem }
    const hash = await hasher.hash(password)
    return hash === undefined
      ? no('password_queue_full', 'Too many logins at once. Try again shortly.')
      : yes(hash)
  }

  return {
    async create({ username, password, roles = [] }, by) {
      const problem = checkUsername(username) ?? checkRoles(roles)
      if (problem !== undefined) return { ok: false, ...problem }
      const hash = await hashNew(password, username)
      if (!hash.ok) return hash
      const account: Account = {
        id: `acct_${randomId(random)}`,
        username,
        userId: undefined,
        passwordHash: hash.value,
        roles: [...new Set(roles)].toSorted(),
        defaultTenantId: undefined,
        disabledAt: undefined,
        hardPosition: 0,
        createdAt: clock.nowMs(),
      }
      const created = await accounts.create(account, usernameKey(username), auditBy(by))
      return created === 'taken'
        ? no('username_taken', `There is an account "${username}" already.`)
        : yes(summarize(account))
    },

    list: async () => (await accounts.list()).map(summarize),

    async find(username) {
      const account = await accounts.find(usernameKey(username))
      return account === undefined ? undefined : summarize(account)
    },

    count: () => accounts.count(),

    disable: (username, by) => change(username, by, (id, from) => accounts.disable(id, from)),

    enable: (username, by) => change(username, by, (id, from) => accounts.enable(id, from)),

    delete: (username, by) => change(username, by, (id, from) => accounts.delete(id, from)),

    async setPassword(username, password, by) {
      const account = await accounts.find(usernameKey(username))
      if (account === undefined) return unknown(username)
      // The name as it is, not as the caller spells it, must not be the password.
      const hash = await hashNew(password, account.username)
      if (!hash.ok) return hash
      return yes(await accounts.setPasswordHash(account.id, hash.value, auditBy(by)))
    },

    async addRole(username, role, by) {
      const account = await accounts.find(usernameKey(username))
      if (account === undefined) return unknown(username)
      // In each of its tenants both lists travel in one token.
      const memberships = await store.tenants.membershipsOf(account.id)
      for (const inTenant of [[], ...memberships.map((each) => each.roles)]) {
        const problem = checkRoles([...account.roles, role, ...inTenant])
        if (problem !== undefined) return { ok: false, ...problem }
      }
      return change(username, by, (id, from) => accounts.addRole(id, role, from))
    },

    removeRole: (username, role, by) =>
      change(username, by, (id, from) => accounts.removeRole(id, role, from)),
  }
}

function summarize(account: Account): AccountSummary {
  const { passwordHash: _, hardPosition: __, ...summary } = account
  return summary
}

/** Roles travel in every token: short, printable, and not many. */
export function checkRoles(
  roles: readonly string[],
): { readonly code: 'roles_invalid'; readonly text: string } | undefined {
  const code = 'roles_invalid'
  if (new Set(roles).size > limits.rolesMax) {
    return { code, text: `An account has at most ${limits.rolesMax} roles.` }
  }
  // Said to the operator now, and not by a log-in that fails later.
  if (JSON.stringify([...new Set(roles)]).length > limits.rolesBytesMax) {
    const text = `The roles of an account have at most ${limits.rolesBytesMax} characters together.`
    return { code, text }
  }
  const isFine = (role: string): boolean =>
    role.length <= limits.roleCharsMax && /^[A-Za-z0-9][A-Za-z0-9_.:/-]*$/.test(role)
  if (roles.every(isFine)) return undefined
  const text = `A role has at most ${limits.roleCharsMax} characters, of letters, digits and "_", ".", ":", "/", "-", and begins with a letter or digit.`
  return { code, text }
}

export function yes<T>(value: T): Managed<T> {
  return { ok: true, value }
}

export function no(code: ManagedCode, text: string): NotManaged {
  return { ok: false, code, text }
}

export function unknown(username: string): NotManaged {
  return no('account_unknown', `There is no account "${username}".`)
}
