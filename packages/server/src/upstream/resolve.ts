import { newAccount } from '../accounts/new-account.ts'
import { readMailbox } from '../accounts/email-address.ts'
import { usernameKey } from '../accounts/usernames.ts'
import { randomId } from '../base/random.ts'
import { countTry } from '../sessions/count-try.ts'
import { auditContextOf } from '../sessions/own-sessions.ts'
import { refuse, type Caller, type Refusal } from '../sessions/services.ts'
import type { EpochMs } from '../base/clock.ts'
import type { Identity } from '../store/identities.ts'
import type { AccountEmail, NewMail } from '../store/rows.ts'
import { decideIdentity, type IdentityDecision } from './decide.ts'
import type { UpstreamProfile, UpstreamProvider } from './provider.ts'
import { applyRoles } from './roles.ts'
import type { UpstreamServices } from './services.ts'
import { suggestUsernames } from './username.ts'

/** The account of an identity. */
export interface Resolved {
  readonly ok: true
  readonly accountId: string
  /** The log position from which a session of this sign-in counts. */
  readonly position: number
}

/** A proved identity, and the log position before its proof. */
export interface ProvenIdentity {
  readonly provider: UpstreamProvider
  readonly profile: UpstreamProfile
  readonly position: number
}

/** Each further try needs another change of the same account or identity in between. */
const TRIES_MAX = 4

/**
 * Finds the account of a proved identity, or creates it, or takes it from somebody who typed the address of the person.
 * Sets the roles of the person's groups. Opens no session.
 */
export async function resolveIdentity(
  services: UpstreamServices,
  proven: ProvenIdentity,
  caller: Caller,
): Promise<Resolved | Refusal> {
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    const decision = await decide(services, proven.profile)
    const resolved = await apply(services, proven, decision, caller)
    if (resolved === 'again') continue
    if (resolved.ok) await setRoles(services, proven, resolved.accountId, caller)
    return resolved
  }
  return refuse('upstream_void')
}

async function decide(
  { sessions: { store }, signUp }: UpstreamServices,
  profile: UpstreamProfile,
): Promise<IdentityDecision> {
  const known = await store.identities.find(profile)
  const mailbox =
    known === undefined && profile.email?.isVerified === true
      ? readMailbox(profile.email.address)
      : undefined
  const email = mailbox && { ...mailbox, verifiedAt: store.clock.nowMs() }
  const holder = email && (await store.mailCodes.findAddressee(email.key))
  // Read again: the person may have signed up in another tab in between, and is then the holder.
  const identity = known ?? (holder && (await store.identities.find(profile)))
  return decideIdentity({ identity, email, holder, allowsSignUp: signUp })
}

async function apply(
  services: UpstreamServices,
  proven: ProvenIdentity,
  decision: IdentityDecision,
  caller: Caller,
): Promise<Resolved | Refusal | 'again'> {
  switch (decision.kind) {
    case 'sign_in':
      return { ok: true, accountId: decision.accountId, position: proven.position }
    case 'sign_up':
      return createAccount(services, proven, decision.email, caller)
    case 'reclaim':
      return reclaim(services, proven, decision, caller)
    case 'refuse':
      return refuse(decision.code)
  }
}

/** Creates the account of a new identity. It has no password. Each account counts against the caller's address. */
async function createAccount(
  services: UpstreamServices,
  proven: ProvenIdentity,
  email: AccountEmail | undefined,
  caller: Caller,
): Promise<Resolved | Refusal | 'again'> {
  const { store, random, throttle } = services.sessions
  const tries = throttle.bucketsOf({
    usernameKey: '',
    address: caller.address,
    // Callers without a known address share one bucket.
    isKnownAddress: caller.address !== '',
  })
  const throttled = await countTry(services.sessions, tries)
  if (throttled !== undefined) return throttled
  const context = auditContextOf(services.sessions, 'anonymous', caller)
  for (const username of suggestUsernames(proven.profile.name, random)) {
    const id = `acct_${randomId(random)}`
    const account = newAccount({ id, username, email, createdAt: context.at })
    const created = await store.identities.signUp(
      account,
      usernameKey(username),
      identityOf(proven, account.id, context.at),
      context,
    )
    if (created === 'created') return resolvedNow(services, account.id)
    // Another sign-up of the same person, or of the same address, was faster.
    if (created !== 'taken') return 'again'
  }
  return refuse('username_taken')
}

async function reclaim(
  services: UpstreamServices,
  proven: ProvenIdentity,
  { accountId, email }: Extract<IdentityDecision, { kind: 'reclaim' }>,
  caller: Caller,
): Promise<Resolved | 'again'> {
  const { store } = services.sessions
  const context = auditContextOf(services.sessions, accountId, caller)
  const reclaimed = await store.identities.reclaim(
    accountId,
    email,
    identityOf(proven, accountId, context.at),
    { ...context, mails: await reclaimMails(services, accountId, email, caller, context.at) },
  )
  return reclaimed === 'reclaimed' ? resolvedNow(services, accountId) : 'again'
}

/** The mail goes to the proved address: its owner must know that somebody had an account with it. */
async function reclaimMails(
  { sessions: { store, notices } }: UpstreamServices,
  accountId: string,
  email: AccountEmail,
  caller: Caller,
  at: EpochMs,
): Promise<readonly NewMail[] | undefined> {
  const account = await store.accounts.get(accountId)
  return account && notices?.factorChanged({ ...account, email }, 'account_reclaimed', caller, at)
}

/** The position after the change that gave the account to the person. */
async function resolvedNow(
  { sessions: { store } }: UpstreamServices,
  accountId: string,
): Promise<Resolved> {
  const { position } = await store.revocations.head()
  return { ok: true, accountId, position }
}

/** The row of a proved identity. */
export function identityOf(
  { provider, profile }: Pick<ProvenIdentity, 'provider' | 'profile'>,
  accountId: string,
  linkedAt: EpochMs,
): Identity {
  const { issuer, subject, label } = profile
  return {
    issuer,
    subject,
    provider: provider.name,
    accountId,
    label,
    linkedAt,
    lastUsedAt: undefined,
  }
}

async function setRoles(
  { sessions }: UpstreamServices,
  { provider, profile }: ProvenIdentity,
  accountId: string,
  caller: Caller,
): Promise<void> {
  if (provider.roles === undefined) return
  const account = await sessions.store.accounts.get(accountId)
  if (account === undefined || account.disabledAt !== undefined) return
  const { at, address } = auditContextOf(sessions, accountId, caller)
  await applyRoles(sessions.store, account, provider, profile, { at, address })
}
