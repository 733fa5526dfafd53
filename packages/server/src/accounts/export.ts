import { limits } from '../base/limits.ts'
import type { FactorSummary, TrustedDevice } from '../store/factors.ts'
import type { Identity } from '../store/identities.ts'
import type { Account, AuditEntry, Membership } from '../store/rows.ts'
import type { SessionSummary, Store } from '../store/store.ts'

/** An account without its password hash, for listings. */
export type AccountSummary = Omit<Account, 'passwordHash' | 'hardPosition'>

/** The second factors of an account, without secrets. Times are in milliseconds since 1970. */
export interface FactorData {
  /** The oldest first. */
  readonly factors: readonly FactorSummary[]
  readonly recoveryCodesLeft: number
  /** The browsers that are not asked for a second factor, the newest first. */
  readonly devices: readonly RememberedDevice[]
}

/** A browser that is not asked for a second factor. */
export type RememberedDevice = Omit<TrustedDevice, 'hash' | 'version'>

/** Everything that the authority stores about a person, without secrets. Times are in milliseconds since 1970. */
export interface AccountData extends FactorData {
  readonly account: AccountSummary
  readonly memberships: readonly Membership[]
  /** The identities of other issuers that can log in, the oldest first. */
  readonly identities: readonly Identity[]
  /** The newest sessions, at most `limits.auditExportedMax`. */
  readonly sessions: readonly SessionSummary[]
  /** The newest lines, at most `limits.auditExportedMax`. */
  readonly audit: readonly AuditEntry[]
}

/** Reads the data of an account. */
export async function readAccountData(
  store: Pick<Store, 'tenants' | 'factors' | 'identities' | 'sessions' | 'audit'>,
  account: AccountSummary,
): Promise<AccountData> {
  const { id: accountId } = account
  const limit = limits.auditExportedMax
  const [memberships, factorData, identities, sessions, audit] = await Promise.all([
    store.tenants.membershipsOf(accountId),
    readFactorData(store, accountId),
    store.identities.listOf(accountId),
    store.sessions.list({ accountId, limit }),
    store.audit.list({ accountId, limit }),
  ])
  return { account, memberships, ...factorData, identities, sessions, audit }
}

/** Reads the second factors of an account. An unknown account has none. */
export async function readFactorData(
  { factors: store }: Pick<Store, 'factors'>,
  accountId: string,
): Promise<FactorData> {
  const [factors, { recoveryCodes: recoveryCodesLeft }, devices] = await Promise.all([
    store.list(accountId),
    store.view(accountId),
    store.trusted(accountId),
  ])
  return { factors, recoveryCodesLeft, devices }
}
