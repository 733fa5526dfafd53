import type { RevocationEntry } from '@countersign/guard/revocations/entry'

import type { EpochMs } from '../base/clock.ts'

/** A person that can log in. */
export interface Account {
  /** `acct_` and 22 characters: the claim `sub` (RFC 7519 §4.1.2). Never an e-mail address, never reused. */
  readonly id: string
  readonly username: string
  /** The imported identifier that older services know: the claim `user_id`. */
  readonly userId: string | undefined
  /** A PHC string. Undefined if the account has no password. */
  readonly passwordHash: string | undefined
  /** The global roles. A membership has the roles in a tenant. */
  readonly roles: readonly string[]
  /** The tenant of logins that name no tenant. */
  readonly defaultTenantId: string | undefined
  /** The account's e-mail address. Of all accounts, at most one has a given address. */
  readonly email: AccountEmail | undefined
  /** The language of mails and pages for this person. Undefined: the language of the settings. */
  readonly locale: MailLocale | undefined
  /**
   * How often the password or the e-mail address changed. A mailed code that was made for an earlier number
   * is void.
   */
  readonly credentialsVersion: number
  readonly disabledAt: EpochMs | undefined
  /** The newest log position at which all sessions and tokens of this account were revoked. 0 means never. */
  readonly hardPosition: number
  readonly createdAt: EpochMs
}

/** An e-mail address of an account. */
export interface AccountEmail {
  /** As the person typed it, for display and delivery. */
  readonly address: string
  /** The key under which it is found: see `emailKey`. */
  readonly key: string
  /** When somebody proved that they receive mail there. Undefined: never, so nobody can log in with it. */
  readonly verifiedAt: EpochMs | undefined
}

/** One login on one device, from the login to its end. It has one row. */
export interface Session {
  readonly id: string
  readonly accountId: string
  readonly clientId: string
  /** The tenant that the session is in now. */
  readonly tenantId: string | undefined
  /** 16 random bytes that never leave the row. No refresh token can be made without them. */
  readonly seed: Uint8Array
  /** How often the refresh token was rotated. The current token carries this number as `gen`. */
  readonly generation: number
  readonly createdAt: EpochMs
  readonly rotatedAt: EpochMs
  /** Which predecessors of the current refresh token the row still knows. */
  readonly grace: GraceWindows
  /** When the current refresh token expires unused; never after `endsAt`. */
  readonly expiresAt: EpochMs
  /** The absolute end. Rotation never moves it. */
  readonly endsAt: EpochMs
  readonly endedAt: EpochMs | undefined
  /** The log position that was read before the first proof of this sign-in was checked. */
  readonly signedInPosition: number
  /**
   * The position at which this session revoked all other sessions of its account. 0 means never. The session
   * survives hard positions of its account up to this position. It survives no hard position of its tenant.
   */
  readonly survivedPosition: number
  /** The refresh key that signed the current token. A repeat uses it again, so it returns the same bytes. */
  readonly refreshKid: string
  /** When the person last proved who they are, in milliseconds since 1970. At most the time of the write. */
  readonly authenticatedAt: EpochMs
  /** How the person proved it, as RFC 8176 values: `['pwd']` for a password. Never empty. */
  readonly amr: readonly string[]
  /** The authentication context class that the proofs reached (OpenID Connect Core 1.0 §2). */
  readonly acr: string | undefined
  /** How the session met the need for a second factor. */
  readonly secondFactor: SecondFactor
  /** The address of the last rotation, or of the sign-in. */
  readonly address: string
  readonly userAgent: string
}

/**
 * How a session met the need for a second factor.
 *
 * - `none`: it was not needed when the session opened.
 * - `given`: the person gave one.
 * - `device`: the person gave one in this browser before, and the browser is remembered.
 * - `vouched`: the application says that the person gave one.
 */
export type SecondFactor = 'none' | 'given' | 'device' | 'vouched'

/**
 * The fields of a session that tokens and answers need. A refresh returns no others, because each field costs time on
 * its way between the threads.
 */
export type GrantedSession = Pick<
  Session,
  | 'id'
  | 'accountId'
  | 'clientId'
  | 'tenantId'
  | 'seed'
  | 'generation'
  | 'createdAt'
  | 'rotatedAt'
  | 'expiresAt'
  | 'endsAt'
  | 'refreshKid'
  | 'authenticatedAt'
  | 'amr'
  | 'acr'
  | 'secondFactor'
>

/**
 * The last two windows of rotations of a session, by which an older refresh token is dated. A window begins with a
 * rotation and takes all rotations of the next `graceMs`. The first rotation after that begins a new one. So no chain of
 * rotations can extend a window, and two windows cover everything that was rotated less than `graceMs` ago.
 */
