import type { AccessTokenClaims } from '../verification/access-token.ts'
import type { Guard } from '../guard.ts'
import { viewOfRequest } from '../request/request-view.ts'
import { routeOf } from '../route-of.ts'
import type { Requirements } from '../verification/requirements.ts'

/** The claims of an accepted request, or the answer to send to a refused one. */
export type Authentication<Own = unknown> =
  // Without `strict`, TypeScript does not know which members belong to which result. So both have both.
  | { readonly ok: true; readonly claims: AccessTokenClaims & Own; readonly response?: undefined }
  | { readonly ok: false; readonly response: Response; readonly claims?: undefined }

/**
 * Makes the function that authenticates the web-standard requests of one route. Use it where there is no
 * adapter, for example in Deno, in a serverless function or in your own router. Throws a TypeError for an
 * invalid requirement.
 */
export function createAuthenticator<Own = unknown>(
  guard: Guard<Own>,
  requirements: Requirements<Request> = {},
): (request: Request) => Promise<Authentication<Own>> {
  const route = routeOf(guard, requirements)
  return async (request) => {
    const result = await route.authenticate(viewOfRequest(request))
    if (result.ok) return { ok: true, claims: result.claims }
    const { status, headers, body } = route.challenge(result)
    return { ok: false, response: new Response(body, { status, headers: { ...headers } }) }
  }
}
