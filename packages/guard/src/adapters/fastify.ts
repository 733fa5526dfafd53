import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import type { Guard, RouteGuard, VerifyResult } from '../guard.ts'
import type { Refused } from '../refusals.ts'
import { viewOfNode } from '../request/request-view.ts'
import { assertGuard, routeOf } from '../route-of.ts'
import type { Requirements } from '../verification/requirements.ts'
import { asError } from '../errors.ts'
import { storeAuth } from './auth-of.ts'

export { authOf, optionalAuthOf } from './auth-of.ts'

/** A hook for `onRequest`, or for any later phase before the handler. */
export type Hook = (
  request: FastifyRequest,
  reply: FastifyReply,
  done: HookHandlerDoneFunction,
) => void

/**
 * Makes a hook that accepts a request only with a valid access token that satisfies the requirements of the
 * route. `authOf(request)` then returns the claims. The hook answers every other request itself: 400, 401, 403
 * or 503 with a problem document. An error from `onRefused` goes to `done`. Throws a TypeError for an invalid
 * requirement.
 */
export function requireAuth(guard: Guard, requirements: Requirements<FastifyRequest> = {}): Hook {
  const route = routeOf(guard, requirements)
  return hookFor(route, (refused, reply, done) => {
    // The application's own timeout may have sent an answer while keys were being fetched.
    if (reply.sent) return
    try {
      const { status, headers, body } = route.challenge(refused)
      reply.code(status).headers(headers).send(body)
    } catch (error) {
      // After a fetch of the keys, nobody else catches this error. Uncaught, it would end the process.
      if (!reply.sent) done(asError(error))
    }
  })
}

/**
 * Makes a hook that reads the access token if a request carries a valid one. `optionalAuthOf(request)` then
 * returns the claims. It accepts every request: a public page must not answer 401 because the browser holds an
 * expired token.
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
    storeAuth(request, result.ok ? result.claims : undefined)
    if (result.ok) done()
    else onRefused(result, reply, done)
  }
  return (request, reply, done) => {
    let outcome: VerifyResult | Promise<VerifyResult>
    try {
      outcome = guard.authenticate(viewOfNode(request.raw, request))
    } catch (error) {
      // Not every 5.x release catches an error that a hook with a callback throws. An uncaught error would
      // end the process.
      return done(asError(error))
    }
    // Creates no promise if the outcome is already known.
    if ('ok' in outcome) conclude(outcome, request, reply, done)
    else {
      const fail = (error: unknown): void => done(asError(error))
      outcome.then((result) => conclude(result, request, reply, done), fail)
    }
  }
}
