import { newAccount } from '../accounts/new-account.ts'
import {
  isOwnAccountId,
  isSourceId,
  type CheckedSource,
  type FoundAccount,
} from '../accounts/source.ts'
import { usernameKey } from '../accounts/usernames.ts'
import { stripOuterSpace } from '../base/text.ts'
import { NO_FACTORS } from '../store/factors.ts'
import type { Account } from '../store/rows.ts'
import type { SignInView } from '../store/store.ts'
import type { SessionServices } from './services.ts'

/**
 * The account that a sign-in names: by the username that the person typed, or by the id that the application
 * knows.
 */
export type AccountName = { readonly username: string } | { readonly accountId: string }

/** The origin of a sign-in, and the tenant that it requests. */
export interface SignInWishes {
  /** The name of the tenant to sign in to. Without it, the account's default tenant is used. */
  readonly tenantName: string | undefined
  /** The client's address, or an empty text if it is not known. */
  readonly address: string
}

/**
 * The result of the first step of a sign-in: the named account, if it exists, before any proof. The log
 * position was read before the account and before any proof.
 */
export interface Candidate extends SignInView {
  /** All attempts at the same account share this key. */
  readonly throttleKey: string
  /** Whether the sign-in names a tenant. The account must then be a member of it. */
  readonly namesTenant: boolean
  /** The application's answer, if it keeps the accounts. */
  readonly found: FoundAccount | undefined
  /**
   * The same account if the application keeps it. The store writes a row for it together with the session.
   */
  readonly shadow: Account | undefined
}

/** Looks up the account in the store, or asks the application if it keeps the accounts. */
export async function identify(
  services: SessionServices,
  name: AccountName,
  wishes: SignInWishes,
): Promise<Candidate> {
  return services.source === undefined
    ? identifyOwn(services, name, wishes)
    : identifyAtSource(services, services.source, name, wishes)
}

async function identifyOwn(
  { store }: SessionServices,
  name: AccountName,
  wishes: SignInWishes,
): Promise<Candidate> {
  const rest = { namesTenant: wishes.tenantName !== undefined, found: undefined, shadow: undefined }
  if ('username' in name) {
    const key = usernameKey(name.username)
    const view = await store.accounts.viewForSignIn(key, wishes)
    return { ...view, throttleKey: ownThrottleKey(view.account, key), ...rest }
  }
  const view = await store.accounts.viewById(name.accountId, wishes)
  // The id may belong to an application that no longer keeps the accounts. The current state of that account
  // is unknown.
  const isOwn = isOwnAccountId(name.accountId)
  const account = isOwn ? view.account : undefined
  const throttleKey = ownThrottleKey(account, usernameKey(account?.username ?? ''))
  return { ...view, account, throttleKey, ...rest }
}

/**
 * Returns the key under which attempts at an account of our own are counted: its id, because it may have a username
 * and an address. Attempts at an unknown name count under the name.
 */
export function ownThrottleKey(account: Pick<Account, 'id'> | undefined, key: string): string {
  return account === undefined ? key : `\u0001${account.id}`
}

async function identifyAtSource(
  { store, clock }: SessionServices,
  source: CheckedSource,
  name: AccountName,
  wishes: SignInWishes,
): Promise<Candidate> {
  // The position is read before the application is asked, so any later revocation is newer than this sign-in.
  const { position } = await store.revocations.head()
  const typed = 'username' in name ? stripOuterSpace(name.username) : ''
  const found =
    'username' in name ? await source.find(typed) : await findById(source, name.accountId)
  const known = found && (await store.shadows.viewForSignIn(found.id, wishes.address))
  const account = found && toAccount(found, known?.hardPosition ?? 0, clock.nowMs())
  return {
    position,
    account,
    membership: undefined,
    isKnownAddress: known?.isKnownAddress === true,
    // Only accounts of Countersign get mail.
    hasSessions: false,
    factors: known?.factors ?? NO_FACTORS,
    throttleKey: throttleKeyOf(typed, found),
    namesTenant: wishes.tenantName !== undefined,
    found,
    shadow: account,
  }
}

/**
 * Finds an account by its id. Ids that no account of an application can have are not passed to the
 * application.
 */
async function findById(source: CheckedSource, id: string): Promise<FoundAccount | undefined> {
  return isSourceId(id) ? source.get(id) : undefined
}

/**
 * Returns the id of the account as the key, because only the application knows which spellings mean the same
 * account. Otherwise a name, an e-mail address and a telephone number would have separate attempts. If no
 * account was found, the key is the name.
 */
function throttleKeyOf(typed: string, found: FoundAccount | undefined): string {
  if (found !== undefined) return `\u0001${found.id}`
  const key = usernameKey(typed)
  // Names that our rules reject do not share one bucket. Otherwise throttling would reveal which accounts
  // exist.
  return key === usernameKey('') ? `${key}${typed}` : key
}

function toAccount(
  { id, username, isActive, roles }: FoundAccount,
  hardPosition: number,
  now: number,
): Account {
  const disabledAt = isActive ? undefined : now
  return newAccount({ id, username, roles, disabledAt, hardPosition, createdAt: now })
}
