import type { EpochMs } from '../base/clock.ts'
import type { AuditContext } from './audit-context.ts'
import type { Change } from './change.ts'
import type { RefreshRules, SessionState } from './refresh.ts'
import type { ClientSecret, GraceWindows } from './rows.ts'

/** An OAuth client in which people sign in (RFC 6749 §1.1). */
export interface Application {
  /** `app_` and 22 characters, or the id that the configuration chose: its `client_id`. Never reused. */
  readonly id: string
  /** Unique: 1 to 64 of `a-z 0-9 -`. */
  readonly name: string
  /** The name that people see on the consent page. */
  readonly title: string
  /** The registration, as JSON. Only `sso` knows the members. */
  readonly registration: string
  readonly disabledAt: EpochMs | undefined
  readonly createdAt: EpochMs
}

/** A secret of an application in a listing. */
export type ListedSecret = Omit<ClientSecret, 'hash'>

/** An application with its secrets, from one snapshot. The position of the log was read first. */
export interface ApplicationView {
  readonly application: Application
  readonly secrets: readonly ClientSecret[]
  readonly position: number
}

/** Applications: OAuth clients in which people sign in. */
export interface ApplicationStore {
  /** Writes a new application. `taken` if another one has the name or the id. */
  create(
    application: Application,
    secret: ClientSecret | undefined,
    context: AuditContext,
  ): Promise<'created' | 'taken'>
  view(applicationId: string): Promise<ApplicationView | undefined>
  find(name: string): Promise<Application | undefined>
  /** Lists all applications, by name. */
  list(): Promise<
    readonly { readonly application: Application; readonly secrets: readonly ListedSecret[] }[]
  >
  /** Replaces title and registration. `unchanged` if they are the same. */
  change(
    applicationId: string,
    to: Pick<Application, 'title' | 'registration'>,
    context: AuditContext,
  ): Promise<Change>
  /** Revokes all grants and all access tokens of the application, with one entry of kind `client`. */
  disable(applicationId: string, context: AuditContext): Promise<Change>
  enable(applicationId: string, context: AuditContext): Promise<Change>
  /** Deletes the application with everything that is stored about it, and revokes its access tokens. */
  delete(applicationId: string, context: AuditContext): Promise<Change>
  /** At most two secrets. `full` if it has two. */
  addSecret(
    applicationId: string,
    secret: ClientSecret,
    context: AuditContext,
  ): Promise<'added' | 'full' | 'unknown'>
  /**
   * Removes a secret and makes all access tokens of the application stale, as for service accounts. `unknown` if there
   * is no such secret.
   */
  removeSecret(applicationId: string, secretId: string, context: AuditContext): Promise<Change>
  /** Records when a secret was used, to the minute. */
  noteSecretUse(applicationId: string, secretId: string, at: EpochMs): Promise<void>
}

/**
 * A record of the OpenID Connect library: a browser session, an interaction, a code, a pushed request, a grant. Ids are
 * secrets, so the store gets only their SHA-256, and the payload must not contain them.
 */
export interface SsoRecord {
  readonly kind: string
  /** SHA-256 of the id: 32 bytes. */
  readonly idHash: Uint8Array
  /** The session that the record belongs to. Undefined before anybody signed in. */
  readonly sessionId: string | undefined
  /** The grant that the record belongs to. The record of a grant has its own id here, so that it is removed with it. */
  readonly grantId: string | undefined
  readonly applicationId: string | undefined
  /** SHA-256 of a second id by which the record is found: `uid`, or the code that people type. */
  readonly otherHash: Uint8Array | undefined
  /** JSON without secrets. */
  readonly payload: string
  readonly usedAt: EpochMs | undefined
  readonly expiresAt: EpochMs
}

/** Records of the OpenID Connect library. */
export interface SsoRecordStore {
  /** Writes the record, in place of an older one with the same kind and id. It stays used if it was used. */
  put(record: Omit<SsoRecord, 'usedAt'>): Promise<void>
  /** Finds a record that has not expired by the store's clock. */
  find(kind: string, idHash: Uint8Array): Promise<SsoRecord | undefined>
  findByOther(kind: string, otherHash: Uint8Array): Promise<SsoRecord | undefined>
  /** Uses the record up. Returns true for the first call, false for all others and for an unknown record. */
  use(kind: string, idHash: Uint8Array): Promise<boolean>
  remove(kind: string, idHash: Uint8Array): Promise<void>
}

/**
 * The refresh tokens of one grant. It has one row, which a rotation changes. A token is made from the seed and the
 * generation, so the row contains no token, and the tokens of all generations can be recognised.
 */
export interface SsoRefreshChain {
  /** 22 characters, not secret: a part of each refresh token. */
  readonly id: string
  readonly sessionId: string
  readonly grantId: string
  readonly applicationId: string
  /** 32 random bytes that never leave the row. */
  readonly seed: Uint8Array
  readonly generation: number
  readonly createdAt: EpochMs
  readonly rotatedAt: EpochMs
  readonly grace: GraceWindows
  /** When the current token expires unused; never after `endsAt`. */
  readonly expiresAt: EpochMs
  /** The absolute end, at the latest the end of the session. */
  readonly endsAt: EpochMs
  /** The data for the next access token, as JSON without secrets. */
  readonly payload: string
}

