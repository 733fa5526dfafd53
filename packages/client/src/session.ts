/** The account and the session of the person who is logged in. The members are those of `GET /auth/me`. */
export interface Session {
  /** The id of the account. */
  readonly sub: string
  readonly username: string
  /** The imported Django id, otherwise the same as `sub`. */
  readonly user_id: string
  /** The global roles. */
  readonly roles: readonly string[]
  /** The permissions of the global roles. */
  readonly permissions: readonly string[]
  /** The roles in the tenant of the session. Missing without a tenant. */
  readonly tenant_roles?: readonly string[]
  /** The permissions of the roles in the tenant. Missing without a tenant. */
  readonly tenant_permissions?: readonly string[]
  readonly tenant: { readonly id: string; readonly name: string } | null
  readonly tenants: readonly { readonly id: string; readonly name: string }[]
  /** The id of the session. */
  readonly sid: string
  /** When the person logged in, or last confirmed who they are, in seconds since 1970. */
  readonly auth_time: number
  /** How the person has proved who they are, such as `pwd`, `otp` and `mfa` (RFC 8176). */
  readonly amr?: readonly string[]
  /** The strength of the login. `aal2`: with two factors. Missing with one factor. */
  readonly acr?: string
}
