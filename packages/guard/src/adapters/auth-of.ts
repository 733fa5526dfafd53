import type { Guard } from '../guard.ts'
import type { AccessTokenClaims } from '../verification/access-token.ts'

// A property with a key of our own: other packages write `request.auth`, with other contents. The key is the
// same in every copy of this package that a process loads.
const AUTH = Symbol.for('@countersign/guard/auth')

interface Guarded {
  [AUTH]?: AccessTokenClaims | undefined
  auth?: unknown
}

/**
 * Returns the claims that the guard stored on a request. Their type does not include undefined. Throws if the
 * guard did not run on this route, or if it let an anonymous request pass. Both are mistakes in the routes.
 * `guard` gives your own claims the types that `createGuard<MyClaims>` named, and has no other effect.
 */
export function authOf<Own = unknown>(
  request: object,
  guard?: Guard<Own>,
): AccessTokenClaims & Own {
  const claims = optionalAuthOf(request, guard)
  if (claims !== undefined) return claims
  throw new Error(
    'authOf: the request is anonymous. Use optionalAuthOf, or requireAuth on the route.',
  )
}

/**
 * Returns the claims that the guard stored on a request; undefined on an anonymous request. Throws if neither
 * `requireAuth` nor `optionalAuth` ran on this route. `guard` is as for `authOf`.
 */
export function optionalAuthOf<Own = unknown>(
  request: object,
  _guard?: Guard<Own>,
): (AccessTokenClaims & Own) | undefined {
  if (!(AUTH in request)) {
    throw new Error('authOf: neither requireAuth nor optionalAuth ran on this route.')
  }
  // The caller names the type of its own claims; the issuer's signature stands for their contents.
  return (request as Guarded)[AUTH] as (AccessTokenClaims & Own) | undefined
}

/**
 * Stores the claims of an accepted HTTP request, or `undefined` for an anonymous one. `request.auth` is for
 * JavaScript. It has no type here, because other packages give it another one.
 */
export function storeAuth(request: object, claims: AccessTokenClaims | undefined): void {
  carryAuth(request, claims)
  const guarded: Guarded = request
  if (claims !== undefined) guarded.auth = claims
}

/**
 * Stores the claims on any object, for `authOf`. It leaves `auth` alone: on a handshake of socket.io, that is
 * what the client sent.
 */
export function carryAuth(carrier: object, claims: AccessTokenClaims | undefined): void {
  const guarded: Guarded = carrier
  guarded[AUTH] = claims
}
