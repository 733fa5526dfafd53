import type { AccessTokenClaims } from '../verification/access-token.ts'

/**
 * Gives the claims that `requireAuth` left on a request, without undefined in the type. Throws when it
 * did not run before, which is a mistake in the routes.
 */
export function authOf(request: {
  readonly auth?: AccessTokenClaims | undefined
}): AccessTokenClaims {
  if (request.auth === undefined) throw new Error('authOf: requireAuth did not run on this route.')
  return request.auth
}
