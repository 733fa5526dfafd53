import { newAccount } from './new-account.ts'
import type { Clock, EpochMs } from '../base/clock.ts'
import { assertOptions } from '../base/options.ts'
import { randomId, type Random } from '../base/random.ts'
import type { Account, AccountEmail, MailLocale } from '../store/rows.ts'
import type { AuditContext } from '../store/audit-context.ts'
import type { Change } from '../store/change.ts'
import type { Store } from '../store/store.ts'
import { readMailbox } from './email-address.ts'
import { readAccountData, type AccountData, type AccountSummary } from './export.ts'
import { no, unknown, yes, type Managed } from './managed.ts'
import type { NewPasswords } from './new-passwords.ts'
import { assertLimit, cutPage } from './paging.ts'
import { checkRoles } from './role-names.ts'
import { isOwnAccountId } from './source.ts'
import { checkUsername, usernameKey } from './usernames.ts'

/** Selects a page of accounts. */
export interface AccountPageRequest {
  /** The `next` of the previous page. Undefined: the first page. */
  readonly after?: string | undefined
  /** The number of accounts in the page: 1 to 1,000, by default 100. */
  readonly limit?: number | undefined
}

/** A page of accounts, by username. */
export interface AccountPage {
  readonly accounts: readonly AccountSummary[]
  /** Pass it as `after` to get the next page; undefined on the last page. */
  readonly next: string | undefined
}

/** A new account. */
export interface NewAccount {
  readonly username: string
  readonly password: string
  readonly roles?: readonly string[]
  /** The e-mail address. Nobody can log in with it until it is verified. */
  readonly email?: string | undefined
  /** Whether you know that the person receives mail there. Defaults to false. */
  readonly emailVerified?: boolean | undefined
  /** The language of mails to this person. Defaults to the language of the settings. */
  readonly locale?: MailLocale | undefined
}

/** Manages accounts, for operators and embedding applications. `by` is the actor in the audit. */
export interface AccountManager {
  /** Creates an account. The password must pass the rules for new passwords. */
  create(input: NewAccount, by: string): Promise<Managed<AccountSummary>>
  /** Lists all accounts, by username. If there are many, read pages instead. */
  list(): Promise<readonly AccountSummary[]>
  /** Lists one page of accounts, by username. Throws a `TypeError` if an argument is not valid. */
  list(page: AccountPageRequest): Promise<AccountPage>
  /** Finds an account by its id. Returns undefined if no account has this id. */
  get(accountId: string): Promise<AccountSummary | undefined>
  /** Finds an account by its username, in any spelling that logs in to it. */
  find(username: string): Promise<AccountSummary | undefined>
  /** Reads everything that is stored about the person, without secrets: see {@link AccountData}. */
  export(username: string): Promise<Managed<AccountData>>
  /** Counts the accounts. */
  count(): Promise<number>
  /** Disables the account and ends all its sessions. It cannot log in until it is enabled. */
  disable(username: string, by: string): Promise<Managed<Change>>
  /** Lets the account log in again. Ended sessions stay ended. */
  enable(username: string, by: string): Promise<Managed<Change>>
  /**
   * Ends all sessions of the account and deletes it. Its username can be used again. Its id is never reused.
   */
  delete(username: string, by: string): Promise<Managed<Change>>
  /** Sets the password and ends all sessions of the account. */
  setPassword(username: string, password: string, by: string): Promise<Managed<Change>>
  /** Changes the username. Sessions continue. */
  rename(username: string, newUsername: string, by: string): Promise<Managed<Change>>
  /**
   * Sets or removes the e-mail address. Mailed codes of the account become void. `verified` is whether you know
   * that the person receives mail there: they can then log in with the address and reset the password.
   */
  setEmail(
    username: string,
    email: { readonly address: string; readonly verified: boolean } | undefined,
    by: string,
  ): Promise<Managed<Change>>
  /** Adds a global role. Tokens of the account become stale. A refresh returns tokens with the new role. */
  addRole(username: string, role: string, by: string): Promise<Managed<Change>>
  /** Removes a global role. Tokens of the account become stale. */
  removeRole(username: string, role: string, by: string): Promise<Managed<Change>>
}

/** Dependencies of the account manager. */
export interface AccountManagerOptions {
  readonly store: Store
  readonly newPasswords: NewPasswords
  readonly clock: Clock
  readonly random: Random
}