export interface GraceWindows {
  /** The generation that was current when the newest window began. 0 before the first rotation. */
  readonly generation: number
  /** When the newest window began: the rotation of that generation. 0 before the first rotation. */
  readonly beganAt: EpochMs
  /** The generation that was current when the window before began: equal to `generation` if there was none. */
  readonly priorGeneration: number
  /** The last rotation of the window before. */
  readonly priorRotatedAt: EpochMs
}

/** The claims of a token about an account, read in the same snapshot as the log position. */
export interface AccountClaims {
  readonly id: string
  readonly userId: string
  /** The global roles. */
  readonly roles: readonly string[]
  /** The session's tenant, if the account is a member of it. */
  readonly tenantId: string | undefined
  /** The name of that tenant. */
  readonly tenantName: string | undefined
  /** The roles in that tenant, which count nowhere else. Empty without a tenant. */
  readonly tenantRoles: readonly string[]
}

/** A customer, team or workspace inside the application. */
export interface Tenant {
  /** `ten_` and 22 characters. */
  readonly id: string
  /** Unique: 1 to 64 of `a-z 0-9 -`. */
  readonly name: string
  readonly disabledAt: EpochMs | undefined
  /** The newest log position at which all sessions and tokens of this tenant were revoked. 0 means never. */
  readonly hardPosition: number
  readonly createdAt: EpochMs
}

/** An account's membership in one tenant. */
export interface Membership {
  readonly tenantId: string
  readonly tenantName: string
  readonly roles: readonly string[]
}

/** A member of a tenant in a listing. */
export interface Member {
  readonly accountId: string
  readonly username: string
  readonly isDisabled: boolean
  /** The roles in the tenant. */
  readonly roles: readonly string[]
  /** Whether a login that names no tenant is in this tenant. */
  readonly isDefault: boolean
  readonly since: EpochMs
}

/** A service account: a machine that gets access tokens for itself (RFC 6749 §4.4). */
export interface Client {
  /** `svc_` and 22 characters: its `client_id` and the `sub` of its tokens. Never reused. */
  readonly id: string
  /** Unique: 1 to 64 of `a-z 0-9 -`. */
  readonly name: string
  /** Global roles. With a tenant, roles in that tenant. */
  readonly roles: readonly string[]
  /** The tenant that all its tokens are in. */
  readonly tenantId: string | undefined
  readonly disabledAt: EpochMs | undefined
  /** The newest log position at which all tokens of this client were revoked. 0 means never. */
  readonly hardPosition: number
  readonly createdAt: EpochMs
}

/** A secret of a service account, as it is stored. */
export interface ClientSecret {
  /** `sec_` and 22 characters: its name, which is not secret. */
  readonly id: string
  /** SHA-256 of the secret: 32 bytes. */
  readonly hash: Uint8Array
  readonly createdAt: EpochMs
  readonly lastUsedAt: EpochMs | undefined
}

/** The permissions of one role. */
export interface RoleDefinition {
  readonly name: string
  readonly permissions: readonly string[]
}

/** One stored entry of the revocation log. */
export interface Revocation extends RevocationEntry {
  /** SHA-256 over the previous chain value and this entry: 32 bytes. */
  readonly chain: Uint8Array
}

/**
 * One line of the audit: the actor, the event, the account, the address and the outcome. It contains ids, and
 * no secrets.
 */
export interface AuditEntry {
  readonly at: EpochMs
  /**
   * An account id, `cli:NAME` for an operator, `application` for a person that the application authenticated,
   * `system`, or `anonymous`.
   */
  readonly actor: string
  readonly event: AuditEvent
  readonly outcome: 'ok' | 'refused'
  /** The account, service account or application that it concerns. */
  readonly accountId: string | undefined
  readonly sessionId: string | undefined
  readonly address: string | undefined
  /** A refusal code, a role or a reason. Never a value that a client can choose freely. */
  readonly detail: string | undefined
}

/** The event of an audit line: a stable code. */
export type AuditEvent =
  | 'account_created'
  | 'account_disabled'
  | 'account_enabled'
  | 'account_deleted'
  | 'password_changed'
  | 'role_added'
  | 'role_removed'
  | 'role_defined'
  | 'tenant_created'
  | 'tenant_disabled'
  | 'tenant_enabled'
  | 'member_added'
  | 'member_removed'
  | 'default_tenant_set'
  | 'invitation_created'
  | 'invitation_resent'
  | 'invitation_withdrawn'
  | 'invitation_declined'
  | 'invitation_accepted'
  | 'account_changed'
  | 'sessions_ended'
  | 'login'
  | 'logout'
  | 'session_ended'
  | 'refresh_reused'
  | 'refresh_elsewhere'
  | 'refresh_ahead'
  | 'refresh_healed'
  | 'key_created'
  | 'key_activated'
  | 'key_retired'
  | 'key_removed'
  | 'key_killed'
  | 'key_resealed'
  | 'log_repaired'
  | 'token_revoked'
  | 'log_started_over'
  | 'client_created'
  | 'client_disabled'
  | 'client_enabled'
  | 'client_roles_set'
  | 'client_secret_added'
  | 'client_secret_removed'
  | 'client_login'
  | 'code_sent'
  | 'code_refused'
  | 'password_reset'
  | 'email_verified'
  | 'email_changed'
  | 'email_removed'
  | 'account_reclaimed'
  | 'account_renamed'
  | 'account_exported'
  | 'second_factor_asked'
  | 'factor_added'
  | 'factor_removed'
  | 'factor_renamed'
  | 'factor_refused'
  | 'factors_reset'
  | 'recovery_codes_replaced'
  | 'recovery_code_used'
  | 'stepped_up'
  | 'device_trusted'
  | 'devices_forgotten'
  | 'application_created'
  | 'application_changed'
  | 'application_disabled'
  | 'application_enabled'
  | 'application_deleted'
  | 'application_secret_added'
  | 'application_secret_removed'
  | 'consent_given'
  | 'consent_revoked'
  | 'grant_revoked'
  | 'identity_linked'
  | 'identity_unlinked'

