import { randomUUID } from 'node:crypto'

import { csrfHash } from '../request/csrf.ts'

/** The holder of a token, and how the token differs from a usual one. */
export interface Holder {
  /** The id of the account. Default `acct_test`. */
  readonly sub?: string
  /** Global roles. Default: none. */
  readonly roles?: readonly string[]
  /** The tenant that the token is for: its name, or its id (`ten_...`). Default: none. */
  readonly tenant?: string
  /** The roles in that tenant. Default: none. */
  readonly tenantRoles?: readonly string[]
  /** The session. Tokens with the same value end together. Default: a new session. */
  readonly sid?: string
  /** The id of a service account, which then holds the token instead of a person. */
  readonly service?: string
  /** When the token expires, in seconds from now. A token of -60 has expired. Default 300. */
  readonly expiresInSec?: number
  /** How long ago the person logged in, in seconds, for routes with `maxAgeSec`. Default 0. */
  readonly loggedInSecAgo?: number
  /** For a token in a cookie: the CSRF token that requests send. */
  readonly csrfToken?: string
  /** Your own claims. They also replace any other claim; `undefined` removes it. */
  readonly claims?: Readonly<Record<string, unknown>>
}

/** Returns the claims about the holder and the times of a token. `now` is in milliseconds since 1970. Pure but for ids. */
export function claimsOf(holder: Holder, now: number): Record<string, unknown> {
  const { roles = [], expiresInSec = 300, loggedInSecAgo = 0, csrfToken, claims } = holder
  const nowSec = Math.floor(now / 1000)
  return {
    // A token that has expired was issued before.
    iat: Math.min(nowSec, nowSec + expiresInSec - 1),
    exp: nowSec + expiresInSec,
    roles,
    ...identityOf(holder, nowSec - loggedInSecAgo),
    ...tenantOf(holder),
    ...(csrfToken === undefined ? {} : { csh: csrfHash(csrfToken) }),
    ...claims,
  }
}

function identityOf({ sub, service, sid }: Holder, authTime: number): Record<string, unknown> {
  if (service !== undefined) return { sub: service, client_id: service }
  return {
    sub: sub ?? 'acct_test',
    client_id: 'first-party',
    sid: sid ?? randomUUID(),
    auth_time: authTime,
    amr: ['pwd'],
  }
}

function tenantOf({ tenant, tenantRoles }: Holder): Record<string, unknown> {
  if (tenant === undefined) {
    if (tenantRoles !== undefined) throw new TypeError('tokenFor: tenantRoles needs tenant.')
    return {}
  }
  const tenant_roles = tenantRoles ?? []
  // Ids contain `_`, and names do not.
  return tenant.includes('_')
    ? { tid: tenant, tenant_roles }
    : { tid: `ten_${tenant}`, tenant_name: tenant, tenant_roles }
}
