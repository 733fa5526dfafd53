import type { Account } from '../store/rows.ts'

/** Returns the row of a new account: enabled, without anything that is not given. */
export function newAccount(
  given: Pick<Account, 'id' | 'username' | 'createdAt'> & Partial<Account>,
): Account {
  return {
    userId: undefined,
    passwordHash: undefined,
    roles: [],
    defaultTenantId: undefined,
    email: undefined,
    locale: undefined,
    credentialsVersion: 0,
    disabledAt: undefined,
    hardPosition: 0,
    ...given,
  }
}
