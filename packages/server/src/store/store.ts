import type { LogHead } from '@countersign/guard/revocations/entry'

import type { Clock, EpochMs } from '../base/clock.ts'
import type { AuditContext } from './audit-context.ts'
import type { Change } from './change.ts'
import type { RefreshAttempt, RefreshOutcome, RefreshRules, SessionState } from './refresh.ts'
import type { FactorStore, FactorView, SignInUse } from './factors.ts'
import type { IdentityStore } from './identities.ts'
import type { InvitationStore } from './invitations.ts'
import type { MailCodeStore } from './mail-codes.ts'
import type { NodeStore } from './nodes.ts'
import type { SsoStore } from './sso.ts'
import type { LossEvidence, RepairBy, RepairOutcome } from './repair.ts'
import type {
  Account,
  AccountEmail,
  AuditEntry,
  Client,
  ClientSecret,
  KeySchedule,
  MailState,
  MailSummary,
  Member,
  Membership,
  NewMail,
  Revocation,
  RingChange,
  RoleDefinition,
  Session,
  StoredKey,
  Tenant,
} from './rows.ts'
import type { TenantActor, TenantRefusal } from './tenant-rights.ts'
import type { ThrottleBucket, TakeResult } from './throttle.ts'

/** The fields of a login besides the username. */
export interface SignInFrom {
  /** The tenant that the login names. */
  readonly tenantName: string | undefined
  readonly address: string
}

/** The account of a sign-in, from one snapshot. The log position was read before the account. */
export interface SignInView {
  readonly position: number
  readonly account: Account | undefined
  /**
   * The membership in the tenant that the login names, otherwise in the default tenant. Undefined if the
   * tenant is disabled.
   */
  readonly membership: Membership | undefined
  /** Whether one of the account's newest sessions came from the same address. */
  readonly isKnownAddress: boolean
  /** Whether the account has ever logged in, as far as its sessions are kept. */
  readonly hasSessions: boolean
  readonly factors: FactorView
}

/** A session in a listing: the row without its seed, and the account's username. */
export type SessionSummary = Omit<Session, 'seed'> & {
  readonly username: string
  /** Whether it stands and has not expired, by the store's clock. */
  readonly live: boolean
}