/** The subject matter of a mail. */
export type MailKind =
  | 'sign_up'
  | 'account_exists'
  | 'verify_address'
  | 'change_address'
  | 'address_changed'
  | 'reset_password'
  | 'password_changed'
  | 'login_code'
  | 'new_device'
  | 'invitation'
  | 'account_deleted'
  | 'factor_changed'
  | 'factor_code'

/** A language of mails. */
export type MailLocale = 'en' | 'de'

/** A mail that is to be sent. */
export interface NewMail {
  /** `mail_` and 22 characters. The `Message-ID` is made from it. */
  readonly id: string
  readonly kind: MailKind
  /**
   * The address. Undefined: a decoy, which is written like every mail and deleted without being sent. So a
   * request for an unknown address costs as much as one for a known address.
   */
  readonly recipient: string | undefined
  readonly locale: MailLocale
  /** The values of the mail, sealed and padded, because they contain codes and links. */
  readonly sealed: Uint8Array
  readonly accountId: string | undefined
  readonly createdAt: EpochMs
  /** A mail that was not handed over by then is no longer worth sending. */
  readonly notAfter: EpochMs
}

/** Whether a mail waits, was handed over, or has failed for good. */
export type MailState = 'waiting' | 'sent' | 'failed'

/** A mail in a listing, without its values. */
export interface MailSummary {
  /** Grows with each mail. */
  readonly number: number
  readonly id: string
  readonly kind: MailKind
  readonly recipient: string | undefined
  readonly locale: MailLocale
  readonly accountId: string | undefined
  readonly createdAt: EpochMs
  readonly notAfter: EpochMs
  readonly state: MailState
  /** How often a hand-over was begun. */
  readonly attempts: number
  /** The next attempt, or the end of the lease of the current one. Undefined if the mail no longer waits. */
  readonly dueAt: EpochMs | undefined
  /** Why the last attempt failed. It contains no address and no value. */
  readonly reason: string | undefined
}

/** The kind of token that a key signs. */
export type KeyUse = 'access' | 'refresh'
/** The states of a key, in the order in which it passes through them. */
export type KeyState = 'pending' | 'active' | 'retiring' | 'revoked'

/** A stored signing key. Its secret part is sealed. */
export interface StoredKey {
  readonly kid: string
  readonly alg: string
  readonly use: KeyUse
  readonly state: KeyState
  /** Empty if the key was killed. */
  readonly sealed: Uint8Array
  /** When the key was made. A key for access tokens has been published since then. */
  readonly createdAt: EpochMs
  /** When the key entered its state. */
  readonly changedAt: EpochMs
  /** In the state `retiring`: the time until which a token that it signed can be valid. */
  readonly verifiesUntil: EpochMs | undefined
  /** Whether the key was imported. An imported key keeps its algorithm when the setting changes. */
  readonly imported: boolean
  /**
   * The X.509 certificates of an imported key, as base64 of their DER. The certificate of the key is first
   * (RFC 7517 §4.7).
   */
  readonly certificates: readonly string[]
}

/** The times at which keys change, in milliseconds. */
export interface KeySchedule {
  /** The algorithm of new keys for access tokens. */
  readonly alg: string
  /** How long a key signs. Undefined: until an operator rotates it. */
  readonly rotationMs: number | undefined
  /** How long a key is published before it signs, so that every cached copy of the key set has it by then. */
  readonly leadMs: number
  /** The longest life of the tokens that a key signs, by the use of the key. */
  readonly livesMs: Readonly<Record<KeyUse, number>>
}

/** A change of the ring, in one step. */
export interface RingChange {
  /** New keys, and existing keys in their new state. */
  readonly put: readonly StoredKey[]
  /** Keys that are deleted. */
  readonly remove: readonly string[]
  /** The `kid` of the key that this change kills, if any. */
  readonly killed?: string
}
