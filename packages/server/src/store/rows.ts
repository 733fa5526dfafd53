import type { RevocationEntry } from '@countersign/guard/revocations'

import type { EpochMs } from '../base/clock.ts'

/** A person or service that can log in. */
export interface Account {
  /** `acct_` and 22 characters; never an e-mail address, never used again (RFC 7519 §4.1.2 `sub`). */
  readonly id: string
  readonly username: string
  /** The identifier that older services know, where one was imported; the `user_id` claim. */
  readonly userId: string | undefined
  /** PHC string, or undefined where no password can log in. */
  readonly passwordHash: string | undefined
  /** Its global roles; those in a tenant stand in its membership. */
  readonly roles: readonly string[]
  /** The tenant of a log-in that names none. */
  readonly defaultTenantId: string | undefined
  readonly disabledAt: EpochMs | undefined
  /** The newest log position at which everything of this account was taken back; 0 when never. */
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
  /** 16 random bytes that never leave the store's row: without them no refresh token can be made. */
  readonly seed: Uint8Array
  /** How often the refresh token was rotated; the current token carries this number as `gen`. */
  readonly generation: number
  readonly createdAt: EpochMs
  readonly rotatedAt: EpochMs
  /** When the current refresh token dies of idleness; never beyond `endsAt`. */
  readonly expiresAt: EpochMs
  /** The absolute end, which rotation never moves. */
  readonly endsAt: EpochMs
  readonly endedAt: EpochMs | undefined
  /** The log position that was read before the first proof of this sign-in was checked. */
  readonly signedInPosition: number
  /**
   * Where the session itself took back all others of its account; 0 when never. It outlives what its
   * account lost up to there, and nothing that its tenant lost.
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
  /** Where the last rotation (or the sign-in) came from. */
  readonly address: string
  readonly userAgent: string
}

/** What a token says about an account: read in the same snapshot as the log position. */
export interface AccountClaims {
  readonly id: string
  readonly userId: string
  /** The global roles and those in the session's tenant. */
  readonly roles: readonly string[]
  /** The session's tenant, while the account is a member of it. */
  readonly tenantId: string | undefined
}

/** A customer, team or workspace inside the application. */
export interface Tenant {
  /** `ten_` and 22 characters. */
  readonly id: string
  /** Unique: 1 to 64 of `a-z 0-9 -`. */
  readonly name: string
  readonly disabledAt: EpochMs | undefined
  /** The newest log position at which everything of this tenant was taken back; 0 when never. */
  readonly hardPosition: number
  readonly createdAt: EpochMs
}

/** What an account is in one tenant. */
export interface Membership {
  readonly tenantId: string
  readonly tenantName: string
  readonly roles: readonly string[]
}

/** A service account: a machine that gets access tokens for itself (RFC 6749 §4.4). */
export interface Client {
  /** `svc_` and 22 characters: its `client_id` and the `sub` of its tokens, never used again. */
  readonly id: string
  /** Unique: 1 to 64 of `a-z 0-9 -`. */
  readonly name: string
  readonly roles: readonly string[]
  /** The tenant that all its tokens are in. */
  readonly tenantId: string | undefined
  readonly disabledAt: EpochMs | undefined
  /** The newest log position at which everything of this client was taken back; 0 when never. */
  readonly hardPosition: number
  readonly createdAt: EpochMs
}

/** A secret of a service account, as it lies in the store. */
export interface ClientSecret {
  /** `sec_` and 22 characters; names it, and is no secret itself. */
  readonly id: string
  /** SHA-256 of the secret: 32 bytes. */
  readonly hash: Uint8Array
  readonly createdAt: EpochMs
  readonly lastUsedAt: EpochMs | undefined
}

/** What a role may do. */
export interface RoleDefinition {
  readonly name: string
  readonly permissions: readonly string[]
}

/** One thing that was taken back, as it lies in the store. */
export interface Revocation extends RevocationEntry {
  /** SHA-256 over the chain value before and this entry: 32 bytes. */
  readonly chain: Uint8Array
}

/** One line of the audit: who did what to whom, from where, and how it ended. Ids only, no secrets. */
export interface AuditEntry {
  readonly at: EpochMs
  /**
   * An account id, `cli:NAME` for an operator, `application` for a person that the application authenticated,
   * `system`, or `anonymous`.
   */
  readonly actor: string
  readonly event: AuditEvent
  readonly outcome: 'ok' | 'refused'
  /** The account or service account that it happened to. */
  readonly accountId: string | undefined
  readonly sessionId: string | undefined
  readonly address: string | undefined
  /** A refusal code, a role, a reason: never a value that a client chose freely. */
  readonly detail: string | undefined
}

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

export type KeyUse = 'access' | 'refresh'
export type KeyState = 'pending' | 'active' | 'retiring' | 'revoked'

/** A signing key as it lies in the store: its secret part is sealed. */
export interface StoredKey {
  readonly kid: string
  readonly alg: string
  readonly use: KeyUse
  readonly state: KeyState
  /** Empty where the key was killed: nobody needs it any more. */
  readonly sealed: Uint8Array
  /** Since when it has been published, if it is of access tokens. */
  readonly createdAt: EpochMs
  /** Since when it has been in its state. */
  readonly changedAt: EpochMs
  /** While `retiring`: until when something may be about that it signed. */
  readonly verifiesUntil: EpochMs | undefined
  /** Whether it was made elsewhere: then it keeps its algorithm, whatever the settings say. */
  readonly imported: boolean
  /** X.509 certificates of an imported key, base64 of their DER, its own first (RFC 7517 §4.7). */
  readonly certificates: readonly string[]
}

/** When keys change, in milliseconds. */
export interface KeySchedule {
  /** What new keys of access tokens sign with. */
  readonly alg: string
  /** How long a key signs; undefined: until somebody rotates it. */
  readonly rotationMs: number | undefined
  /** How long a key is published before it signs: whoever keeps a copy of the key set has it by then. */
  readonly leadMs: number
  /** The longest lives of what keys sign, by their use. */
  readonly livesMs: Readonly<Record<KeyUse, number>>
}

/** What changes in the ring, in one step. */
export interface RingChange {
  /** New keys, and known ones as they are from now on. */
  readonly put: readonly StoredKey[]
  /** Keys that are of no use any more. */
  readonly remove: readonly string[]
  /** The key that was killed, if that is what it is. */
  readonly killed?: string
}