/** Accounts of our own table. */
export interface AccountStore {
  /**
   * Writes a new account. `taken` if another account has the username, or has it as its verified address;
   * `email_taken` if another account has the address. Of several calls at once, one is `created`.
   */
  create(
    account: Account,
    usernameKey: string,
    context: AuditContext,
  ): Promise<'created' | 'taken' | 'email_taken'>
  /** Reads the facts for a sign-in from one snapshot. A verified address
   * comes before a username: a stranger could choose somebody's address as a username. */
  viewForSignIn(usernameKey: string, from: SignInFrom): Promise<SignInView>
  /** Like `viewForSignIn`, by the account's id. */
  viewById(accountId: string, from: SignInFrom): Promise<SignInView>
  /** Finds the account that an operator names: by its username, otherwise by its verified address. */
  find(usernameKey: string): Promise<Account | undefined>
  /** Finds an account by its id. Does not find shadows. */
  get(accountId: string): Promise<Account | undefined>
  /** Lists all accounts in the order of their username keys, without shadows. */
  list(): Promise<readonly Account[]>
  /** Lists up to `limit` accounts whose key sorts after `afterKey`, by key, without shadows. */
  page(
    afterKey: string,
    limit: number,
  ): Promise<readonly { readonly account: Account; readonly usernameKey: string }[]>
  /** Counts the accounts, without shadows. */
  count(): Promise<number>
  /** Returns up to `limit` password hashes of accounts in the order of their ids, beginning at `fromId`. */
  sampleHashes(fromId: string, limit: number): Promise<readonly string[]>
  /** Disables the account and revokes all its sessions and tokens. `unchanged` if it was already disabled. */
  disable(accountId: string, context: AuditContext): Promise<Change>
  /** Lets the account log in again. Sessions and tokens stay revoked. `unchanged` if it was not disabled. */
  enable(accountId: string, context: AuditContext): Promise<Change>
  /**
   * Deletes the account with its sessions, memberships, identities and consents, and revokes all its tokens. Log, audit
   * and the logouts that applications must be told about keep its id.
   */
  delete(accountId: string, context: AuditContext): Promise<Change>
  /**
   * Deletes an account for one of its own sessions. `unchanged` if the hash of its password is no longer
   * `passwordHash`, the account is disabled, or the session no longer stands.
   */
  deleteOwn(
    accountId: string,
    proven: { readonly passwordHash: string; readonly sessionId: string },
    context: AuditContext,
  ): Promise<Change>
  /** Sets the password's hash and revokes all sessions and tokens of the account. */
  setPasswordHash(accountId: string, hash: string, context: AuditContext): Promise<Change>
  /**
   * Changes the password of an account for one of its own sessions. It sets the hash and revokes all tokens
   * and all other sessions. The given session survives. `unchanged` if the hash is no longer `from`, the
   * account is disabled, or the session no longer stands. So of two calls at once, one is `changed`.
   */
  changePassword(
    accountId: string,
    hashes: { readonly from: string; readonly to: string },
    keepSessionId: string,
    context: AuditContext,
  ): Promise<Change>
  /**
   * Sets or removes the account's e-mail address for an operator. Mailed codes of the account become void.
   * `taken` if another account has the address.
   */
  setEmail(
    accountId: string,
    email: AccountEmail | undefined,
    context: AuditContext,
  ): Promise<Change | 'taken'>
  /** Changes the username. `taken` if another account has it, or has it as its verified address. */
  rename(
    accountId: string,
    to: { readonly username: string; readonly usernameKey: string },
    context: AuditContext,
  ): Promise<Change | 'taken'>
  /** Revokes all tokens and all sessions of the account. One session survives if it is given and stands. */
  endSessions(
    accountId: string,
    keepSessionId: string | undefined,
    context: AuditContext,
  ): Promise<Change>
  /** Replaces a hash by another hash of the same password. Does nothing if the hash is no longer `from`. */
  upgradePasswordHash(accountId: string, from: string, to: string): Promise<void>
  /** Adds a global role and makes the account's tokens stale. `unchanged` if it has the role. */
  addRole(accountId: string, role: string, context: AuditContext): Promise<Change>
  /** Removes a global role and makes the account's tokens stale. `unchanged` if it lacks the role. */
  removeRole(accountId: string, role: string, context: AuditContext): Promise<Change>
}

/**
 * Shadows are rows for the accounts of an application's own table, so that every session belongs to a row. A
 * shadow has the application's id and no password, and cannot be found by username. {@link
 * SessionStore.create} writes it.
 */
export interface ShadowStore {
  /**
   * Reads the store's rows about the account. An account without a row has hard position 0 and no known
   * address.
   */
  viewForSignIn(
    accountId: string,
    address: string,
  ): Promise<{
    readonly isKnownAddress: boolean
    readonly hardPosition: number
    readonly factors: FactorView
  }>
  /** Makes the account's tokens stale. Writes an entry at each call, even if there is no row. */
  noteChange(accountId: string, context: AuditContext): Promise<void>
  /**
   * Revokes all sessions and tokens of the account. Creates a missing row, so that a first login that has
   * read an earlier position is refused.
   */
  endSessions(accountId: string, context: AuditContext): Promise<void>
}

