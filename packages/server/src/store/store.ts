import type { EpochMs } from '../base/clock.ts'
import type { Account, AuditEntry, Revocation, Session, StoredKey } from './rows.ts'
import type { RefreshAttempt, RefreshOutcome, RefreshRules, SessionState } from './refresh.ts'

/** Who asks for a change, when and from where: what the audit says about it. */
export interface Origin {
  readonly at: EpochMs
  /** See {@link AuditEntry.actor}. */
  readonly actor: string
  readonly address?: string | undefined
}

/** What a sign-in needs to know, from one snapshot: the log position was read before the account. */
export interface SignInView {
  readonly position: number
  readonly account: Account | undefined
}

/** What a listing of sessions shows: the row and whose it is. Never the seed. */
export type SessionSummary = Omit<Session, 'seed'> & {
  readonly username: string
  readonly live: boolean
}

/** Whether a change found its row as it had to be. */
export type Change = 'changed' | 'unchanged' | 'unknown'

export interface AccountStore {
  create(account: Account, usernameKey: string, origin: Origin): Promise<'created' | 'taken'>
  viewForSignIn(usernameKey: string): Promise<SignInView>
  find(usernameKey: string): Promise<Account | undefined>
  list(): Promise<readonly Account[]>
  count(): Promise<number>
  /** Up to `limit` password hashes of accounts that follow each other from `fromId` on. */
  sampleHashes(fromId: string, limit: number): Promise<readonly string[]>
  /** Disables the account and takes back all its sessions and tokens, in one step. */
  disable(accountId: string, origin: Origin): Promise<Change>
  /** Lets the account log in again. What was taken back stays taken back. */
  enable(accountId: string, origin: Origin): Promise<Change>
  /** Sets the password's hash and takes back all sessions and tokens of the account, in one step. */
  setPasswordHash(accountId: string, hash: string, origin: Origin): Promise<Change>
  /** Replaces a hash of the same password, if nobody changed it meanwhile. */
  upgradePasswordHash(accountId: string, from: string, to: string): Promise<void>
  addRole(accountId: string, role: string, origin: Origin): Promise<Change>
  removeRole(accountId: string, role: string, origin: Origin): Promise<Change>
}

export interface SessionStore {
  /**
   * Writes the session and its audit line, unless the account was disabled or lost its sessions
   * after `session.signedInPosition` was read: then nothing is written.
   */
  create(session: Session, origin: Origin): Promise<'created' | 'refused'>
  /** Decides each attempt in order and commits them together: one durable write for all. */
  refreshBatch(
    attempts: readonly RefreshAttempt[],
    rules: RefreshRules,
  ): Promise<readonly RefreshOutcome[]>
  /** Ends the session, if it lives. */
  end(sessionId: string, ending: SessionEnding, origin: Origin): Promise<Change>
  /** Session and account from one snapshot, the log position read first. */
  state(sessionId: string): Promise<SessionState | undefined>
  /** Newest first; of one account or of all. */
  list(filter: {
    accountId?: string | undefined
    now: EpochMs
    limit: number
  }): Promise<readonly SessionSummary[]>
  /** Removes up to `limit` sessions whose absolute end lies before `before`. Gives how many. */
  purge(before: EpochMs, limit: number): Promise<number>
}

/** Why a session ends: the audit's event and detail. */
export interface SessionEnding {
  readonly event: 'logout' | 'session_ended' | 'refresh_reused' | 'refresh_ahead'
}

export interface RevocationStore {
  head(): Promise<{ readonly position: number; readonly chain: Uint8Array }>
  /** Entries with a position above `after`, in order. */
  list(after: number, limit: number): Promise<readonly Revocation[]>
}

export interface AuditStore {
  append(entry: AuditEntry): Promise<void>
  /** Newest first. */
  list(filter: {
    accountId?: string | undefined
    limit: number
  }): Promise<readonly (AuditEntry & { readonly id: number })[]>
}

export interface KeyStore {
  list(): Promise<readonly StoredKey[]>
  /** Adds the keys unless the store has some already: two servers that start at once agree. */
  createFirst(keys: readonly StoredKey[], origin: Origin): Promise<'created' | 'present'>
}

/**
 * The truth. Each method is one atomic step: it happened wholly and durably when its promise is
 * fulfilled, or not at all. Each rejects with a `StoreFault` where the store cannot be reached or written.
 */
export interface Store {
  readonly accounts: AccountStore
  readonly sessions: SessionStore
  readonly revocations: RevocationStore
  readonly audit: AuditStore
  readonly keys: KeyStore
  /** Resolves when the store answers and can be written. */
  check(): Promise<void>
  close(): Promise<void>
}
