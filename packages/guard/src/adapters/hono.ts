import type { Context, MiddlewareHandler, Next } from 'hono'
import type { AccessTokenClaims } from '../verification/access-token.ts'
import type { Guard, VerifyResult } from '../guard.ts'
import { viewOfRequest } from '../request/request-view.ts'
import { assertGuard, routeOf } from '../route-of.ts'
import type { Requirements } from '../verification/requirements.ts'

/** What `requireAuth` adds to a context: `c.var.auth` and `c.get('auth')`. */
export interface AuthEnv {
  Variables: { auth: AccessTokenClaims }
}

/** What `optionalAuth` adds to a context: undefined on an anonymous request. */
export interface OptionalAuthEnv {
  Variables: { auth: AccessTokenClaims | undefined }
}

/**
 * Lets a request pass only with a good access token that has what the route requires; its claims are then
 * `c.var.auth`. Answers the rest itself: 400, 401, 403 or 503 with a problem document. An error of
 * `onRefused` goes to `app.onError`. Throws a TypeError for a requirement that is wrong.
 */
export function requireAuth(
  guard: Guard,
  requirements: Requirements<Context> = {},
): MiddlewareHandler<AuthEnv> {
  const route = routeOf(guard, requirements)
  // Not async: of a request that may pass, the only promise is that of what comes next.
  const conclude = (
    c: Context<AuthEnv>,
    next: Next,
    result: VerifyResult,
  ): Promise<Response | void> => {
    if (result.ok) {
      c.set('auth', result.claims)
      return next()
    }
    const { status, headers, body } = route.challenge(result)
    // Not a Response of our own: `c.body` keeps what others put on the answer, such as CORS headers.
    return Promise.resolve(c.body(body, status, { ...headers }))
  }
  return (c, next) => {
    const outcome = route.authenticate(viewOfRequest(c.req.raw, c))
    // Without waiting where there is nothing to wait for.
    return 'ok' in outcome
      ? conclude(c, next, outcome)
      : outcome.then((result) => conclude(c, next, result))
  }
}

/**
 * Sets `c.var.auth` where a request carries a good access token, and lets every request pass: a public
 * page must not turn into a 401 because a token in the browser has expired.
 */
export function optionalAuth(guard: Guard): MiddlewareHandler<OptionalAuthEnv> {
  assertGuard(guard)
  return async (c, next) => {
    const result = await guard.authenticate(viewOfRequest(c.req.raw))
    c.set('auth', result.ok ? result.claims : undefined)
    return next()
  }
}
