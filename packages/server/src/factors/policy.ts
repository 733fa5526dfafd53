/** The rules of who needs a second factor, and what counts as one. */
export interface FactorPolicy {
  /** Whether every account needs one. */
  readonly everyone: boolean
  /** Accounts with one of these roles need one: global roles, and roles in the tenant that the session is in. */
  readonly roles: readonly string[]
  /** Sessions in one of these tenants need one. */
  readonly tenants: readonly string[]
  /** How long an account that needs a factor may log in without one, from its first login on. */
  readonly graceMs: number
  /** Whether a mailed code counts for accounts without a stronger factor. */
  readonly mailed: boolean
  /** How long a browser is remembered in which a second factor was given. Undefined: never. */
  readonly rememberMs: number | undefined
  /** How old a proof may be for a change of how the account signs in. */
  readonly freshMs: number
}

/** The facts about a session on which the policy depends. */
export interface PolicySubject {
  readonly roles: readonly string[]
  readonly tenantName: string | undefined
  readonly tenantRoles: readonly string[]
}

/** Whether the policy asks this account, in this tenant, for a second factor. Pure. */
export function requiresFactor(
  { everyone, roles, tenants }: FactorPolicy,
  subject: PolicySubject,
): boolean {
  if (everyone) return true
  if (subject.tenantName !== undefined && tenants.includes(subject.tenantName)) return true
  return roles.some((role) => subject.roles.includes(role) || subject.tenantRoles.includes(role))
}
