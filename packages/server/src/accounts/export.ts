import { limits } from '../base/limits.ts'
import type { Account, AuditEntry, Membership } from '../store/rows.ts'
import type { SessionSummary, Store } from '../store/store.ts'

/** An account without its password hash, for listings. */
export type AccountSummary = Omit<Account, 'passwordHash' | 'hardPosition'>

/** Everything that the authority stores about a person, without secrets. Times are in milliseconds since 1970. */
export interface AccountData {
  readonly account: AccountSummary
  readonly memberships: readonly Membership[]
  /** The newest sessions, at most `limits.auditExportedMax`. */
  readonly sessions: readonly SessionSummary[]
  /** The newest lines, at most `limits.auditExportedMax`. */
  readonly audit: readonly AuditEntry[]
}

/** Reads the data of an account. */
export async function readAccountData(
  store: Pick<Store, 'tenants' | 'sessions' | 'audit'>,
  account: AccountSummary,
): Promise<AccountData> {
  const { id: accountId } = account
  const limit = limits.auditExportedMax
  const [memberships, sessions, audit] = await Promise.all([
    store.tenants.membershipsOf(accountId),
    store.sessions.list({ accountId, limit }),
    store.audit.list({ accountId, limit }),
  ])
  return { account, memberships, sessions, audit }
}