/** How a session is opened. */
export interface CreateSessionOptions {
  /**
   * The current state of the application's account that the session belongs to. Its row is written with the
   * session.
   */
  readonly shadow?: Account | undefined
  /**
   * How many live sessions the account may have, this one included: at least 1. The oldest sessions beyond it
   * end in the same transaction, each with an audit line and a log entry. At most `limits.sessionsEndedMax`
   * end at once, and the rest at the next sign-ins. Undefined: any number.
   */
  readonly liveMax?: number | undefined
  /**
   * The `version` of the factors by which the sign-in was decided. Without it, the session opens whatever the account
   * has enrolled.
   */
  readonly factorsVersion?: number | undefined
  /** The ticket and the factor that this session uses up. */
  readonly uses?: SignInUse | undefined
}

/** Sessions. */
export interface SessionStore {
  /**
   * Writes the session and its audit line. `refused`, with nothing written, if the account or its tenant was
   * disabled, or its sessions were revoked, after `session.signedInPosition`. Also `refused` if the account
   * is not a member of the tenant, or if everybody had to log in again after that position. `context.detail`
   * goes into the audit line.
   *
   * With nothing written, also `outdated` if the password, the address or a factor of the account changed since
   * `factorsVersion`, and `used` if its ticket or factor was used meanwhile.
   */
  create(
    session: Session,
    context: AuditContext & { readonly detail?: string | undefined },
    options?: CreateSessionOptions,
  ): Promise<'created' | 'refused' | 'outdated' | 'used'>
  /**
   * Decides an attempt by the rotation table and writes the result, in one step. Attempts that arrive
   * together share a transaction and one wait for the disk. Attempts of one session are decided in the order of
   * their arrival, so the second attempt sees the first rotation.
   *
   * The store's clock measures grace and expiry. A fault of one attempt undoes only that attempt. If the
   * commit fails, all attempts of the batch reject. `refresh_queue_full` if `limits.refreshQueueMax` pieces
   * of work already wait. `token_invalid`, with nothing written, if the `jti` was not made from the row.
   */
  refresh(attempt: RefreshAttempt, rules: RefreshRules): Promise<RefreshOutcome>
  /**
   * Ends the session and revokes its tokens. `unchanged` if it has already ended. Of several calls at once,
   * one is `changed`.
   */
  end(sessionId: string, ending: SessionEnding, context: AuditContext): Promise<Change>
  /**
   * Reads session and account from one snapshot, with the log position first. It also reads sessions that are
   * over.
   */
  state(sessionId: string): Promise<SessionState | undefined>
  /** Lists the sessions of one account or of all, the newest first. */
  list(filter: {
    readonly accountId?: string | undefined
    readonly limit: number
    /** Only live sessions. */
    readonly live?: boolean
    /** Only sessions that follow this one in the list. */
    readonly before?: { readonly createdAt: EpochMs; readonly id: string } | undefined
  }): Promise<readonly SessionSummary[]>
  /**
   * Removes up to `limit` sessions whose absolute end is more than `keptMs` ago. Returns how many it removed.
   */
  purge(keptMs: number, limit: number): Promise<number>
}

/** Why a session ends: the event and the detail of its audit line. */
export interface SessionEnding {
  readonly event: 'logout' | 'session_ended' | 'refresh_reused' | 'refresh_ahead'
  /**
   * `session_limit`: the account had too many sessions. `second_factor`: the session had no second factor, and its
   * account has needed one since.
   */
  readonly detail?: 'session_limit' | 'second_factor'
}

