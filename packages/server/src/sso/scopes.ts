import type { Account } from '../store/rows.ts'

/** The scopes of OpenID Connect that applications can ask for (OpenID Connect Core 1.0 §5.4, §11). */
export const SCOPES = ['openid', 'profile', 'email', 'offline_access'] as const

/** A scope that applications can ask for. */
export type Scope = (typeof SCOPES)[number]

/** The claims that each scope asks for. The account pages keep no names, so `profile` has the username. */
export const SCOPE_CLAIMS: Readonly<Record<'openid' | 'profile' | 'email', readonly string[]>> = {
  openid: ['sub'],
  profile: ['preferred_username'],
  email: ['email', 'email_verified'],
}

/** Returns the known ones among the scopes of a request, each once. Unknown scopes are ignored (RFC 6749 §3.3). */
export function knownScopes(scope: string | undefined): readonly Scope[] {
  const asked = new Set(scope?.split(' '))
  return SCOPES.filter((each) => asked.has(each))
}

/** Returns the claims about a person that these scopes allow. Pure. `account` is undefined if the application keeps it. */
export function personClaims(
  scopes: readonly string[],
  username: string,
  account: Pick<Account, 'email'> | undefined,
): Readonly<Record<string, unknown>> {
  const email = account?.email
  return {
    ...(scopes.includes('profile') ? { preferred_username: username } : {}),
    ...(scopes.includes('email') && email !== undefined
      ? { email: email.address, email_verified: email.verifiedAt !== undefined }
      : {}),
  }
}
