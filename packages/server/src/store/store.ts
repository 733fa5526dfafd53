import type { LogHead } from '@countersign/guard/revocations'

import type { EpochMs } from '../base/clock.ts'
import type { RefreshAttempt, RefreshOutcome, RefreshRules, SessionState } from './refresh.ts'
import type { LossEvidence, RepairBy, RepairOutcome } from './repair.ts'
import type {
  Account,
  AuditEntry,
  Client,
  ClientSecret,
  KeySchedule,
  Membership,
  Revocation,
  RingChange,
  RoleDefinition,
  Session,
  StoredKey,
  Tenant,
} from './rows.ts'
import type { ThrottleBucket, TakeResult } from './throttle.ts'

/** The author, time and place of a change, for its audit line. */
export interface AuditContext {
  readonly at: EpochMs
  /** See {@link AuditEntry.actor}. */
  readonly actor: string
  readonly address?: string | undefined
}

/** The fields of a log-in besides the username. */
export interface SignInFrom {
  /** The tenant that the log-in names. */
  readonly tenantName: string | undefined
  readonly address: string
}

/** The account of a sign-in, from one snapshot. The log position was read before the account. */
export interface SignInView {
  readonly position: number
  readonly account: Account | undefined
  /** In the tenant that the log-in names, else in the account's default tenant. Undefined in a disabled tenant. */
  readonly membership: Membership | undefined
  /** Whether one of the account's newest sessions came from the same address. */
  readonly isKnownAddress: boolean
}

/** A session in a listing: the row without its seed, and the account's username. */
export type SessionSummary = Omit<Session, 'seed'> & {
  readonly username: string
  /** Whether it stands and has not expired, by the store's clock. */
  readonly live: boolean
}

/**
 * The result of a change: `changed`; `unchanged` where the row was already as wanted, or not as the caller expected; or
 * `unknown` where there is no such row. Only `changed` writes an audit line and a log entry.
 */
export type Change = 'changed' | 'unchanged' | 'unknown'

