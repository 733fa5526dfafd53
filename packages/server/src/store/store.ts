import type { LogHead } from '@countersign/guard/revocations'

import type { EpochMs } from '../base/clock.ts'
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
import type { LossEvidence, RepairBy, RepairOutcome } from './repair.ts'
import type { RefreshAttempt, RefreshOutcome, RefreshRules, SessionState } from './refresh.ts'
import type { Bucket, TakeResult } from './throttle.ts'

/** Who asks for a change, when and from where: what the audit says about it. */
export interface AuditContext {
  readonly at: EpochMs
  /** See {@link AuditEntry.actor}. */
  readonly actor: string
  readonly address?: string | undefined
}

/** What a log-in says beside who it is. */
export interface SignInFrom {
  /** The tenant that it names. */
  readonly tenantName: string | undefined
  readonly address: string
}

/** What a sign-in needs to know, from one snapshot: the log position was read before the account. */
export interface SignInView {
  readonly position: number
  readonly account: Account | undefined
  /** In the tenant that the log-in names, else in the account's default one; of a live tenant only. */
  readonly membership: Membership | undefined
  /** Whether one of the account's newest sessions came from the same address. */
  readonly isKnownAddress: boolean
}

/** What a listing of sessions shows: the row and whose it is. Never the seed. */
export type SessionSummary = Omit<Session, 'seed'> & {
  readonly username: string
  readonly live: boolean
}

/** Whether a change found its row as it had to be. */
export type Change = 'changed' | 'unchanged' | 'unknown'

export interface AccountStore {
  create(account: Account, usernameKey: string, origin: AuditContext): Promise<'created' | 'taken'>
  viewForSignIn(usernameKey: string, from: SignInFrom): Promise<SignInView>
  /** The same by the account's id. */
  viewById(accountId: string, from: SignInFrom): Promise<SignInView>
  find(usernameKey: string): Promise<Account | undefined>
  get(accountId: string): Promise<Account | undefined>
  list(): Promise<readonly Account[]>
  /** Up to `limit` accounts whose key sorts after `afterKey`, by key. */
  page(
    afterKey: string,
    limit: number,
  ): Promise<readonly { readonly account: Account; readonly usernameKey: string }[]>
  count(): Promise<number>
  /** Up to `limit` password hashes of accounts that follow each other from `fromId` on. */
  sampleHashes(fromId: string, limit: number): Promise<readonly string[]>
  /** Disables the account and takes back all its sessions and tokens, in one step. */
  disable(accountId: string, origin: AuditContext): Promise<Change>
  /** Lets the account log in again. What was taken back stays taken back. */
  enable(accountId: string, origin: AuditContext): Promise<Change>
  /**
   * Deletes the account with its sessions and memberships, and takes back all its tokens, in one step. The log
   * and the audit keep its id.
   */
  delete(accountId: string, origin: AuditContext): Promise<Change>
  /** Sets the password's hash and takes back all sessions and tokens of the account, in one step. */
  setPasswordHash(accountId: string, hash: string, origin: AuditContext): Promise<Change>
  /**
   * Sets the hash of a new password where `from` is still the one of the old, and takes back all
   * sessions but the one that changes it, which moves to the new position: one step.
   */
  changePassword(
    accountId: string,
    hashes: { readonly from: string; readonly to: string },
    keepSessionId: string,
    origin: AuditContext,
    giveBack?: readonly Bucket[],
  ): Promise<Change>
  /** Ends all sessions, or all but one, and takes back all tokens. */
  endSessions(
    accountId: string,
    keepSessionId: string | undefined,
    origin: AuditContext,
  ): Promise<Change>
  /** Replaces a hash of the same password, if nobody changed it meanwhile. */
  upgradePasswordHash(accountId: string, from: string, to: string): Promise<void>
  addRole(accountId: string, role: string, origin: AuditContext): Promise<Change>
  removeRole(accountId: string, role: string, origin: AuditContext): Promise<Change>
}

/**
 * Rows that stand for the accounts of an application's own table, so that its sessions belong to somebody.
 * A shadow has the application's id, no password, and a key that no username has.
 */
export interface ShadowStore {
  /** What we know of the account ourselves: as far as it is not known, it has never been here. */
  viewForSignIn(
    accountId: string,
    address: string,
  ): Promise<{ readonly isKnownAddress: boolean; readonly hardPosition: number }>
  /** Says that tokens of the account are out of date. */
  noteChange(accountId: string, origin: AuditContext): Promise<void>
  /** Takes back all sessions and tokens of the account, in one step; also where it has no row yet. */
  endSessions(accountId: string, origin: AuditContext): Promise<void>
}

