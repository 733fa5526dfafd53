import type { RevocationEntry } from '@countersign/guard/revocations'

import type { EpochMs } from '../base/clock.ts'

/** A person that can log in. */
export interface Account {
  /** `acct_` and 22 characters: the claim `sub` (RFC 7519 §4.1.2). Never an e-mail address, never reused. */
  readonly id: string
  readonly username: string
  /** The imported identifier that older services know: the claim `user_id`. */
  readonly userId: string | undefined
  /** A PHC string. Undefined if no password can log in. */
  readonly passwordHash: string | undefined
  /** Its global roles. The membership holds the roles in a tenant. */
  readonly roles: readonly string[]
  /** The tenant of a log-in that names none. */
  readonly defaultTenantId: string | undefined
  readonly disabledAt: EpochMs | undefined
  /** The newest log position at which all sessions and tokens of this account were revoked; 0 for never. */
  readonly hardPosition: number
  readonly createdAt: EpochMs
}

/** One log-in on one device: one row, from sign-in to its end. */
export interface Session {
  readonly id: string
  readonly accountId: string
  readonly clientId: string
  /** The tenant that the session is in now. */
  readonly tenantId: string | undefined
  /** 16 random bytes that never leave the row. No refresh token can be made without them. */
  readonly seed: Uint8Array
  /** How often the refresh token was rotated; the current token carries this number as `gen`. */
  readonly generation: number
  readonly createdAt: EpochMs
  readonly rotatedAt: EpochMs
  /** When the current refresh token expires unused; never after `endsAt`. */
  readonly expiresAt: EpochMs
  /** The absolute end. Rotation never moves it. */
  readonly endsAt: EpochMs
  readonly endedAt: EpochMs | undefined
  /** The log position that was read before the first proof of this sign-in was checked. */
  readonly signedInPosition: number
  /**
   * The position at which this session itself revoked all others of its account; 0 for never. It survives hard positions
   * of its account up to there. It survives no hard position of its tenant.
   */
  readonly survivedPosition: number
  /** The refresh key that signed the current token, so that a repeat gives the same bytes. */
  readonly refreshKid: string
  /** When the person last proved who they are, in milliseconds since 1970. At most the time of the write. */
  readonly authenticatedAt: EpochMs
  /** How they proved it, as RFC 8176 values: `['pwd']` for a password. Never empty. */
  readonly amr: readonly string[]
  /** The authentication context class that the proofs reached (OpenID Connect Core 1.0 §2). */
  readonly acr: string | undefined
  /** Where the last rotation, or the sign-in, came from. */
  readonly address: string
  readonly userAgent: string
}

/** The claims of a token about an account, read in the same snapshot as the log position. */
export interface AccountClaims {
  readonly id: string
  readonly userId: string
  /** The global roles. */
  readonly roles: readonly string[]
  /** The session's tenant, while the account is a member of it. */
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
  /** The newest log position at which all sessions and tokens of this tenant were revoked; 0 for never. */
  readonly hardPosition: number
  readonly createdAt: EpochMs
}

/** An account's membership in one tenant. */
export interface Membership {
  readonly tenantId: string
  readonly tenantName: string
  readonly roles: readonly string[]
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
  /** The newest log position at which all tokens of this client were revoked; 0 for never. */
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

/** One entry of the revocation log, as it is stored. */
export interface Revocation extends RevocationEntry {
  /** SHA-256 over the chain value before and this entry: 32 bytes. */
  readonly chain: Uint8Array
}

/** One line of the audit: who did what to whom, from where, and with which result. Ids only, no secrets. */
export interface AuditEntry {
  readonly at: EpochMs
  /**
   * An account id, `cli:NAME` for an operator, `application` for a person that the application authenticated,
   * `system`, or `anonymous`.
   */
  readonly actor: string
  readonly event: AuditEvent
  readonly outcome: 'ok' | 'refused'
  /** The account or service account that it concerns. */
  readonly accountId: string | undefined
  readonly sessionId: string | undefined
  readonly address: string | undefined
  /** A refusal code, a role, a reason: never a value that a client chose freely. */
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
  | 'account_changed'
  | 'sessions_ended'
  | 'login'
  | 'logout'
  | 'session_ended'
  | 'refresh_reused'
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

/** The kind of token that a key signs. */
export type KeyUse = 'access' | 'refresh'
/** The states of a key, in the order in which it passes through them. */
export type KeyState = 'pending' | 'active' | 'retiring' | 'revoked'

/** A signing key as it is stored: its secret part is sealed. */
export interface StoredKey {
  readonly kid: string
  readonly alg: string
  readonly use: KeyUse
  readonly state: KeyState
  /** Empty if the key was killed. */
  readonly sealed: Uint8Array
  /** When it was made. A key of access tokens has been published since then. */
  readonly createdAt: EpochMs
  /** When it came into its state. */
  readonly changedAt: EpochMs
  /** While `retiring`: until when something that it signed can be valid. */
  readonly verifiesUntil: EpochMs | undefined
  /** Whether it was made elsewhere. Such a key keeps its algorithm, whatever the settings say. */
  readonly imported: boolean
  /** X.509 certificates of an imported key, base64 of their DER, its own first (RFC 7517 §4.7). */
  readonly certificates: readonly string[]
}

/** When keys change, in milliseconds. */
export interface KeySchedule {
  /** The algorithm of new keys of access tokens. */
  readonly alg: string
  /** How long a key signs. Undefined: until an operator rotates it. */
  readonly rotationMs: number | undefined
  /** How long a key is published before it signs, so that every cached copy of the key set has it by then. */
  readonly leadMs: number
  /** The longest life of what a key signs, by its use. */
  readonly livesMs: Readonly<Record<KeyUse, number>>
}

/** A change of the ring, in one step. */
export interface RingChange {
  /** New keys, and existing keys in their new state. */
  readonly put: readonly StoredKey[]
  /** Keys that are deleted. */
  readonly remove: readonly string[]
  /** The key that this change kills, if it kills one. */
  readonly killed?: string
}