/** Accounts of our own table. */
export interface AccountStore {
  /** Writes a new account. `taken` if another account has the key. Of several at once, one is `created`. */
  create(account: Account, usernameKey: string, context: AuditContext): Promise<'created' | 'taken'>
  /** Reads what a sign-in needs, from one snapshot. */
  viewForSignIn(usernameKey: string, from: SignInFrom): Promise<SignInView>
  /** The same by the account's id. */
  viewById(accountId: string, from: SignInFrom): Promise<SignInView>
  find(usernameKey: string): Promise<Account | undefined>
  /** Finds an account by its id. Without shadows. */
  get(accountId: string): Promise<Account | undefined>
  /** All accounts, in the order of their username keys. Without shadows. */
  list(): Promise<readonly Account[]>
  /** Up to `limit` accounts whose key sorts after `afterKey`, by key. Without shadows. */
  page(
    afterKey: string,
    limit: number,
  ): Promise<readonly { readonly account: Account; readonly usernameKey: string }[]>
  /** How many accounts there are. Without shadows. */
  count(): Promise<number>
  /** Up to `limit` password hashes, of the accounts from `fromId` on in the order of ids. */
  sampleHashes(fromId: string, limit: number): Promise<readonly string[]>
  /** Disables the account and revokes all its sessions and tokens. `unchanged` if it was disabled. */
  disable(accountId: string, context: AuditContext): Promise<Change>
  /** Lets the account log in again. Sessions and tokens stay revoked. `unchanged` if it was enabled. */
  enable(accountId: string, context: AuditContext): Promise<Change>
  /** Deletes the account with its sessions and memberships, and revokes all its tokens. Log and audit keep its id. */
  delete(accountId: string, context: AuditContext): Promise<Change>
  /** Sets the password's hash and revokes all sessions and tokens of the account. */
  setPasswordHash(accountId: string, hash: string, context: AuditContext): Promise<Change>
  /**
   * Changes the password of an account by one of its own sessions. It sets the hash and revokes all other sessions and
   * all tokens; the session survives. `unchanged` if the hash is no longer `from`, the account is disabled, or the session
   * no longer stands. So of two changes at once, one is `changed`.
   */
  changePassword(
    accountId: string,
    hashes: { readonly from: string; readonly to: string },
    keepSessionId: string,
    context: AuditContext,
  ): Promise<Change>
  /** Revokes all tokens and all sessions of the account, or all sessions but one that stands. */
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
 * Rows that stand for the accounts of an application's own table, so that a session has an account to belong to. A shadow
 * has the application's id and no password, and no username finds it. {@link SessionStore.create} writes it.
 */
export interface ShadowStore {
  /** Reads our own rows of the account. An account without a row has hard position 0 and no known address. */
  viewForSignIn(
    accountId: string,
    address: string,
  ): Promise<{ readonly isKnownAddress: boolean; readonly hardPosition: number }>
  /** Makes the account's tokens stale. Writes an entry with each call, also where there is no row. */
  noteChange(accountId: string, context: AuditContext): Promise<void>
  /**
   * Revokes all sessions and tokens of the account. Creates a missing row, so that a first log-in that has read
   * an earlier position is refused.
   */
  endSessions(accountId: string, context: AuditContext): Promise<void>
}

/** How a session is opened. */
export interface CreateSessionOptions {
  /** The application's account that the session belongs to, as it is now: its row is written with the session. */
  readonly shadow?: Account | undefined
  /**
   * How many live sessions the account may have, this one included: at least 1. The oldest ones beyond it end in the same
   * transaction, each with an audit line and a log entry; at most `limits.sessionsEndedMax` at once, the rest at the next
   * sign-ins. Undefined: any number.
   */
  readonly liveMax?: number | undefined
}

/** Sessions. */
export interface SessionStore {
  /**
   * Writes the session and its audit line. `refused`, with nothing written, if since `session.signedInPosition` was read
   * the account or its tenant was disabled, or lost its sessions, or if the account is no member of the tenant. The
   * same holds if everybody had to sign in again since. `context.detail` goes into the audit line.
   */
  create(
    session: Session,
    context: AuditContext & { readonly detail?: string | undefined },
    options?: CreateSessionOptions,
  ): Promise<'created' | 'refused'>
  /**
   * Decides an attempt by the rotation table and writes what it earns, in one step. Attempts that arrive together share a
   * transaction and one wait for the disk, and are decided in the order in which they arrived: a session that appears
   * twice sees its first rotation. Log-outs and {@link Store.consume} join the same transactions.
   *
   * The store's clock measures grace and expiry. A fault of one attempt undoes that attempt alone; if the commit fails,
   * all attempts of the batch reject. `refresh_queue_full` if `limits.refreshQueueMax` pieces of work wait already.
   * `token_invalid` if `rules.isGenuine` denies the token: then nothing of the attempt is written.
   */
  refresh(attempt: RefreshAttempt, rules: RefreshRules): Promise<RefreshOutcome>
  /** Ends the session and revokes its tokens. `unchanged` if it was ended. Of several at once, one is `changed`. */
  end(sessionId: string, ending: SessionEnding, context: AuditContext): Promise<Change>
  /** Reads session and account from one snapshot, the log position first. Also of a session that is over. */
  state(sessionId: string): Promise<SessionState | undefined>
  /** Lists the sessions of one account or of all, the newest first. */
  list(filter: {
    readonly accountId?: string | undefined
    readonly limit: number
    /** Only live ones. */
    readonly live?: boolean
    /** Only sessions that follow this one in the list. */
    readonly before?: { readonly createdAt: EpochMs; readonly id: string } | undefined
  }): Promise<readonly SessionSummary[]>
  /** Removes up to `limit` sessions whose absolute end passed more than `keptMs` ago. Gives how many. */
  purge(keptMs: number, limit: number): Promise<number>
}

/** Why a session ends: the event and the detail of its audit line. */
export interface SessionEnding {
  readonly event: 'logout' | 'session_ended' | 'refresh_reused' | 'refresh_ahead'
  /** `session_limit`: the account had more sessions than it may have. */
  readonly detail?: 'session_limit'
}

/** Tenants and memberships. */
export interface TenantStore {
  /** Writes a new tenant. `taken` if another tenant has the name. Of several at once, one is `created`. */
  create(tenant: Tenant, context: AuditContext): Promise<'created' | 'taken'>
  find(name: string): Promise<Tenant | undefined>
  /** All tenants, by name. */
  list(): Promise<readonly Tenant[]>
  /** Disables the tenant and revokes all sessions and tokens in it. `unchanged` if it is disabled or unknown. */
  disable(tenantId: string, context: AuditContext): Promise<Change>
  /** Enables the tenant. Sessions and tokens stay revoked. `unchanged` if it is enabled or unknown. */
  enable(tenantId: string, context: AuditContext): Promise<Change>
  /**
   * Makes the account a member with exactly these roles. Changed roles make the account's tokens stale. The first
   * membership becomes the account's default tenant. `unchanged` if the membership has these roles.
   */
  setMember(
    accountId: string,
    tenantId: string,
    roles: readonly string[],
    context: AuditContext,
  ): Promise<Change>
  /** Removes the membership and makes the account's tokens stale. `unchanged` if it is no member. */
  removeMember(accountId: string, tenantId: string, context: AuditContext): Promise<Change>
  /** Sets the tenant of log-ins that name none. `unknown` if the account is no member of it. */
  setDefault(accountId: string, tenantId: string, context: AuditContext): Promise<Change>
  /** The account's memberships in enabled tenants, by the tenant's name. */
  membershipsOf(accountId: string): Promise<readonly Membership[]>
}

/** Permissions of roles. */
export interface RoleStore {
  /** All definitions, by name. */
  list(): Promise<readonly RoleDefinition[]>
  /** Gives a role exactly these permissions, and tells guards. `unchanged` if it has them. Never `unknown`. */
  define(role: RoleDefinition, context: AuditContext): Promise<Change>
}

/** Counted tries, by the store's clock. */
export interface ThrottleStore {
  /** Counts one try in every bucket, or in none if one of them is full. Tries at once are counted one by one. */
  take(buckets: readonly ThrottleBucket[]): Promise<TakeResult>
  /**
   * Removes one try from each bucket: a try that was counted has turned out to be right. This is a step of its own, after
   * the session exists, because a transaction that locks sessions must not lock buckets as well. If the process dies in
   * between, some tries stay counted until their bucket empties, and nothing else is lost. Does nothing without a bucket.
   */
  giveBack(buckets: readonly ThrottleBucket[]): Promise<void>
  /** Removes up to `limit` buckets that are empty. Gives how many. */
  purge(limit: number): Promise<number>
}

/** A service account in a listing: its secrets without their hashes, the oldest first. */
export type ClientSummary = Omit<Client, 'hardPosition'> & {
  readonly tenantName: string | undefined
  readonly secrets: readonly Omit<ClientSecret, 'hash'>[]
}

/** A client as a token request needs it, from one snapshot. The position was read first. */
export interface ClientView {
  readonly position: number
  readonly client: Client | undefined
  /** The name of the tenant that the client is in. */
  readonly tenantName: string | undefined
  /** At most two, the oldest first. Empty without the client. */
  readonly secrets: readonly ClientSecret[]
  /** Whether the tenant that the client is in is disabled or gone. */
  readonly tenantDisabled: boolean
  readonly tenantHardPosition: number
}

/** Service accounts. */
export interface ClientStore {
  /** Writes a new client with its first secret. `taken` if another client has the name. */
  create(client: Client, secret: ClientSecret, context: AuditContext): Promise<'created' | 'taken'>
  /** Reads what a token request needs, from one snapshot. */
  view(clientId: string): Promise<ClientView>
  /** All clients, by name. */
  list(): Promise<readonly ClientSummary[]>
  find(name: string): Promise<Client | undefined>
  /** Disables the client and revokes all its tokens. `unchanged` if it was disabled. */
  disable(clientId: string, context: AuditContext): Promise<Change>
  /** Lets the client get tokens again. Its tokens stay revoked. `unchanged` if it was enabled. */
  enable(clientId: string, context: AuditContext): Promise<Change>
  /** Gives the client exactly these roles, and makes its tokens stale. `unchanged` if it has them. */
  setRoles(clientId: string, roles: readonly string[], context: AuditContext): Promise<Change>
  /** Adds a secret. `full` if there are two. Of several at once, no third is added. */
  addSecret(
    clientId: string,
    secret: ClientSecret,
    context: AuditContext,
  ): Promise<'added' | 'full' | 'unknown'>
  /**
   * Removes a secret and makes all tokens of the client stale, because its owner may hold one. The holder of the other
   * secret gets a new token. `unknown` if the client has no such secret.
   */
  removeSecret(clientId: string, secretId: string, context: AuditContext): Promise<Change>
  /** Notes when a secret was used. `refused` if the secret was removed or the client disabled since they were read. */
  noteUse(use: {
    readonly clientId: string
    readonly secretId: string
    readonly at: EpochMs
  }): Promise<'noted' | 'refused'>
}

/** The revocation log. */
export interface RevocationStore {
  /** The newest entry's position and chain value, from the primary database. */
  head(): Promise<LogHead>
  /**
   * The chain value at a position that the log keeps. Also at the position where the kept part begins: 0, or that of the
   * newest pruned entry. Undefined for every other position.
   */
  chainAt(position: number): Promise<Uint8Array | undefined>
  /** The entries after a position, in order, and the chain value at it, from one snapshot. A negative limit means all. */
  tail(
    after: number,
    limit: number,
  ): Promise<{ readonly chain: Uint8Array | undefined; readonly entries: readonly Revocation[] }>
  /** Revokes one access token by its `jti`. `unchanged` if the log has that entry. Of several at once, one writes it. */
  revokeToken(jti: string, accountId: string, context: AuditContext): Promise<Change>
  /**
   * The head after the newest entry that was written before a time. Without such an entry: where the kept part begins. A token
   * that lives needs only the entries after it.
   */
  floorBefore(at: EpochMs): Promise<LogHead>
  /** Repairs the log where evidence shows that it has lost entries, with all their effects: see `decideRepair`. */
  repair(evidence: LossEvidence, by: RepairBy): Promise<RepairOutcome>
  /** The issuer in whose name everybody last had to sign in again. Undefined if never, or if that was pruned. */
  startedOverFor(): Promise<string | undefined>
  /**
   * Moves the head by jumps above the position `lost`, ends every session and kills all keys that sign access tokens.
   *
   * It happens only while the head is `expected`; else the outcome is `head_moved` and nothing was done. So of two nodes
   * that notice the same loss, one starts over. The caller reads the head again and decides anew: an ordinary revocation
   * moves the head as well.
   *
   * More than `JUMPS_MAX` jumps are `too_far`, except for a `restored` log, where an operator says how far it was. Its
   * `killed` are keys that were killed since the copy was made and that this copy takes for live ones.
   */
  startOver(
    lost: number,
    expected: LogHead,
    by: RepairBy,
    restored?: { readonly killed: readonly string[] },
  ): Promise<RepairOutcome>
  /**
   * Repeats in the name of this issuer that everybody signs in again, if the log last started over for another issuer.
   * `nothing` if it did not, or was repeated already. So of several nodes that start at once, one repeats it.
   */
  startOverAs(by: RepairBy): Promise<RepairOutcome>
  /**
   * Deletes up to `limit` of the oldest entries that were written more than `keptMs` ago, and gives how many. It stops at
   * the first younger entry, and never deletes the newest one. The kept part stays one chain.
   *
   * `keptMs` must exceed every life that an entry can still matter to:
   *
   * - an access token, with the tolerance of whoever checks it: a guard refuses it by the entry, or by the floor;
   * - a session: where the store has lost entries, evidence brings back the end of a session, so entries must be
   *   comparable for as long as a session can live. The positions of sign-ins need no entries: rows keep hard positions.
   *
   * A guard that held an older position gets a snapshot. Older evidence of a loss changes nothing: see `decideRepair`.
   */
  prune(keptMs: number, limit: number): Promise<number>
}

/** The audit. */
export interface AuditStore {
  /** Appends a line about something that changed nothing else, such as a refused log-in. */
  append(entry: AuditEntry): Promise<void>
  /** Lists lines of one account or of all, the newest first. */
  list(filter: {
    readonly accountId?: string | undefined
    readonly limit: number
    /** Only lines with a smaller id. */
    readonly before?: number | undefined
  }): Promise<readonly (AuditEntry & { readonly id: number })[]>
  /**
   * Deletes up to `limit` of the oldest lines that were written more than `keptMs` ago, and gives how many. It stops at the
   * first younger line.
   */
  prune(keptMs: number, limit: number): Promise<number>
}

/** The key ring. */
export interface KeyStore {
  /** All keys, the oldest first. */
  list(): Promise<readonly StoredKey[]>
  /** How the server that runs here changes keys. Undefined before its first start. */
  schedule(): Promise<KeySchedule | undefined>
  /** Stores that schedule: commands beside the server follow it, whatever the settings of their shell. */
  setSchedule(schedule: KeySchedule): Promise<void>
  /**
   * Changes the ring and appends to the log, so that guards and other processes read it again. A killed key has an entry
   * of its own. `outdated`, with nothing written, if the ring is no longer as it was read (`from`): two servers, or a
   * server and a command, never overwrite each other's change.
   */
  change(
    from: readonly StoredKey[],
    change: RingChange,
    context: AuditContext,
  ): Promise<'changed' | 'outdated'>
  /** Replaces the sealed bytes of a key, which another secret seals now. */
  reseal(kid: string, sealed: Uint8Array, context: AuditContext): Promise<void>
}

/**
 * The truth. Each method is one atomic step: when its promise fulfils, the step has happened as a whole and is durable;
 * otherwise it has not happened. Each method rejects with a `StoreFault` if the store cannot be reached, read or written.
 *
 * Locks have one order: rows by their ids, then the counter of the revocation log, and no write after it.
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
  /** The time by the store's clock, which decides grace and expiry. */
  nowMs(): Promise<EpochMs>
  /**
   * Uses an id up: the one primitive for everything that works once (reset links, codes, TOTP steps, recovery codes,
   * WebAuthn challenges, authorization codes, DPoP proofs). Gives true to the first call with this `kind` and `id`, and
   * false to every other, in any process and after any restart. Calls at once have one winner.
   *
   * `kind` is a constant of the caller; the same id of another kind is another id. `id` may be a secret: the store keeps
   * its SHA-256. `expiresAt` is when the thing itself expires, in milliseconds, and must be the same at every call. The
   * caller checks that expiry itself, with the thing in its hand. The row goes some time after it, so a call with an
   * `expiresAt` that has passed by the store's clock gives false as well: an expired id can never be used again.
   */
  consume(kind: string, id: string, expiresAt: EpochMs): Promise<boolean>
  /** Removes up to `limit` consumed ids that have expired. Gives how many. */
  purgeConsumed(limit: number): Promise<number>
  /**
   * Calls `changed` after each commit: at once after a commit of this process, within 50 ms after a commit of another
   * process. It may also call without a commit. `changed` must be fast. Gives the function that ends it.
   */
  watch(changed: () => void): () => void
  /** Resolves if the store answers and can be written. */
  check(): Promise<void>
  /** Closes the store and releases its lock. Calls that wait reject with a `StoreFault`. */
  close(): Promise<void>
}
