import type { AccessTokenClaims } from '../verification/access-token.ts'
import type { Guard } from '../guard.ts'
import { viewOfRequest } from '../request/request-view.ts'
import { routeOf } from '../route-of.ts'
import type { Requirements } from '../verification/requirements.ts'

/** The claims of a request that may pass, or the answer to one that may not. */
export type Authentication =
  | { readonly ok: true; readonly claims: AccessTokenClaims }
  | { readonly ok: false; readonly response: Response }

/**
 * Makes the check of web-standard requests for one route, for whatever has no adapter of its own: a
 * server of Deno's shape, a function, a router. Throws a TypeError for a requirement that is wrong.
 */
export function createAuthenticator(
  guard: Guard,
  requirements: Requirements<Request> = {},
): (request: Request) => Promise<Authentication> {
  const route = routeOf(guard, requirements)
  return async (request) => {
    const result = await route.authenticate(viewOfRequest(request))
    if (result.ok) return { ok: true, claims: result.claims }
    const { status, headers, body } = route.challenge(result)
    return { ok: false, response: new Response(body, { status, headers: { ...headers } }) }
  }
}
