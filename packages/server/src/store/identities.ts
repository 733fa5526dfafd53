import type { EpochMs } from '../base/clock.ts'
import type { AuditContext } from './audit-context.ts'
import type { Account, AccountEmail } from './rows.ts'

/**
 * An identity of another issuer that logs in to an account. Issuer and subject name it, never an address or a name,
 * because these can change and can be given to somebody else.
 */
export interface Identity {
  /** The `iss` of OpenID Connect, or the name of a provider of plain OAuth 2, such as `github`. */
  readonly issuer: string
  readonly subject: string
  /** The name of the provider in the settings. */
  readonly provider: string
  readonly accountId: string
  /** The name or address that the issuer gives for the person, for display. */
  readonly label: string
  readonly linkedAt: EpochMs
  readonly lastUsedAt: EpochMs | undefined
}

/** Names one identity. */
export type IdentityKey = Pick<Identity, 'issuer' | 'subject'>

/** Identities of other issuers. */
export interface IdentityStore {
  find(key: IdentityKey): Promise<Identity | undefined>
  /** Lists the identities of an account, the oldest first. */
  listOf(accountId: string): Promise<readonly Identity[]>
  /** Creates an account with its first identity. `identity_taken` if another account has the identity. */
  signUp(
    account: Account,
    usernameKey: string,
    identity: Identity,
    context: AuditContext,
  ): Promise<'created' | 'taken' | 'email_taken' | 'identity_taken'>
  /**
   * Links an identity for one of the account's own sessions. `refused` if the session no longer stands. `taken` if an
   * account has the identity already, this one included.
   */
  link(
    identity: Identity,
    proven: { readonly sessionId: string },
    context: AuditContext,
  ): Promise<'linked' | 'taken' | 'refused'>
  /**
   * Removes an identity. `last` if the account could no longer log in: it has no password, no passkey and no other
   * identity, and `hasMailLogin` is false or it has no verified address.
   */
  unlink(
    accountId: string,
    key: IdentityKey,
    options: { readonly hasMailLogin: boolean },
    context: AuditContext,
  ): Promise<'changed' | 'unknown' | 'last'>
  /**
   * Gives an account with an unproved address to the person who has proved that address at another issuer: removes its
   * password, factors, recovery codes, trusted devices and identities, ends its sessions, proves the address, and links
   * the identity. `outdated` if the address was proved, changed or removed meanwhile, or the account is disabled.
   */
  reclaim(
    accountId: string,
    email: AccountEmail,
    identity: Identity,
    context: AuditContext,
  ): Promise<'reclaimed' | 'outdated' | 'identity_taken'>
  /** Notes that the identity was used, and its label. */
  noteUse(key: IdentityKey, at: EpochMs, label: string): Promise<void>
}