/** Creates the manager of the accounts in the store. */
export function createAccountManager(options: AccountManagerOptions): AccountManager {
  // Over 70 lines, and not split: it only lists short methods that share these helpers.
  const { store, newPasswords, clock, random } = options
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

  function list(): Promise<readonly AccountSummary[]>
  function list(page: AccountPageRequest): Promise<AccountPage>
  async function list(page?: AccountPageRequest): Promise<readonly AccountSummary[] | AccountPage> {
    if (page === undefined) return (await accounts.list()).map(summarize)
    assertOptions('accounts.list', page, ['after', 'limit'])
    const { after = '', limit: wanted } = page
    if (typeof after !== 'string') throw new TypeError('after must be the next of an earlier page.')
    const limit = assertLimit(wanted)
    const found = await accounts.page(after, limit + 1)
    const { rows, next } = cutPage(found, limit, (last) => last.usernameKey)
    return { accounts: rows.map(({ account }) => summarize(account)), next }
  }

  return {
    async create(input, by) {
      assertOptions('accounts.create', input, CREATE_OPTIONS)
      const { username, password, roles = [], locale } = input
      const problem = checkUsername(username) ?? checkRoles(roles)
      if (problem !== undefined) return { ok: false, ...problem }
      const email = readEmail(input.email, input.emailVerified === true, clock.nowMs())
      if (email === 'invalid') return EMAIL_INVALID
      const hash = await newPasswords.hash(password, { username })
      if (!hash.ok) return hash
      const account = newAccount({
        id: `acct_${randomId(random)}`,
        username,
        passwordHash: hash.value,
        roles: [...new Set(roles)].toSorted(),
        email,
        locale,
        createdAt: clock.nowMs(),
      })
      const created = await accounts.create(account, usernameKey(username), auditBy(by))
      if (created === 'email_taken') return EMAIL_TAKEN
      return created === 'taken' ? taken(username) : yes(summarize(account))
    },

    list,

    async get(accountId) {
      // The store can also have rows for the accounts of an application that kept them earlier.
      const account = isOwnAccountId(accountId) ? await accounts.get(accountId) : undefined
      return account === undefined ? undefined : summarize(account)
    },

    async find(username) {
      const account = await accounts.find(usernameKey(username))
      return account === undefined ? undefined : summarize(account)
    },

    async export(username) {
      const account = await accounts.find(usernameKey(username))
      return account === undefined
        ? unknown(username)
        : yes(await readAccountData(store, summarize(account)))
    },

    count: () => accounts.count(),

    disable: (username, by) => change(username, by, (id, from) => accounts.disable(id, from)),

    enable: (username, by) => change(username, by, (id, from) => accounts.enable(id, from)),

    delete: (username, by) => change(username, by, (id, from) => accounts.delete(id, from)),

    async setPassword(username, password, by) {
      const account = await accounts.find(usernameKey(username))
      if (account === undefined) return unknown(username)
      // The rules compare the password with the stored username, not with the caller's spelling of it.
      const hash = await newPasswords.hash(password, { username: account.username })
      if (!hash.ok) return hash
      return yes(await accounts.setPasswordHash(account.id, hash.value, auditBy(by)))
    },

    async rename(username, newUsername, by) {
      const problem = checkUsername(newUsername)
      if (problem !== undefined) return { ok: false, ...problem }
      const account = await accounts.find(usernameKey(username))
      if (account === undefined) return unknown(username)
      const to = { username: newUsername, usernameKey: usernameKey(newUsername) }
      const renamed = await accounts.rename(account.id, to, auditBy(by))
      return renamed === 'taken' ? taken(newUsername) : yes(renamed)
    },

    async setEmail(username, given, by) {
      const email = readEmail(given?.address, given?.verified === true, clock.nowMs())
      if (email === 'invalid') return EMAIL_INVALID
      const account = await accounts.find(usernameKey(username))
      if (account === undefined) return unknown(username)
      const set = await accounts.setEmail(account.id, email, auditBy(by))
      return set === 'taken' ? EMAIL_TAKEN : yes(set)
    },

    async addRole(username, role, by) {
      const account = await accounts.find(usernameKey(username))
      if (account === undefined) return unknown(username)
      // A token in a tenant carries the global roles and the roles in the tenant.
      const memberships = await store.tenants.membershipsOf(account.id)
      for (const inTenant of [[], ...memberships.map((each) => each.roles)]) {
        const problem = checkRoles([...account.roles, role], inTenant)
        if (problem !== undefined) return { ok: false, ...problem }
      }
      return change(username, by, (id, from) => accounts.addRole(id, role, from))
    },

    removeRole: (username, role, by) =>
      change(username, by, (id, from) => accounts.removeRole(id, role, from)),
  }
}

const CREATE_OPTIONS: readonly (keyof NewAccount)[] = [
  'username',
  'password',
  'roles',
  'email',
  'emailVerified',
  'locale',
]

const EMAIL_INVALID = no('email_invalid', 'This is not an e-mail address. Check its spelling.')

const EMAIL_TAKEN = no('email_taken', 'Another account has this e-mail address.')

function taken(username: string): Managed<never> {
  return no('username_taken', `There is an account "${username}" already.`)
}

function readEmail(
  address: string | undefined,
  isVerified: boolean,
  now: EpochMs,
): AccountEmail | undefined | 'invalid' {
  if (address === undefined) return undefined
  const mailbox = readMailbox(address)
  return mailbox === undefined
    ? 'invalid'
    : { ...mailbox, verifiedAt: isVerified ? now : undefined }
}

function summarize(account: Account): AccountSummary {
  const { passwordHash: _, hardPosition: __, ...summary } = account
  return summary
}
