import type { Context, MiddlewareHandler, Next } from 'hono'
import type { AccessTokenClaims } from '../verification/access-token.ts'
import type { Guard, VerifyResult } from '../guard.ts'
import { viewOfRequest } from '../request/request-view.ts'
import { assertGuard, routeOf } from '../route-of.ts'
import type { Requirements } from '../verification/requirements.ts'

/** The variables that `requireAuth` adds to a context: `c.var.auth` and `c.get('auth')`. */
export interface AuthEnv<Own = unknown> {
  Variables: { auth: AccessTokenClaims & Own }
}

/** The variable that `optionalAuth` adds to a context. It is undefined on an anonymous request. */
export interface OptionalAuthEnv<Own = unknown> {
  Variables: { auth: (AccessTokenClaims & Own) | undefined }
}

/**
 * Makes middleware that accepts a request only with a valid access token that satisfies the requirements of
 * the route. The claims are then in `c.var.auth`. The middleware answers every other request itself: 400,
 * 401, 403 or 503 with a problem document. An error from `onRefused` goes to `app.onError`. Throws a
 * TypeError for an invalid requirement.
 */
export function requireAuth<Own = unknown>(
  guard: Guard<Own>,
  requirements: Requirements<Context> = {},
): MiddlewareHandler<AuthEnv<Own>> {
  const route = routeOf(guard, requirements)
  // Not async: for an accepted request the only promise is that of the next handler.
  const conclude = (
    c: Context<AuthEnv<Own>>,
    next: Next,
    result: VerifyResult<Own>,
  ): Promise<Response | void> => {
    if (result.ok) {
      c.set('auth', result.claims)
      return next()
    }
    const { status, headers, body } = route.challenge(result)
    // `c.body` keeps the headers that other middleware set on the answer, such as those of CORS. A new
    // Response would lose them.
    return Promise.resolve(c.body(body, status, { ...headers }))
  }
  return (c, next) => {
    const outcome = route.authenticate(viewOfRequest(c.req.raw, c))
    // Awaits nothing if the outcome is already known.
    return 'ok' in outcome
      ? conclude(c, next, outcome)
      : outcome.then((result) => conclude(c, next, result))
  }
}

/**
 * Makes middleware that sets `c.var.auth` if a request carries a valid access token. It accepts every
 * request: a public page must not answer 401 because the browser holds an expired token.
 */
export function optionalAuth<Own = unknown>(
  guard: Guard<Own>,
): MiddlewareHandler<OptionalAuthEnv<Own>> {
  assertGuard(guard)
  return async (c, next) => {
    const result = await guard.authenticate(viewOfRequest(c.req.raw, c))
    c.set('auth', result.ok ? result.claims : undefined)
    return next()
  }
}