export interface SessionStore {
  /**
   * Writes the session and its audit line, unless the account or its tenant was disabled, lost its
   * sessions after `session.signedInPosition` was read, or is no member any more: then nothing is
   * written. Tries that were counted in `giveBack` are taken out again in the same step.
   * `shadow` is the application's account that the session is of, as it is now: its row is kept with it.
   * `detail` goes into the audit line.
   */
  create(
    session: Session,
    origin: AuditContext & { readonly detail?: string | undefined },
    giveBack?: readonly Bucket[],
    shadow?: Account,
  ): Promise<'created' | 'refused'>
  /** Decides each attempt in order and commits them together: one durable write for all. */
  refreshBatch(
    attempts: readonly RefreshAttempt[],
    rules: RefreshRules,
  ): Promise<readonly RefreshOutcome[]>
  /** Ends the session, if it lives. */
  end(sessionId: string, ending: SessionEnding, origin: AuditContext): Promise<Change>
  /** Session and account from one snapshot, the log position read first. */
  state(sessionId: string): Promise<SessionState | undefined>
  /** Newest first; of one account or of all. */
  list(filter: {
    accountId?: string | undefined
    now: EpochMs
    limit: number
    /** Only those that live. */
    live?: boolean
    /** Only those that follow this one in the list. */
    before?: { readonly createdAt: EpochMs; readonly id: string } | undefined
  }): Promise<readonly SessionSummary[]>
  /** Removes up to `limit` sessions whose absolute end lies before `before`. Gives how many. */
  purge(before: EpochMs, limit: number): Promise<number>
}

/** Why a session ends: the audit's event and detail. */
export interface SessionEnding {
  readonly event: 'logout' | 'session_ended' | 'refresh_reused' | 'refresh_ahead'
}

export interface TenantStore {
  create(tenant: Tenant, origin: AuditContext): Promise<'created' | 'taken'>
  find(name: string): Promise<Tenant | undefined>
  list(): Promise<readonly Tenant[]>
  /** Disables the tenant and takes back all sessions that are in it, in one step. */
  disable(tenantId: string, origin: AuditContext): Promise<Change>
  enable(tenantId: string, origin: AuditContext): Promise<Change>
  /** Makes the account a member with exactly these roles. The first membership becomes its default. */
  setMember(
    accountId: string,
    tenantId: string,
    roles: readonly string[],
    origin: AuditContext,
  ): Promise<Change>
  removeMember(accountId: string, tenantId: string, origin: AuditContext): Promise<Change>
  /** Sets the tenant of log-ins that name none; `unknown` where the account is no member of it. */
  setDefault(accountId: string, tenantId: string, origin: AuditContext): Promise<Change>
  /** In live tenants, by name. */
  membershipsOf(accountId: string): Promise<readonly Membership[]>
}

export interface RoleStore {
  list(): Promise<readonly RoleDefinition[]>
  /** Says what a role may do: exactly these permissions from now on. */
  define(role: RoleDefinition, origin: AuditContext): Promise<Change>
}

export interface ThrottleStore {
  /** Counts one try in every bucket, or in none where one of them is full. Loses no count. */
  take(buckets: readonly Bucket[], now: EpochMs): Promise<TakeResult>
  /** Removes up to `limit` buckets that were empty before `before`. Gives how many. */
  purge(before: EpochMs, limit: number): Promise<number>
}

/** A service account as it is listed: its secrets without their hashes, the oldest first. */
export type ClientSummary = Omit<Client, 'hardPosition'> & {
  readonly tenantName: string | undefined
  readonly secrets: readonly Omit<ClientSecret, 'hash'>[]
}

/** What a token for a client needs to know, from one snapshot: the position was read first. */
export interface ClientView {
  readonly position: number
  readonly client: Client | undefined
  /** At most two, the oldest first; none without the client. */
  readonly secrets: readonly ClientSecret[]
  /** Of the tenant that the client is in. */
  readonly tenantDisabled: boolean
  readonly tenantHardPosition: number
}

