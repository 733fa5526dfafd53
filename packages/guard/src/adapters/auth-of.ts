import type { AccessTokenClaims } from '../verification/access-token.ts'

/**
 * Returns the claims that `requireAuth` stored on a request. Their type does not include undefined. Throws if
 * `requireAuth` did not run before, which is a mistake in the routes.
 */
export function authOf(request: {
  readonly auth?: AccessTokenClaims | undefined
}): AccessTokenClaims {
  if (request.auth === undefined) throw new Error('authOf: requireAuth did not run on this route.')
  return request.auth
}
