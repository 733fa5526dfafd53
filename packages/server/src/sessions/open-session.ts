import type { EpochMs } from '../base/clock.ts'
import { randomId } from '../base/random.ts'
import { NO_GRACE } from '../store/refresh.ts'
import type { Account, AccountClaims, Membership, NewMail, Session } from '../store/rows.ts'
import type { ThrottleBucket } from '../store/throttle.ts'
import { auditRefusedLogin } from './audit-login.ts'
import { giveBackTries } from './count-try.ts'
import { grant } from './grant.ts'
import type { Candidate } from './identify.ts'
import { summarizeProofs, type Authentication, type Proof } from './prove.ts'
import type { Caller, Granted, SessionServices } from './services.ts'
import { inTenant, withoutTenant } from './tenant-claims.ts'

/** A pair of tokens, and the device cookie, so that other people's guesses do not slow down this browser. */
export interface SignedIn extends Granted {
  readonly device: string
}

/** Why a session does not open although the proofs are right. */
export type NotOpened = 'unknown_account' | 'account_disabled' | 'tenant_forbidden' | 'revoked'

/** The input for a new session. */
export interface Opening {
  readonly candidate: Candidate
  readonly proofs: readonly [Proof, ...Proof[]]
  readonly caller: Caller
  /** The buckets from which the counted attempts are removed when the session opens. */
  readonly giveBack?: readonly ThrottleBucket[]
  /** Whether the access token goes into a cookie. It then contains the hash of the session's CSRF token. */
  readonly forCookies?: boolean | undefined
  /** The log position that was read before the first proof. Defaults to the position of the candidate. */
  readonly position?: number | undefined
  /** The actor and the detail of the audit line, if the actor is not the account itself. */
  readonly vouchedBy?: { readonly actor: string; readonly detail: string } | undefined
}

/**
 * Returns why this candidate gets no session, whatever it proves. Pure.
 *
 * The result reveals whether the account is a member, so call it only after the proofs were checked.
 */
export function whyNotOpened({
  account,
  membership,
  namesTenant,
}: Candidate): Exclude<NotOpened, 'revoked'> | undefined {
  if (account === undefined) return 'unknown_account'
  if (account.disabledAt !== undefined) return 'account_disabled'
  return namesTenant && membership === undefined ? 'tenant_forbidden' : undefined
}

/**
 * The third step of a sign-in: checks the candidate, mints the pair and writes the session. Every way to sign
 * in ends here.
 *
 * The write compares the log position that was read before the first proof. If the account was disabled, or
 * its password was changed, after that position, no session opens (`revoked`).
 */
export async function openSession(
  services: SessionServices,
  opening: Opening,
): Promise<SignedIn | NotOpened> {
  const { candidate, caller, vouchedBy } = opening
  const { account, membership, position, throttleKey } = candidate
  const why = whyNotOpened(candidate)
  if (account === undefined || why !== undefined) return refuse(services, opening, why ?? 'revoked')

  const session: Session = {
    ...newSession(services, account, caller, await services.store.nowMs()),
    ...summarizeProofs(opening.proofs),
    tenantId: membership?.tenantId,
    signedInPosition: opening.position ?? position,
  }
  // Minted before anything is written: if minting fails, no session is left behind.
  const granted = await grant(
    services,
    { session, account: claimsIn(account, membership), position, now: session.createdAt },
    { withRefresh: true, forCookies: opening.forCookies },
  )
  const created = await services.store.sessions.create(
    session,
    {
      at: session.createdAt,
      actor: account.id,
      address: caller.address,
      mails: await noticeOf(services, opening, account, session.createdAt),
      ...vouchedBy,
    },
    { shadow: candidate.shadow, liveMax: services.sessionsPerAccountMax },
  )
  if (created === 'refused') return refuse(services, opening, 'revoked')
  await giveBackTries(services, opening.giveBack ?? [])
  return { ...granted, device: services.throttle.rememberDevice(throttleKey, account.hardPosition) }
}

/** A login from a device and an address that the account has not used before. Not the first login of all. */
async function noticeOf(
  { notices, throttle }: SessionServices,
  { candidate, caller }: Opening,
  account: Account,
  at: EpochMs,
): Promise<readonly NewMail[] | undefined> {
  const { isKnownAddress, hasSessions, throttleKey } = candidate
  if (notices === undefined || isKnownAddress || !hasSessions) return undefined
  return throttle.knowsDevice(caller.device, throttleKey, account.hardPosition)
    ? undefined
    : notices.newDevice(account, caller, at)
}

async function refuse(
  services: SessionServices,
  { candidate: { account }, caller: { address }, vouchedBy }: Opening,
  reason: NotOpened,
): Promise<NotOpened> {
  if (reason !== 'tenant_forbidden') {
    const actor = vouchedBy === undefined ? {} : { actor: vouchedBy.actor }
    await auditRefusedLogin(services, { account, address, reason, ...actor })
  }
  return reason
}

function claimsIn(account: Account, membership: Membership | undefined): AccountClaims {
  const { id, userId = id, roles } = account
  const claims = { id, userId, roles }
  return membership === undefined ? withoutTenant(claims) : inTenant(claims, membership)
}

/** `now` is the store's time: its clock also measures the grace and the expiry of this session. */
function newSession(
  { random, ring, rotation }: SessionServices,
  account: Account,
  caller: Caller,
  now: EpochMs,
): Omit<Session, keyof Authentication | 'tenantId' | 'signedInPosition'> {
  const endsAt = now + rotation.absoluteMs
  return {
    id: randomId(random),
    accountId: account.id,
    clientId: 'first-party',
    seed: random.bytes(16),
    generation: 0,
    createdAt: now,
    rotatedAt: now,
    grace: NO_GRACE,
    expiresAt: Math.min(now + rotation.idleMs, endsAt),
    endsAt,
    endedAt: undefined,
    survivedPosition: 0,
    refreshKid: ring.refreshKid,
    address: caller.address,
    userAgent: caller.userAgent,
  }
}