/** Service accounts. */
export interface ClientStore {
  create(client: Client, secret: ClientSecret, origin: AuditContext): Promise<'created' | 'taken'>
  view(clientId: string): Promise<ClientView>
  /** By name. */
  list(): Promise<readonly ClientSummary[]>
  find(name: string): Promise<Client | undefined>
  /** Disables the client and takes back all its tokens, in one step. */
  disable(clientId: string, origin: AuditContext): Promise<Change>
  /** Lets the client have tokens again. What was taken back stays taken back. */
  enable(clientId: string, origin: AuditContext): Promise<Change>
  /** Gives it exactly these roles. */
  setRoles(clientId: string, roles: readonly string[], origin: AuditContext): Promise<Change>
  /** Adds a secret, unless there are two. */
  addSecret(
    clientId: string,
    secret: ClientSecret,
    origin: AuditContext,
  ): Promise<'added' | 'full' | 'unknown'>
  /**
   * Removes a secret. Whoever had it may have a token out of it: all of the client are out of date,
   * and who holds the other secret gets the next one.
   */
  removeSecret(clientId: string, secretId: string, origin: AuditContext): Promise<Change>
  /** Notes that a secret was used: `refused` where secret or client were taken back since they were read. */
  noteUse(use: {
    readonly clientId: string
    readonly secretId: string
    readonly at: EpochMs
  }): Promise<'noted' | 'refused'>
}

export interface RevocationStore {
  /** From the primary database. */
  head(): Promise<LogHead>
  /** The chain value at a position: at 0 that before the first entry; undefined where there is none. */
  chainAt(position: number): Promise<Uint8Array | undefined>
  /** Entries after a position, in order, and the chain value at it: one snapshot. */
  tail(
    after: number,
    limit: number,
  ): Promise<{ readonly chain: Uint8Array | undefined; readonly entries: readonly Revocation[] }>
  /** Takes back one access token by its `jti`: one entry, however often it is said. */
  revokeToken(jti: string, accountId: string, origin: AuditContext): Promise<Change>
  /** The newest entry that was written before a time: what comes after it, a living token can need. */
  floorBefore(at: EpochMs): Promise<LogHead>
  /** Mends the log where evidence shows that it has lost entries: one step, with all their effects. */
  repair(evidence: LossEvidence, by: RepairBy): Promise<RepairOutcome>
  /** The issuer whose tokens were all taken back last; undefined where that never happened. */
  startedOverFor(): Promise<string | undefined>
  /**
   * Moves the head by jumps above a position, ends every session and kills all keys that sign access tokens: one step.
   * Only a `restored` log moves by more than some jumps: there an operator says how far it was. Its `killed` are more
   * keys that are dead and that this store may take for alive.
   */
  startOver(
    position: number,
    by: RepairBy,
    restored?: { readonly killed: readonly string[] },
  ): Promise<RepairOutcome>
  /** Says once more, in the name of this issuer, that everybody signs in again. */
  startOverAs(by: RepairBy): Promise<RepairOutcome>
}

export interface AuditStore {
  append(entry: AuditEntry): Promise<void>
  /** Newest first. */
  list(filter: {
    accountId?: string | undefined
    limit: number
    /** Only lines with a smaller id. */
    before?: number | undefined
  }): Promise<readonly (AuditEntry & { readonly id: number })[]>
}

export interface KeyStore {
  list(): Promise<readonly StoredKey[]>
  /** How the server that runs here changes keys; undefined before one has said so. */
  schedule(): Promise<KeySchedule | undefined>
  /** Says so: commands beside the server follow it, whatever the settings of their shell. */
  setSchedule(schedule: KeySchedule): Promise<void>
  /**
   * Changes the ring if it is still as it was read (`from`), and says so in the log: two servers, or a
   * command beside one, agree. A killed key is an entry of its own.
   */
  change(
    from: readonly StoredKey[],
    change: RingChange,
    origin: AuditContext,
  ): Promise<'changed' | 'outdated'>
  /** Writes the same key as another secret seals it. */
  reseal(kid: string, sealed: Uint8Array, origin: AuditContext): Promise<void>
}

/**
 * The truth. Each method is one atomic step: it happened wholly and durably when its promise is
 * fulfilled, or not at all. Each rejects with a `StoreFault` where the store cannot be reached or written.
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
  /**
   * Calls after each commit: of this process at once, of another one within 50 ms. It may call without
   * need, and must not be slow. Gives what ends it.
   */
  watch(changed: () => void): () => void
  /** Resolves when the store answers and can be written. */
  check(): Promise<void>
  close(): Promise<void>
}
