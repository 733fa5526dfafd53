import type { EpochMs } from '../base/clock.ts'
import { randomId } from '../base/random.ts'
import { decideSecondFactor, type FactorDecision } from '../factors/decide.ts'
import { requiresFactor } from '../factors/policy.ts'
import { summarizeProofs, type Authentication, type Proof } from '../factors/proof.ts'
import { changeOf } from '../factors/use-notice.ts'
import type { SignInUse } from '../store/factors.ts'
import { NO_GRACE } from '../store/refresh.ts'
import type { Account, AccountClaims, Membership, NewMail, Session } from '../store/rows.ts'
import type { ThrottleBucket } from '../store/throttle.ts'
import { auditRefusedLogin } from './audit-login.ts'
import { giveBackTries } from './count-try.ts'
import { grant } from './grant.ts'
import { identify, type Candidate } from './identify.ts'
import { askForFactor, hashSecret } from './pending.ts'
import {
  refuse,
  type Caller,
  type Granted,
  type Refusal,
  type SessionServices,
} from './services.ts'
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
  /** The proofs of the first step. If they are not enough, the ticket remembers them. */
  readonly proofs: readonly [Proof, ...Proof[]]
  /** The proof of the second step, which completes a ticket. */
  readonly second?: Proof | undefined
  readonly caller: Caller
  /** The buckets from which the counted attempts are removed when the session opens. */
  readonly giveBack?: readonly ThrottleBucket[]
  /** Whether the access token goes into a cookie. It then contains the hash of the session's CSRF token. */
  readonly forCookies?: boolean | undefined
  /** The log position that was read before the first proof. Defaults to the position of the candidate. */
  readonly position?: number | undefined
  /** The ticket and the factor that the session uses up. */
  readonly uses?: SignInUse | undefined
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
 * in ends here, so that none opens a session without the factors that the account needs: the result is then a
 * {@link Refusal} with a ticket, and neither a session nor a token exists.
 *
 * The write compares the log position that was read before the first proof. If the account was disabled, or
 * its password was changed, after that position, no session opens (`revoked`). It also compares the version of the
 * factors. If a factor changed meanwhile, the need is decided again.
 */
export async function openSession(
  services: SessionServices,
  opening: Opening,
): Promise<SignedIn | NotOpened | Refusal> {
  let current = opening
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    const opened = await tryToOpen(services, current)
    if (opened !== 'outdated') return opened
    current = await readAgain(services, current)
  }
  return notOpened(services, opening, 'revoked')
}

/** Each further try needs another change of the account in between. */
const TRIES_MAX = 4

/** The same opening for the account as it is now. The position stays that of the first proof. */
async function readAgain(services: SessionServices, opening: Opening): Promise<Opening> {
  const { candidate, caller } = opening
  const { account, membership, namesTenant, position } = candidate
  if (account === undefined) return opening
  const wishes = {
    tenantName: namesTenant ? membership?.tenantName : undefined,
    address: caller.address,
  }
  const now = await identify(services, { accountId: account.id }, wishes)
  return { ...opening, position: opening.position ?? position, candidate: { ...now, position } }
}