/** Tenants and memberships. */
export interface TenantStore {
  /**
   * Writes a new tenant. `taken` if another tenant has the name. Of several calls at once, one is `created`.
   */
  create(tenant: Tenant, context: AuditContext): Promise<'created' | 'taken'>
  find(name: string): Promise<Tenant | undefined>
  /** Finds a tenant by its id. */
  get(tenantId: string): Promise<Tenant | undefined>
  /** Lists all tenants, by name. */
  list(): Promise<readonly Tenant[]>
  /**
   * Disables the tenant and revokes all sessions and tokens in it. `unchanged` if it is disabled or unknown.
   */
  disable(tenantId: string, context: AuditContext): Promise<Change>
  /** Enables the tenant. Sessions and tokens stay revoked. `unchanged` if it is enabled or unknown. */
  enable(tenantId: string, context: AuditContext): Promise<Change>
  /**
   * Makes the account a member with exactly these roles. Changed roles make the account's tokens stale. The
   * first membership becomes the account's default tenant. `unchanged` if the membership has these roles.
   */
  setMember(
    accountId: string,
    tenantId: string,
    roles: readonly string[],
    context: AuditContext,
  ): Promise<Change>
  /**
   * Changes a membership for a person who manages the tenant: sets exactly these roles, or ends the membership
   * without `roles`. The rights of the person and the number of administrators are read in the same step, so two
   * administrators cannot demote each other. Otherwise like `setMember` and `removeMember`. It never adds a
   * member, because nobody becomes a member without their consent.
   */
  changeMember(
    member: {
      readonly accountId: string
      readonly tenantId: string
      readonly roles: readonly string[] | undefined
    },
    actor: TenantActor,
    context: AuditContext,
  ): Promise<Change | TenantRefusal>
  /**
   * Removes the membership, withdraws the open invitations that the account sent for the tenant, and makes the
   * account's tokens stale. `unchanged` if the account is not a member.
   */
  removeMember(accountId: string, tenantId: string, context: AuditContext): Promise<Change>
  /** Sets the tenant of logins that name no tenant. `unknown` if the account is not a member of it. */
  setDefault(accountId: string, tenantId: string, context: AuditContext): Promise<Change>
  /** Lists the account's memberships in enabled tenants, by the tenant's name. */
  membershipsOf(accountId: string): Promise<readonly Membership[]>
  /** Lists up to `limit` members of the tenant, in the order of their usernames. */
  membersOf(tenantId: string, limit: number): Promise<readonly Member[]>
}

/** Permissions of roles. */
export interface RoleStore {
  /** Lists all definitions, by name. */
  list(): Promise<readonly RoleDefinition[]>
  /**
   * Sets the permissions of a role to exactly these, and appends an entry for guards. `unchanged` if the role
   * has them. Never `unknown`.
   */
  define(role: RoleDefinition, context: AuditContext): Promise<Change>
}

/** Counted attempts, by the store's clock. */
export interface ThrottleStore {
  /**
   * Counts one attempt in every bucket, or in none if one of them is full. Concurrent attempts are counted
   * one by one.
   */
  take(buckets: readonly ThrottleBucket[]): Promise<TakeResult>
  /**
   * Removes one attempt from each bucket, because the counted attempt had the correct password. This is a
   * separate step after the session exists, because a transaction that locks sessions must not also lock
   * buckets. If the process dies in between, some attempts stay counted until their bucket empties, and
   * nothing else is lost. Does nothing without a bucket.
   */
  giveBack(buckets: readonly ThrottleBucket[]): Promise<void>
  /** Removes up to `limit` empty buckets. Returns how many it removed. */
  purge(limit: number): Promise<number>
}

/** A service account in a listing: its secrets without their hashes, the oldest first. */
export type ClientSummary = Omit<Client, 'hardPosition'> & {
  readonly tenantName: string | undefined
  readonly secrets: readonly Omit<ClientSecret, 'hash'>[]
}

/** The facts about a client for a token request, from one snapshot. The position was read first. */
export interface ClientView {
  readonly position: number
  readonly client: Client | undefined
  /** The name of the tenant that the client is in. */
  readonly tenantName: string | undefined
  /** At most two, the oldest first. Empty if there is no client. */
  readonly secrets: readonly ClientSecret[]
  /** Whether the tenant that the client is in is disabled or gone. */
  readonly tenantDisabled: boolean
  readonly tenantHardPosition: number
}

