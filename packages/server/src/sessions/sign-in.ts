import { randomId } from '../base/random.ts'
import type { Account, AccountClaims, Membership, Session } from '../store/rows.ts'
import { findCandidate, type Credentials } from './candidate.ts'
import { countTry } from './count-try.ts'
import { grant } from './grant.ts'
import {
  refuse,
  type Caller,
  type Granted,
  type Refusal,
  type SessionServices,
} from './services.ts'

/**
 * Logs in with a password: one read, the try counted, the hash, one write.
 *
 * The log position is read with the account, before the password is checked, and the write compares
 * it: an account that is disabled or changes its password while the hash is computed gets no
 * session out of the old one.
 *
 * A try is counted before its password is checked, so that a thousand at once are no more than one
 * after the other, and taken out again when it was right.
 */
export async function signIn(
  services: SessionServices,
  credentials: Credentials,
  caller: Caller,
  options: { readonly forCookies?: boolean } = {},
): Promise<SignedIn | Refusal> {
  const { store } = services
  const candidate = await findCandidate(services, credentials, caller)
  const { account, position, membership, isKnownAddress, throttleKey: key } = candidate
  const { hardPosition } = account ?? {}
  const tries = services.throttle.bucketsOf({
    usernameKey: key,
    ...caller,
    isKnownAddress,
    hardPosition,
  })
  const throttled = await countTry(services, tries)
  if (throttled !== undefined) return throttled

  const verifying = candidate.verifyPassword()
  if (verifying === undefined) return refuse('password_queue_full')
  const isRight = await verifying

  const refusal = whyRefused(account, isRight)
  if (account === undefined || refusal !== undefined) {
    return refuseLogin(services, caller, account, refusal)
  }
  // Said only to who has the password.
  if (credentials.tenant !== undefined && membership === undefined) {
    return refuse('tenant_forbidden')
  }

  await upgradeHash(services, account, credentials.password)
  const session = newSession(services, account, position, caller, membership?.tenantId)
  // Minted before anything is written: what cannot be minted must leave no session behind.
  const claims = claimsIn(account, membership)
  const granted = await grant(
    services,
    { session, account: claims, position, now: session.createdAt },
    { withRefresh: true, forCookies: options.forCookies },
  )
  const created = await store.sessions.create(
    session,
    { at: session.createdAt, actor: account.id, address: caller.address },
    tries,
    candidate.shadow,
  )
  if (created === 'refused') return refuseLogin(services, caller, account, 'revoked')
  return { ...granted, device: services.throttle.rememberDevice(key, account.hardPosition) }
}

/** A pair, and what a browser keeps so that others' guesses do not slow it down. */
export interface SignedIn extends Granted {
  readonly device: string
}

function claimsIn(account: Account, membership: Membership | undefined): AccountClaims {
  const { id, userId = id, roles } = account
  if (membership === undefined) return { id, userId, roles, tenantId: undefined }
  const all = [...new Set([...roles, ...membership.roles])].toSorted()
  return { id, userId, roles: all, tenantId: membership.tenantId }
}

type LoginRefusal = 'unknown_account' | 'wrong_password' | 'account_disabled' | 'revoked'

function whyRefused(account: Account | undefined, isRight: boolean): LoginRefusal | undefined {
  if (account === undefined) return 'unknown_account'
  if (!isRight) return 'wrong_password'
  return account.disabledAt === undefined ? undefined : 'account_disabled'
}

/** The audit knows the reason; the answer never does. */
async function refuseLogin(
  services: SessionServices,
  caller: Caller,
  account: Account | undefined,
  detail: LoginRefusal | undefined,
): Promise<Refusal> {
  await services.store.audit.append({
    at: services.clock.nowMs(),
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
async function upgradeHash(
  services: SessionServices,
  account: Account,
  password: string,
): Promise<void> {
  const { hasher, store } = services
  if (account.passwordHash === undefined || !hasher.isOutdated(account.passwordHash)) return
  const hash = await hasher.hash(password)
  // With a full queue the login goes on; the next one upgrades.
  if (hash !== undefined) {
    await store.accounts.upgradePasswordHash(account.id, account.passwordHash, hash)
  }
}

function newSession(
  { clock, random, ring, rotation }: SessionServices,
  account: Account,
  position: number,
  caller: Caller,
  tenantId: string | undefined,
): Session {
  const now = clock.nowMs()
  const endsAt = now + rotation.absoluteMs
  return {
    id: randomId(random),
    accountId: account.id,
    clientId: 'first-party',
    tenantId,
    seed: random.bytes(16),
    generation: 0,
    createdAt: now,
    rotatedAt: now,
    expiresAt: Math.min(now + rotation.idleMs, endsAt),
    endsAt,
    endedAt: undefined,
    signedInPosition: position,
    survivedPosition: 0,
    refreshKid: ring.refreshKid,
    address: caller.address,
    userAgent: caller.userAgent,
  }
}