async function tryToOpen(
  services: SessionServices,
  opening: Opening,
): Promise<SignedIn | NotOpened | Refusal | 'outdated'> {
  const { candidate, caller, vouchedBy, proofs } = opening
  const { account, membership, position, throttleKey } = candidate
  const why = whyNotOpened(candidate)
  if (account === undefined || why !== undefined)
    return notOpened(services, opening, why ?? 'revoked')

  const now = services.store.clock.nowMs()
  const decision = await decideNeed(services, opening, account, now)
  if (decision.kind !== 'enough') {
    // Without the second step. A factor that opens nothing is not used up either: in the new ticket, the same proof
    // would count a second time, and a factor that may not be enrolled would count as one of the account.
    const details = {
      proofs,
      position: opening.position ?? position,
      tenantName: candidate.namesTenant ? membership?.tenantName : undefined,
      vouchedBy,
    }
    const asked = await askForFactor(services, account, details, decision, caller)
    await giveBackTries(services, opening.giveBack ?? [])
    return asked
  }

  const session: Session = {
    ...newSession(services, account, caller, now),
    ...summarizeProofs(allProofs(opening)),
    secondFactor: decision.secondFactor,
    tenantId: membership?.tenantId,
    signedInPosition: opening.position ?? position,
  }
  // Minted before anything is written: if minting fails, no session is left behind.
  const granted = await grant(
    services,
    {
      session,
      account: claimsIn(account, membership),
      position,
      now: session.createdAt,
      jkt: caller.jkt,
    },
    { withRefresh: true, forCookies: opening.forCookies },
  )
  const created = await services.store.sessions.create(
    session,
    {
      at: session.createdAt,
      actor: account.id,
      address: caller.address,
      mails: await noticesOf(services, opening, account, session.createdAt),
      ...vouchedBy,
    },
    {
      shadow: candidate.shadow,
      liveMax: services.sessionsPerAccountMax,
      factorsVersion: candidate.factors.version,
      uses: opening.uses,
    },
  )
  if (created === 'outdated') return created
  if (created === 'used') return refuse('factor_wrong')
  if (created === 'refused') return notOpened(services, opening, 'revoked')
  if (decision.startsGraceUntil !== undefined) {
    await services.store.factors.setDue(account.id, decision.startsGraceUntil)
  }
  await giveBackTries(services, opening.giveBack ?? [])
  return { ...granted, device: services.throttle.rememberDevice(throttleKey, account.hardPosition) }
}

function allProofs({
  proofs,
  second,
}: Pick<Opening, 'proofs' | 'second'>): readonly [Proof, ...Proof[]] {
  return second === undefined ? proofs : [...proofs, second]
}

/** Asks whether the proofs are enough for this account now. Writes nothing. */
export async function decideNeed(
  { store, factors: policy }: SessionServices,
  opening: Pick<Opening, 'candidate' | 'proofs' | 'second' | 'caller' | 'uses'>,
  account: Pick<Account, 'roles' | 'email' | 'id'>,
  now: EpochMs,
): Promise<FactorDecision> {
  const { proofs, caller, uses } = opening
  const { factors, membership } = opening.candidate
  const subject = {
    roles: account.roles,
    tenantName: membership?.tenantName,
    tenantRoles: membership?.roles ?? [],
  }
  const facts = {
    factors,
    proofs: allProofs(opening),
    policy,
    isRequired: requiresFactor(policy, subject),
    hasMailbox: account.email?.verifiedAt !== undefined,
    isTrusted: false,
    now,
  }
  // A factor may be enrolled only where there is none: whoever has the password could otherwise replace it.
  if (uses?.use?.kind === 'enrol') {
    const without = decideSecondFactor({ ...facts, proofs })
    if (without.kind === 'needed') return without
  }
  const decision = decideSecondFactor(facts)
  if (decision.kind === 'enough') return decision
  const { trusted } = caller
  if (trusted === undefined || policy.rememberMs === undefined) return decision
  const isTrusted = await store.factors.isTrusted(account.id, hashSecret(trusted))
  return isTrusted ? decideSecondFactor({ ...facts, isTrusted }) : decision
}

/** The mails about what this sign-in did to the account, and about a device that it has not used before. */
async function noticesOf(
  services: SessionServices,
  opening: Opening,
  account: Account,
  at: EpochMs,
): Promise<readonly NewMail[] | undefined> {
  const { notices } = services
  if (notices === undefined) return undefined
  const change = changeOf(opening.uses?.use)
  return [
    ...(isNewDevice(services, opening, account)
      ? await notices.newDevice(account, opening.caller, at)
      : []),
    ...(change === undefined
      ? []
      : await notices.factorChanged(account, change, opening.caller, at)),
  ]
}

/** A login from a device and an address that the account has not used before. Not the first login of all. */
function isNewDevice(
  { throttle }: SessionServices,
  { candidate: { isKnownAddress, hasSessions, throttleKey }, caller }: Opening,
  account: Account,
): boolean {
  return (
    !isKnownAddress &&
    hasSessions &&
    !throttle.knowsDevice(caller.device, throttleKey, account.hardPosition)
  )
}

async function notOpened(
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
): Omit<Session, keyof Authentication | 'secondFactor' | 'tenantId' | 'signedInPosition'> {
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