/** The rules of a rotation, as for the refresh tokens of a session. */
export type SsoRotationRules = Pick<RefreshRules, 'idleMs' | 'graceMs' | 'startedAt'>

/**
 * The kind of a presented generation. `current` rotates. `young` is a predecessor that was rotated within the grace; it
 * gets the newest token again from any address, because the client has proved who it is. `old` was copied. `ahead` is
 * newer than the row: the store lost a write.
 */
export type SsoGeneration = 'current' | 'young' | 'old' | 'ahead'

/** Refresh tokens of applications. */
export interface SsoRefreshStore {
  create(chain: SsoRefreshChain): Promise<void>
  /** Reads the chain and its session from one snapshot. Also reads chains that have expired. */
  read(
    chainId: string,
  ): Promise<
    { readonly chain: SsoRefreshChain; readonly session: SessionState | undefined } | undefined
  >
  /**
   * Decides a presented generation and rotates, in one step: of several calls with the current generation, one rotates
   * and the others are `young`. The result has the chain after it. Writes nothing unless it rotates. `expired` if the
   * token or the chain is over, `unknown` if there is no such chain.
   */
  rotate(
    chainId: string,
    generation: number,
    rules: SsoRotationRules,
  ): Promise<
    | { readonly kind: 'rotated' | 'young' | 'old' | 'ahead'; readonly chain: SsoRefreshChain }
    | { readonly kind: 'expired' | 'unknown' }
  >
}

/** An application that a person has allowed to act for them. */
export interface SsoConsent {
  readonly accountId: string
  readonly applicationId: string
  /** The allowed scopes and resources, as JSON. Only `sso` knows the members. */
  readonly allowed: string
  readonly givenAt: EpochMs
  readonly changedAt: EpochMs
}

/** Grants and consents. */
export interface SsoGrantStore {
  consent(accountId: string, applicationId: string): Promise<SsoConsent | undefined>
  /**
   * Writes a consent. One that exists keeps the time at which it was given. Writes nothing if there is no such account.
   */
  setConsent(consent: SsoConsent, context: AuditContext): Promise<void>
  /**
   * Lists the consents of an account with the titles of the applications, the newest first. The title of an application
   * without a row is its id.
   */
  consentsOf(
    accountId: string,
  ): Promise<readonly (SsoConsent & { readonly title: string; readonly isDisabled: boolean })[]>
  /**
   * Removes the consent, all grants and all refresh tokens of the application for this account, and makes the account's
   * access tokens stale. `unchanged` if there was none.
   */
  revokeConsent(accountId: string, applicationId: string, context: AuditContext): Promise<Change>
  /**
   * Removes a grant with its records and refresh tokens, and makes the access tokens of its session stale, with a soft
   * entry. `unchanged` if there was nothing to remove.
   */
  revokeGrant(
    grantId: string,
    context: AuditContext & { readonly detail?: string },
  ): Promise<Change>
  /** Removes up to `limit` records, chains and logins that are over. Returns how many it removed. */
  purge(limit: number): Promise<number>
}

/** An application in which a session signed in, and that is told when the session ends. */
export interface SsoLogin {
  readonly sessionId: string
  readonly applicationId: string
  /** The account, for the claim `sub` of the logout token. */
  readonly accountId: string
  /** The claim `sid` of the application's ID tokens. */
  readonly sid: string
  readonly createdAt: EpochMs
  /** When the session ends at the latest. */
  readonly expiresAt: EpochMs
}

/** A logout that an application must be told about. */
export interface SsoLogout {
  readonly id: string
  readonly applicationId: string
  readonly accountId: string
  readonly sid: string
  readonly attempts: number
  readonly createdAt: EpochMs
}

/**
 * The durable outbox of back-channel logouts. It is fed from the revocation log, so it has every session that ends,
 * whatever ended it.
 */
export interface SsoLogoutStore {
  /**
   * Remembers that a session signed in at an application. Does nothing if it is known. If the session is over already,
   * its logout is due at once: the application may have learned of the login.
   */
  noteLogin(login: SsoLogin): Promise<void>
  /** The applications in which a session signed in. */
  loginsOf(sessionId: string): Promise<readonly SsoLogin[]>
  /**
   * Reads the next entries of the log, up to `limit`. In the same step, it moves the logins of sessions that they ended
   * into the outbox, again up to `limit`. Returns whether there is more to do. A session that stands keeps its logins:
   * for example, one that survived a hard entry of its account.
   */
  collect(limit: number): Promise<{ readonly isMore: boolean }>
  /** Takes up to `limit` logouts that are due, and makes them due again after `leaseMs`. */
  take(limit: number, leaseMs: number): Promise<readonly SsoLogout[]>
  delivered(id: string): Promise<void>
  /** Counts an attempt that failed, and makes the logout due at `nextAt`; without it, gives up. */
  failed(id: string, nextAt: EpochMs | undefined): Promise<void>
}

/** Everything that single sign-on stores. */
export interface SsoStore {
  readonly applications: ApplicationStore
  readonly records: SsoRecordStore
  readonly refreshes: SsoRefreshStore
  readonly grants: SsoGrantStore
  readonly logouts: SsoLogoutStore
}
