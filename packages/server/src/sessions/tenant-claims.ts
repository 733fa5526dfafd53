import type { AccessTokenClaims } from '@countersign/guard'

import type { AccountClaims, Membership } from '../store/rows.ts'

type TenantPart = Pick<AccountClaims, 'tenantId' | 'tenantName' | 'tenantRoles'>

/** The claims of an access token about its tenant. A token that is in no tenant has none of them. */
export type TenantClaims = Pick<AccessTokenClaims, 'tid' | 'tenant_name' | 'tenant_roles'>

/** Returns what tokens, and answers about them, say about the tenant of an account or a service account. */
export function tenantClaims({ tenantId, tenantName, tenantRoles }: TenantPart): TenantClaims {
  if (tenantId === undefined) return {}
  const name = tenantName === undefined ? {} : { tenant_name: tenantName }
  return { tid: tenantId, ...name, tenant_roles: tenantRoles }
}

/** Adds that the account or service account is in no tenant. */
export function withoutTenant<Holder extends object>(holder: Holder): Holder & TenantPart {
  return { ...holder, tenantId: undefined, tenantName: undefined, tenantRoles: [] }
}

/** Adds the tenant of an account, and its roles there. */
export function inTenant<Holder extends object>(
  holder: Holder,
  { tenantId, tenantName, roles }: Membership,
): Holder & TenantPart {
  return { ...holder, tenantId, tenantName, tenantRoles: roles }
}
