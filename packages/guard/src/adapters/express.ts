import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Guard, RouteGuard, VerifyResult } from '../guard.ts'
import type { Refused } from '../refusals.ts'
import { viewOfNode } from '../request/request-view.ts'
import { assertGuard, routeOf } from '../route-of.ts'
import type { Requirements } from '../verification/requirements.ts'
import { asError } from '../errors.ts'
import { storeAuth } from './auth-of.ts'

export { authOf, optionalAuthOf } from './auth-of.ts'

/**
 * Middleware for Express 4 and 5, and for anything else that calls `(request, response, next)` with Node's
 * own objects. It is typed with Node's types, so that Express still infers a route's parameters from its
 * path.
 */
export type Middleware = (
  request: IncomingMessage,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => void

/**
 * Express's request, which a function in the requirements receives. Only the members below are typed here.
 */
export interface ExpressRequest extends IncomingMessage {
  readonly params: Readonly<Record<string, string | undefined>>
  readonly query: Readonly<Record<string, unknown>>
  readonly hostname: string
  readonly originalUrl: string
  readonly path: string
}

/**
 * Makes middleware that accepts a request only with a valid access token that satisfies the requirements of
 * the route. `authOf(request)` then returns the claims. The middleware answers every other request itself:
 * 400, 401, 403 or 503 with a problem document. An error from `onRefused` goes to `next`. Throws a TypeError
 * for an invalid requirement.
 */
export function requireAuth(
  guard: Guard,
  requirements: Requirements<ExpressRequest> = {},
): Middleware {
  const route = routeOf(guard, requirements)
  return middlewareFor(route, (refused, response, next) => {
    // The application's own timeout may have sent an answer while keys were being fetched.
    if (response.headersSent) return
    try {
      const { status, headers, body } = route.challenge(refused)
      response.writeHead(status, headers).end(body)
    } catch (error) {
      // Other middleware may run its own code when headers are written. After a fetch of the keys, an error
      // from there would end the process.
      if (!response.headersSent) next(asError(error))
    }
  })
}

/**
 * Makes middleware that reads the access token if a request carries a valid one. `optionalAuthOf(request)`
 * then returns the claims. It accepts every request: a public page must not answer 401 because the browser
 * holds an expired token.
 */
export function optionalAuth(guard: Guard): Middleware {
  return middlewareFor(assertGuard(guard), (_refused, _response, next) => next())
}

type Next = Parameters<Middleware>[2]
type OnRefused = (refused: Refused, response: ServerResponse, next: Next) => void

function middlewareFor(guard: RouteGuard, onRefused: OnRefused): Middleware {
  const conclude = (
    result: VerifyResult,
    request: IncomingMessage,
    response: ServerResponse,
    next: Next,
  ): void => {
    storeAuth(request, result.ok ? result.claims : undefined)
    if (result.ok) next()
    else onRefused(result, response, next)
  }
  return (request, response, next) => {
    let outcome: VerifyResult | Promise<VerifyResult>
    try {
      outcome = guard.authenticate(viewOfNode(request))
    } catch (error) {
      return next(asError(error))
    }
    // Creates no promise if the outcome is already known.
    if ('ok' in outcome) return conclude(outcome, request, response, next)
    const fail = (error: unknown): void => next(asError(error))
    outcome.then((result) => conclude(result, request, response, next), fail)
  }
}