/** Service accounts. */
export interface ClientStore {
  /** Writes a new client with its first secret. `taken` if another client has the name. */
  create(client: Client, secret: ClientSecret, context: AuditContext): Promise<'created' | 'taken'>
  /** Reads the facts for a token request from one snapshot. */
  view(clientId: string): Promise<ClientView>
  /** Lists all clients, by name. */
  list(): Promise<readonly ClientSummary[]>
  find(name: string): Promise<Client | undefined>
  /** Disables the client and revokes all its tokens. `unchanged` if it was already disabled. */
  disable(clientId: string, context: AuditContext): Promise<Change>
  /** Lets the client get tokens again. Revoked tokens stay revoked. `unchanged` if it was not disabled. */
  enable(clientId: string, context: AuditContext): Promise<Change>
  /**
   * Sets the roles of the client to exactly these, and makes its tokens stale. `unchanged` if it has them.
   */
  setRoles(clientId: string, roles: readonly string[], context: AuditContext): Promise<Change>
  /** Adds a secret. `full` if the client has two secrets, even if several calls run at once. */
  addSecret(
    clientId: string,
    secret: ClientSecret,
    context: AuditContext,
  ): Promise<'added' | 'full' | 'unknown'>
  /**
   * Removes a secret and makes all tokens of the client stale, because the holder of that secret may have
   * one. The holder of the other secret can get a new token. `unknown` if the client has no such secret.
   */
  removeSecret(clientId: string, secretId: string, context: AuditContext): Promise<Change>
  /**
   * Records when a secret was used. `refused` if the secret was removed, or the client disabled, since they
   * were read.
   */
  noteUse(use: {
    readonly clientId: string
    readonly secretId: string
    readonly at: EpochMs
  }): Promise<'noted' | 'refused'>
}

/** The revocation log. */
export interface RevocationStore {
  /** Returns the position and chain value of the newest entry, from the primary database. */
  head(): Promise<LogHead>
  /**
   * Returns the chain value at a position that the log keeps, or at the position where the kept part begins:
   * 0, or the newest pruned entry. Returns undefined for every other position.
   */
  chainAt(position: number): Promise<Uint8Array | undefined>
  /**
   * Returns the entries after a position, in order, and the chain value at the position, from one snapshot. A
   * negative limit means all.
   */
  tail(
    after: number,
    limit: number,
  ): Promise<{ readonly chain: Uint8Array | undefined; readonly entries: readonly Revocation[] }>
  /**
   * Revokes one access token by its `jti`. `unchanged` if the log has that entry. Of several calls at once,
   * one writes it.
   */
  revokeToken(jti: string, accountId: string, context: AuditContext): Promise<Change>
  /**
   * Returns the head after the newest entry that was written before a time. If there is no such entry,
   * returns the head where the kept part begins. A valid token needs only the entries after it.
   */
  floorBefore(at: EpochMs): Promise<LogHead>
  /**
   * Repairs the log if evidence shows that it has lost entries. Lost entries take effect again: see
   * `decideRepair`.
   */
  repair(evidence: LossEvidence, by: RepairBy): Promise<RepairOutcome>
  /** Returns the issuer of the newest start-over. Undefined if there was none, or if its entry was pruned. */
  startedOverFor(): Promise<string | undefined>
  /**
   * Starts the log over: moves the head by jumps above the position `lost`, ends every session and kills all
   * keys that sign access tokens.
   *
   * If the head is not `expected`, the outcome is `head_moved` and nothing was done. So of two nodes that
   * notice the same loss, one starts over. The caller then reads the head and decides again, because an
   * ordinary revocation also moves the head.
   *
   * More than `JUMPS_MAX` jumps are `too_far`, except for a `restored` log, for which an operator gives the
   * position. Its `killed` are the keys that were killed after the backup was made. Mails, mailed codes, invitations
   * and grants of applications of the backup become void.
   */
  startOver(
    lost: number,
    expected: LogHead,
    by: RepairBy,
    restored?: { readonly killed: readonly string[] },
  ): Promise<RepairOutcome>
  /**
   * Starts the log over for this issuer, if it last started over for another issuer. Otherwise the outcome is
   * `nothing`. So of several nodes that start at once, one repeats it.
   */
  startOverAs(by: RepairBy): Promise<RepairOutcome>
  /**
   * Deletes up to `limit` of the oldest entries that were written more than `keptMs` ago, and before `until`.
   * Returns how many it deleted. It stops at the first younger entry, and never deletes the newest entry. The kept part stays one
   * chain.
   *
   * `keptMs` must exceed the life of everything that can still need an entry:
   *
   * - an access token, with the clock tolerance of its verifier: a guard refuses the token by the entry, or
   *   by the floor;
   * - a session: if the store has lost entries, evidence restores the end of a session, so entries must be
   *   comparable while a session can live. The positions of sign-ins need no entries, because rows keep hard
   *   positions.
   *
   * A guard with an older position gets a snapshot. Older evidence of a loss changes nothing: see
   * `decideRepair`.
   */
  prune(keptMs: number, limit: number, until?: EpochMs): Promise<number>
  /** Returns when the oldest kept entry was written. Undefined if there is no entry. */
  oldestAt(): Promise<EpochMs | undefined>
}

