import type { AccessTokenClaims } from '../verification/access-token.ts'
import type { Guard } from '../guard.ts'
import { viewOfRequest } from '../request/request-view.ts'
import { routeOf } from '../route-of.ts'
import type { Requirements } from '../verification/requirements.ts'

/** The claims of an accepted request, or the answer to a refused one. */
export type Authentication =
  | { readonly ok: true; readonly claims: AccessTokenClaims }
  | { readonly ok: false; readonly response: Response }

/**
 * Makes the check of one route for web-standard requests. Use it where there is no adapter: a server in the
 * style of Deno, a function, a router. Throws a TypeError for a wrong requirement.
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
