import type { EpochMs } from '../base/clock.ts'
import type { AuditContext } from './audit-context.ts'
import type { TenantActor, TenantRefusal } from './tenant-rights.ts'

/**
 * The state of an invitation. An open invitation may have expired. One that a newer invitation replaced is
 * `withdrawn`, and so is one that was declined.
 */
export type InvitationState = 'open' | 'accepted' | 'withdrawn'

/** An invitation to a tenant. Its secrets are hashed. */
export interface Invitation {
  /** 22 characters. It is in the link, and is no secret. */
  readonly id: string
  readonly tenantId: string
  readonly tenantName: string
  /** The invited address, as the inviter typed it, and its key. */
  readonly email: { readonly address: string; readonly key: string }
  /** The roles in the tenant that the invitation gives. */
  readonly roles: readonly string[]
  /** The account that invited. Undefined for an operator or the application. */
  readonly inviterId: string | undefined
  /** Keyed hashes of the secret in the link and of the code that people type. */
  readonly linkHash: Uint8Array
  readonly codeHash: Uint8Array
  /** How many mails it had. Each has new secrets. */
  readonly mailings: number
  /** How many wrong codes were typed since the last mail. */
  readonly attempts: number
  readonly createdAt: EpochMs
  readonly expiresAt: EpochMs
  readonly state: InvitationState
}

/** A new invitation. The store adds the rest. */
export type NewInvitation = Omit<Invitation, 'tenantName' | 'mailings' | 'attempts' | 'state'>

/** An invitation in a listing, without its hashes. */
export type InvitationSummary = Omit<Invitation, 'linkHash' | 'codeHash'> & {
  /** The username of the account that invited, if it exists. */
  readonly inviter: string | undefined
}

/** What a new mail of an invitation replaces. */
export type NewMailing = Pick<
  Invitation,
  'id' | 'tenantId' | 'linkHash' | 'codeHash' | 'expiresAt'
> & {
  readonly inviterId: string | undefined
}

/**
 * What a person presents of one invitation. Each secret has one hash for every secret of the server. The id
 * alone is enough for the owner of the invited address.
 */
export interface PresentedInvitation {
  readonly id: string
  readonly linkHashes: readonly Uint8Array[] | undefined
  readonly codeHashes: readonly Uint8Array[] | undefined
}

/** Why an invitation was not accepted. `code_wrong` counted as an attempt. */
export type AcceptRefusal =
  | 'email_unverified'
  | 'invitation_void'
  | 'invitation_for_another'
  | 'code_wrong'
  | 'roles_invalid'
  | 'tenant_disabled'

/** An accepted invitation, or the reason why it was not accepted. */
export type Accepted =
  | {
      readonly ok: true
      readonly tenantId: string
      readonly tenantName: string
      /** All roles of the account in the tenant. */
      readonly roles: readonly string[]
      /** Whether tokens of the account became stale. */
      readonly hasRevoked: boolean
    }
  | { readonly ok: false; readonly code: AcceptRefusal }

/**
 * Invitations to tenants. Methods with an `actor` read the rights of that person in their own step. Without an
 * actor, an operator or the application acts.
 */
export interface InvitationStore {
  /**
   * Writes an invitation, its audit line and the mails of the context. Replaces an open invitation of the same
   * tenant and address. `unknown` if there is no such tenant.
   */
  create(
    invitation: NewInvitation,
    actor: TenantActor | undefined,
    context: AuditContext,
  ): Promise<'created' | TenantRefusal>
  /**
   * Replaces the secrets and the expiry of an open invitation, so that the older link and code are void.
   * `unknown` if the tenant has no such open invitation.
   */
  resend(
    mailing: NewMailing,
    actor: TenantActor | undefined,
    context: AuditContext,
  ): Promise<'changed' | TenantRefusal>
  /** Withdraws an open invitation. `unknown` if the tenant has no such open invitation. */
  withdraw(
    invitation: { readonly id: string; readonly tenantId: string },
    actor: TenantActor | undefined,
    context: AuditContext,
  ): Promise<'changed' | TenantRefusal>
  /** Withdraws an open invitation for the person whose verified address was invited. */
  decline(id: string, accountId: string, context: AuditContext): Promise<'changed' | 'unknown'>
  /** Finds an open invitation of a tenant, also one that has expired. */
  find(id: string, tenantId: string): Promise<InvitationSummary | undefined>
  /** Lists up to `limit` open invitations of a tenant, also expired ones, the newest first. */
  list(tenantId: string, limit: number): Promise<readonly InvitationSummary[]>
  /**
   * Lists the open invitations that the owner of an address can accept, the newest first, at most 100. Those of
   * disabled tenants are missing.
   */
  listFor(emailKey: string): Promise<readonly InvitationSummary[]>
  /**
   * Accepts the first right one of the presented invitations for an account, and makes the account a member, in
   * one step. A member keeps the roles that they have. Of several calls at once, one is accepted. Counts a wrong
   * code.
   */
  accept(
    presented: readonly PresentedInvitation[],
    accountId: string,
    context: AuditContext,
  ): Promise<Accepted>
  /** Removes up to `limit` invitations that expired more than `keptMs` ago. Returns how many it removed. */
  purge(keptMs: number, limit: number): Promise<number>
}
