import type { CheckedSource, FoundAccount } from '../accounts/source.ts'
import { usernameKey } from '../accounts/usernames.ts'
import { limits } from '../base/limits.ts'
import { stripOuterSpace } from '../base/text.ts'
import type { Account } from '../store/rows.ts'
import type { SignInView } from '../store/store.ts'
import type { Caller, SessionServices } from './services.ts'

/** What a log-in says. */
export interface Credentials {
  readonly username: string
  readonly password: string
  /** The name of the tenant to log in to; the account's default one when not given. */
  readonly tenant?: string | undefined
}

/** Who wants to log in, wherever the accounts are kept: the position was read before the account. */
export interface Candidate extends SignInView {
  /** Tries at the same account have the same key. */
  readonly throttleKey: string
  /** Costs about the same whether or not there is an account. Undefined when too many wait. */
  verifyPassword(): Promise<boolean> | undefined
  /** The account once more where it is the application's: its row is kept with the session. */
  readonly shadow: Account | undefined
}

/** Looks the account up, in our own table or at the application. */
export async function findCandidate(
  services: SessionServices,
  credentials: Credentials,
  caller: Caller,
): Promise<Candidate> {
  return services.source === undefined
    ? findOwn(services, credentials, caller)
    : findAtSource(services, services.source, credentials, caller)
}

async function findOwn(
  { store, hasher }: SessionServices,
  { username, password, tenant }: Credentials,
  { address }: Caller,
): Promise<Candidate> {
  const key = usernameKey(username)
  const view = await store.accounts.viewForSignIn(key, { tenantName: tenant, address })
  return {
    ...view,
    throttleKey: key,
    verifyPassword: () => hasher.verify(view.account?.passwordHash, password, key),
    shadow: undefined,
  }
}

async function findAtSource(
  services: SessionServices,
  source: CheckedSource,
  { username, password }: Credentials,
  { address }: Caller,
): Promise<Candidate> {
  const { store, hasher, clock } = services
  // Before the application is asked: what it takes back from now on is newer than what is made here.
  const { position } = await store.revocations.head()
  const typed = stripOuterSpace(username)
  const found = await source.find(typed)
  const key = throttleKey(typed, found)
  const known = found && (await store.shadows.viewForSignIn(found.id, address))
  const account = found && toAccount(found, known?.hardPosition ?? 0, clock.nowMs())
  return {
    position,
    account,
    membership: undefined,
    isKnownAddress: known?.isKnownAddress === true,
    throttleKey: key,
    verifyPassword: () =>
      found === undefined || !mayBePassword(password)
        ? hasher.verify(undefined, password, key)
        : source.verifyPassword(found, password),
    shadow: account,
  }
}

/**
 * By the account's id, since we do not know which spellings the application takes for one: a name, an
 * address and a telephone number would each have tries of their own. Where nobody was found, by the name.
 */
function throttleKey(typed: string, found: FoundAccount | undefined): string {
  if (found !== undefined) return `\u0001${found.id}`
  const key = usernameKey(typed)
  // Names that our rules know none of are not one: who is throttled would tell which of them exist.
  return key === usernameKey('') ? `${key}${typed}` : key
}

/** What a hash function of the application may choke on is nobody's password, as with us. */
function mayBePassword(password: string): boolean {
  return Buffer.byteLength(password) <= limits.passwordBytesMax && !password.includes('\0')
}

function toAccount(
  { id, username, isActive, roles }: FoundAccount,
  hardPosition: number,
  now: number,
): Account {
  return {
    id,
    username,
    userId: undefined,
    passwordHash: undefined,
    roles,
    defaultTenantId: undefined,
    disabledAt: isActive ? undefined : now,
    hardPosition,
    createdAt: now,
  }
}
