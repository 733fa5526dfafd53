import type { Clock } from '../base/clock.ts'
import { limits } from '../base/limits.ts'
import { randomId, type Random } from '../base/random.ts'
import type { Account } from '../store/rows.ts'
import type { Change, Origin, Store } from '../store/store.ts'
import { checkNewPassword, type PasswordHasher } from './passwords.ts'
import { checkUsername, usernameKey } from './usernames.ts'

/** What an operator was told no for, in a sentence that says what to do. */
export type Managed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly text: string }

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
  /** Ends all sessions of the account. */
  setPassword(username: string, password: string, by: string): Promise<Managed<Change>>
  addRole(username: string, role: string, by: string): Promise<Managed<Change>>
  removeRole(username: string, role: string, by: string): Promise<Managed<Change>>
}

export interface AccountManagerParts {
  readonly store: Store
  readonly hasher: PasswordHasher
  readonly clock: Clock
  readonly random: Random
}

export function createAccountManager(parts: AccountManagerParts): AccountManager {
  const { store, hasher, clock, random } = parts
  const { accounts } = store
  const origin = (by: string): Origin => ({ at: clock.nowMs(), actor: by })

  async function change(
    username: string,
    by: string,
    apply: (accountId: string, origin: Origin) => Promise<Change>,
  ): Promise<Managed<Change>> {
    const account = await accounts.find(usernameKey(username))
    if (account === undefined) return no(`There is no account "${username}".`)
    return { ok: true, value: await apply(account.id, origin(by)) }
  }

  async function hashNew(password: string): Promise<Managed<string>> {
    const problem = checkNewPassword(password)
    if (problem !== undefined) return no(problem)
    const hash = await hasher.hash(password)
    return hash === undefined ? no('Too many logins at once. Try again shortly.') : yes(hash)
  }

  return {
    async create({ username, password, roles = [] }, by) {
      const problem = checkUsername(username) ?? checkRoles(roles)
      if (problem !== undefined) return no(problem)
      const hash = await hashNew(password)
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
      const created = await accounts.create(account, usernameKey(username), origin(by))
      return created === 'taken'
        ? no(`There is an account "${username}" already.`)
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

    async setPassword(username, password, by) {
      const hash = await hashNew(password)
      if (!hash.ok) return hash
      return change(username, by, (id, from) => accounts.setPasswordHash(id, hash.value, from))
    },

    async addRole(username, role, by) {
      const account = await accounts.find(usernameKey(username))
      const problem = checkRoles([...(account?.roles ?? []), role])
      if (problem !== undefined) return no(problem)
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
export function checkRoles(roles: readonly string[]): string | undefined {
  if (new Set(roles).size > limits.rolesMax) {
    return `An account has at most ${limits.rolesMax} roles.`
  }
  // Said to the operator now, and not by a log-in that fails later.
  if (JSON.stringify([...new Set(roles)]).length > limits.rolesBytesMax) {
    return `The roles of an account have at most ${limits.rolesBytesMax} characters together.`
  }
  const isFine = (role: string): boolean =>
    role.length <= limits.roleCharsMax && /^[A-Za-z0-9][A-Za-z0-9_.:/-]*$/.test(role)
  return roles.every(isFine)
    ? undefined
    : `A role has at most ${limits.roleCharsMax} characters, of letters, digits and "_", ".", ":", "/", "-", and begins with a letter or digit.`
}

export function yes<T>(value: T): Managed<T> {
  return { ok: true, value }
}

export function no(text: string): { readonly ok: false; readonly text: string } {
  return { ok: false, text }
}
