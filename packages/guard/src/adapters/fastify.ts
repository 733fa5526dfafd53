import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import type { AccessTokenClaims } from '../verification/access-token.ts'
import type { Guard, RouteGuard, VerifyResult } from '../guard.ts'
import type { Refused } from '../refusals.ts'
import { viewOfNode } from '../request/request-view.ts'
import { assertGuard, routeOf } from '../route-of.ts'
import type { Requirements } from '../verification/requirements.ts'
import { asError } from '../errors.ts'

export { authOf } from './auth-of.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The claims of the verified access token; undefined on an anonymous request. */
    auth?: AccessTokenClaims
  }
}

/** A hook for `onRequest`, or any later one before the handler. */
export type Hook = (
  request: FastifyRequest,
  reply: FastifyReply,
  done: HookHandlerDoneFunction,
) => void

/**
 * Lets a request pass only with a good access token that has what the route requires; its claims are then
 * `request.auth`. Answers the rest itself: 400, 401, 403 or 503 with a problem document. An error of
 * `onRefused` goes to `done`. Throws a TypeError for a requirement that is wrong.
 */
export function requireAuth(guard: Guard, requirements: Requirements<FastifyRequest> = {}): Hook {
  const route = routeOf(guard, requirements)
  return hookFor(route, (refused, reply) => {
    // A time-out of the application may have answered while keys were being fetched.
    if (reply.sent) return
    const { status, headers, body } = route.challenge(refused)
    reply.code(status).headers(headers).send(body)
  })
}

/**
 * Sets `request.auth` where a request carries a good access token, and lets every request pass: a
 * public page must not turn into a 401 because a token in the browser has expired.
 */
export function optionalAuth(guard: Guard): Hook {
  return hookFor(assertGuard(guard), (_refused, _reply, done) => done())
}

type OnRefused = (refused: Refused, reply: FastifyReply, done: HookHandlerDoneFunction) => void

function hookFor(guard: RouteGuard, onRefused: OnRefused): Hook {
  const conclude = (
    result: VerifyResult,
    request: FastifyRequest,
    reply: FastifyReply,
    done: HookHandlerDoneFunction,
  ): void => {
    if (!result.ok) return onRefused(result, reply, done)
    request.auth = result.claims
    done()
  }
  return (request, reply, done) => {
    let outcome: VerifyResult | Promise<VerifyResult>
    try {
      outcome = guard.authenticate(viewOfNode(request.raw, request))
    } catch (error) {
      // Not every 5.x release catches what a hook with a callback throws; it would end the process.
      return done(asError(error))
    }
    // Without a promise where none is needed.
    if ('ok' in outcome) conclude(outcome, request, reply, done)
    else {
      const fail = (error: unknown): void => done(asError(error))
      outcome.then((result) => conclude(result, request, reply, done), fail)
    }
  }
}