/** The audit. */
export interface AuditStore {
  /** Appends a line about an event that changed nothing else, such as a refused login. */
  append(entry: AuditEntry): Promise<void>
  /** Lists lines of one account or of all, the newest first. */
  list(filter: {
    readonly accountId?: string | undefined
    readonly limit: number
    /** Only lines with a smaller id. */
    readonly before?: number | undefined
  }): Promise<readonly (AuditEntry & { readonly id: number })[]>
  /**
   * Deletes up to `limit` of the oldest lines that were written more than `keptMs` ago, and before `until`.
   * Returns how many it deleted. It stops at the first younger line.
   */
  prune(keptMs: number, limit: number, until?: EpochMs): Promise<number>
  /** Returns when the oldest line was written. Undefined if there is no line. */
  oldestAt(): Promise<EpochMs | undefined>
}

/** A mail that one worker may hand over until its lease ends. */
export interface ClaimedMail extends NewMail {
  /** The number of this attempt: 1 for the first. */
  readonly attempt: number
}

/** The end of an attempt that did not hand the mail over. `reason` contains no address and no value. */
export type MailFailure = {
  readonly attempt: number
  readonly reason: string
} & (
  | { readonly kind: 'retry'; readonly retryAt: EpochMs }
  /** The mail will never be sent. */
  | { readonly kind: 'final' }
)

/**
 * The outbox: mails that wait, and mails that were handed over or have failed. {@link AuditContext.mails} and
 * {@link add} write into it. An id that exists is not written again.
 */
export interface MailStore {
  /** Writes mails that belong to no change. */
  add(mails: readonly NewMail[]): Promise<void>
  /**
   * Leases up to `limit` mails that are due, the longest due first. Nobody else gets them until `now + leaseMs`.
   * If the worker does not report their end by then, for example because it crashed, they are due again.
   */
  claim(now: EpochMs, leaseMs: number, limit: number): Promise<readonly ClaimedMail[]>
  /**
   * Records that the mail was handed over, and erases its values. A decoy is deleted. `changed` also if another
   * worker has leased it meanwhile, because a mail that was handed over must not be sent again.
   */
  noteSent(id: string, now: EpochMs): Promise<Change>
  /**
   * Records that an attempt has failed. A final failure erases the values. `unchanged` if the mail no longer
   * waits, or another attempt has begun.
   */
  noteFailed(id: string, failure: MailFailure, now: EpochMs): Promise<Change>
  /** Returns when the next mail is due. Undefined if no mail waits. */
  nextDueAt(): Promise<EpochMs | undefined>
  /** Lists mails without decoys, the newest first. */
  list(filter: {
    readonly state?: MailState | undefined
    readonly limit: number
    /** Only mails with a smaller number. */
    readonly before?: number | undefined
  }): Promise<readonly MailSummary[]>
  /**
   * Deletes up to `limit` mails that were handed over or have failed more than `keptMs` ago. Returns how many
   * it deleted.
   */
  purge(keptMs: number, limit: number): Promise<number>
}

