import { usernameKey } from '../accounts/usernames.ts'
import { randomId } from '../base/random.ts'
import type { Account, Session } from '../store/rows.ts'
import { grant } from './grant.ts'
import { refuse, type Caller, type Granted, type Refusal, type SessionParts } from './parts.ts'

export interface Credentials {
  readonly username: string
  readonly password: string
}

/**
 * Logs in with a password: one read, the hash, one write.
 *
 * The log position is read with the account, before the password is checked, and the write compares
 * it: an account that is disabled or changes its password while the hash is computed gets no
 * session out of the old one.
 */
export async function signIn(
  parts: SessionParts,
  credentials: Credentials,
  caller: Caller,
): Promise<Granted | Refusal> {
  const { store, hasher } = parts
  const key = usernameKey(credentials.username)
  const { account, position } = await store.accounts.viewForSignIn(key)
  const verifying = hasher.verify(account?.passwordHash, credentials.password, key)
  if (verifying === undefined) return refuse('password_queue_full')
  const isRight = await verifying
  const refusal = whyRefused(account, isRight)
  if (account === undefined || refusal !== undefined) {
    return refuseLogin(parts, caller, account, refusal)
  }

  await upgradeHash(parts, account, credentials.password)
  const session = newSession(parts, account, position, caller)
  // Minted before anything is written: what cannot be minted must leave no session behind.
  const { id, roles, userId = id } = account
  const granted = grant(
    parts,
    { session, account: { id, userId, roles }, position, now: session.createdAt },
    { withRefresh: true },
  )
  const created = await store.sessions.create(session, {
    at: session.createdAt,
    actor: account.id,
    address: caller.address,
  })
  return created === 'created' ? granted : refuseLogin(parts, caller, account, 'taken_back')
}

type LoginRefusal = 'unknown_account' | 'wrong_password' | 'account_disabled' | 'taken_back'

function whyRefused(account: Account | undefined, isRight: boolean): LoginRefusal | undefined {
  if (account === undefined) return 'unknown_account'
  if (!isRight) return 'wrong_password'
  return account.disabledAt === undefined ? undefined : 'account_disabled'
}

/** The audit knows the reason; the answer never does. */
async function refuseLogin(
  parts: SessionParts,
  caller: Caller,
  account: Account | undefined,
  detail: LoginRefusal | undefined,
): Promise<Refusal> {
  await parts.store.audit.append({
    at: parts.clock.nowMs(),
    actor: 'anonymous',
    event: 'login',
    outcome: 'refused',
    accountId: account?.id,
    sessionId: undefined,
    address: caller.address,
    detail,
  })
  return refuse('credentials_invalid')
}

/** Only now is the password known: a hash with other parameters than today's is made anew. */
async function upgradeHash(parts: SessionParts, account: Account, password: string): Promise<void> {
  const { hasher, store } = parts
  if (account.passwordHash === undefined || !hasher.isOutdated(account.passwordHash)) return
  const hash = await hasher.hash(password)
  // With a full queue the login goes on; the next one upgrades.
  if (hash !== undefined) {
    await store.accounts.upgradePasswordHash(account.id, account.passwordHash, hash)
  }
}

function newSession(
  { clock, random, ring, rotation }: SessionParts,
  account: Account,
  position: number,
  caller: Caller,
): Session {
  const now = clock.nowMs()
  const endsAt = now + rotation.absoluteMs
  return {
    id: randomId(random),
    accountId: account.id,
    clientId: 'first-party',
    seed: random.bytes(16),
    generation: 0,
    createdAt: now,
    rotatedAt: now,
    expiresAt: Math.min(now + rotation.idleMs, endsAt),
    endsAt,
    endedAt: undefined,
    signedInPosition: position,
    refreshKid: ring.refreshKid,
    address: caller.address,
    userAgent: caller.userAgent,
  }
}
