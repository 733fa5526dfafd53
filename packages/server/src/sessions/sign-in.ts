import type { Account } from '../store/rows.ts'
import { identify } from './identify.ts'
import { openSession, whyNotOpened, type SignedIn } from './open-session.ts'
import { provePassword } from './prove.ts'
import { refuse, type Caller, type Refusal, type SessionServices } from './services.ts'

/** The input of a login. */
export interface Credentials {
  readonly username: string
  readonly password: string
  /** The name of the tenant to log in to. Without it, the account's default tenant is used. */
  readonly tenant?: string | undefined
}

/**
 * Logs in with a password, in three steps: identify the account, prove the password, open the session. A
 * login costs one read, counting the attempt, one hash and one write.
 *
 * Returns `credentials_invalid` for an unknown account, a wrong password, a disabled account, and an account
 * whose sessions were revoked meanwhile. Only the audit contains the reason. `tenant_forbidden` is returned
 * only with the right password.
 */
export async function signIn(
  services: SessionServices,
  { username, password, tenant }: Credentials,
  caller: Caller,
  options: { readonly forCookies?: boolean } = {},
): Promise<SignedIn | Refusal> {
  // Asked before anything is read: under overload, refusing must cost next to nothing.
  if (services.source === undefined && services.hasher.isBusy())
    return refuse('password_queue_full')
  const wishes = { tenantName: tenant, address: caller.address }
  const candidate = await identify(services, { username }, wishes)
  const proven = await provePassword(services, candidate, password, caller)
  if (!proven.ok) return proven

  const { account } = candidate
  if (account !== undefined && whyNotOpened(candidate) === undefined) {
    await upgradeHash(services, account, password)
  }
  const { proof, giveBack } = proven
  const opened = await openSession(services, {
    candidate,
    proofs: [proof],
    caller,
    giveBack,
    forCookies: options.forCookies,
  })
  if (typeof opened !== 'string') return opened
  return refuse(opened === 'tenant_forbidden' ? opened : 'credentials_invalid')
}

/** Hashes the password again if its hash does not have the current parameters. */
async function upgradeHash(
  { newPasswords, store }: SessionServices,
  { id, passwordHash }: Account,
  password: string,
): Promise<void> {
  if (passwordHash === undefined) return
  const hash = await newPasswords.rehash(passwordHash, password)
  // If the queue is full, the login continues, and the next login upgrades the hash.
  if (hash !== undefined) await store.accounts.upgradePasswordHash(id, passwordHash, hash)
}