/** The key ring. */
export interface KeyStore {
  /** Lists all keys, the oldest first. */
  list(): Promise<readonly StoredKey[]>
  /** Returns the key schedule of the server on this store. Undefined before its first start. */
  schedule(): Promise<KeySchedule | undefined>
  /** Stores that schedule. Commands follow it instead of the settings of their shell. */
  setSchedule(schedule: KeySchedule): Promise<void>
  /**
   * Changes the ring and appends to the log, so that guards and other processes read it again. A killed key
   * gets its own entry. `outdated`, with nothing written, if the ring is no longer `from`, as the caller has
   * read it. So two servers, or a server and a command, never overwrite each other's changes.
   */
  change(
    from: readonly StoredKey[],
    change: RingChange,
    context: AuditContext,
  ): Promise<'changed' | 'outdated'>
  /** Replaces the sealed bytes of a key after another secret has sealed it. */
  reseal(kid: string, sealed: Uint8Array, context: AuditContext): Promise<void>
}

/**
 * The database behind the authority. Each method is one atomic step. When its promise fulfils, the whole step
 * is done and durable; otherwise nothing was done. Each method rejects with a `StoreFault` if the store
 * cannot be reached, read or written.
 *
 * Locks are taken in one order: rows by their ids, then the counter of the revocation log. No write follows
 * the counter.
 */
export interface Store {
  readonly accounts: AccountStore
  readonly shadows: ShadowStore
  readonly sessions: SessionStore
  readonly tenants: TenantStore
  readonly roles: RoleStore
  readonly throttles: ThrottleStore
  readonly revocations: RevocationStore
  readonly audit: AuditStore
  readonly keys: KeyStore
  readonly clients: ClientStore
  readonly factors: FactorStore
  readonly mailCodes: MailCodeStore
  readonly invitations: InvitationStore
  readonly mail: MailStore
  readonly nodes: NodeStore
  readonly sso: SsoStore
  readonly identities: IdentityStore
  /** The store's clock, which decides grace and expiry. All nodes on one PostgreSQL have the same time. */
  readonly clock: Clock
  /**
   * Uses up an id: the primitive for everything that works once (reset links, codes, TOTP steps, recovery
   * codes, WebAuthn challenges, authorization codes, DPoP proofs). Returns true for the first call with this
   * `kind` and `id`, and false for all others, in any process and after any restart. Of several calls at
   * once, one gets true.
   *
   * `kind` is a constant of the caller. Ids of different kinds are independent. `id` may be a secret, because
   * the store keeps only its SHA-256. `expiresAt` is when the link, code or proof itself expires, in
   * milliseconds since 1970, and must be the same at every call. The caller must check that expiry too. The
   * row is deleted some time after `expiresAt`. So a call whose `expiresAt` has passed by the store's clock
   * also returns false, and an expired id can never be used again, even if the clock is set back. Rejects with a
   * `TypeError` if `expiresAt` is no safe integer.
   */
  consume(kind: string, id: string, expiresAt: EpochMs): Promise<boolean>
  /** Removes up to `limit` consumed ids that have expired. Returns how many it removed. */
  purgeConsumed(limit: number): Promise<number>
  /**
   * Calls `changed` after each commit: after a commit of this process before the change resolves, and within
   * 50 ms after a commit of another process. `mayHaveEntries` is whether the commit may have appended to the
   * revocation log. It may also be called without a commit. `changed` must be fast. Returns the function that
   * stops the calls.
   */
  watch(changed: (mayHaveEntries: boolean) => void): () => void
  /** Resolves if the store can be read and written. */
  check(): Promise<void>
  /** Closes the store and releases its lock. Calls that wait reject with a `StoreFault`. */
  close(): Promise<void>
}
