import type { CanActivate, ExecutionContext } from '@nestjs/common'

import type { Guard, RouteGuard, VerifyResult } from '../../guard.ts'
import { asError } from '../../errors.ts'
import type { RequestView } from '../../request/request-view.ts'
import { routeOf } from '../../route-of.ts'
import type { Requirements } from '../../verification/requirements.ts'
import { carryAuth, storeAuth } from '../auth-of.ts'
import { AccessRefusedException } from './access-refused-exception.ts'
import { accessOf } from './decorators.ts'
import { type NestRequestSource, type NestRequestView, requestOf } from './nest-request.ts'

/** The options of a NestJS guard. HTTP needs none of them. */
export interface NestGuardOptions {
  /**
   * Returns the request of a context that is not HTTP: GraphQL, a gateway (WebSocket), a microservice. For
   * GraphQL: `(context) => GqlExecutionContext.create(context).getContext().req`.
   */
  readonly getRequest?: (context: ExecutionContext) => NestRequestSource
  /**
   * Returns the error to throw instead of the exception for a refused request. Gateways need a `WsException`,
   * microservices an `RpcException`. Default: the exception itself.
   */
  readonly toException?: (exception: AccessRefusedException, context: ExecutionContext) => unknown
}

/**
 * Makes a NestJS guard: for `@UseGuards(...)`, `app.useGlobalGuards(...)`, or as `APP_GUARD`. It accepts a
 * request only with a valid access token that satisfies the given requirements and those of `@Roles` and
 * `@Requires`. `@Auth()` then gives the claims. For every other request it throws an
 * `AccessRefusedException`, which NestJS answers with 400, 401, 403 or 503. `@Public()` switches it off.
 * Throws a TypeError for an invalid requirement.
 */
export function createNestGuard<PlatformRequest = NestRequestView>(
  guard: Guard,
  requirements: Requirements<PlatformRequest> = {},
  options: NestGuardOptions = {},
): CanActivate {
  const own = routeOf(guard, requirements)
  const decorated = new WeakMap<object, Map<unknown, readonly RouteGuard[] | undefined>>()

  /** The guards that check a route; undefined if it is public. */
  function guardsOf(context: ExecutionContext): readonly RouteGuard[] | undefined {
    const [handler, controller] = [context.getHandler(), context.getClass()]
    const ofHandler = decorated.get(handler) ?? new Map()
    decorated.set(handler, ofHandler)
    if (!ofHandler.has(controller)) ofHandler.set(controller, readDecorators(context))
    return ofHandler.get(controller)
  }

  function readDecorators(context: ExecutionContext): readonly RouteGuard[] | undefined {
    const access = accessOf(context, nestGuard)
    if (access.isPublic) return undefined
    if (Object.keys(access.requirements).length === 0) return [own]
    // They are read together, because roles in a tenant count only beside a tenant.
    const joined = routeOf(guard, { ...requirements, ...access.requirements })
    // A decorator must not replace what the guard itself requires. So both hold.
    return Object.keys(requirements).length === 0 ? [joined] : [own, joined]
  }

  const nestGuard: CanActivate = {
    async canActivate(context) {
      const guards = guardsOf(context)
      // Public, and nobody said where its request is: other code authenticates its messages.
      const isHttp = context.getType() === 'http'
      if (guards === undefined && !isHttp && options.getRequest === undefined) return true
      const { view, carriers } = requestOf(context, options.getRequest)
      const result = await authenticate(guards ?? [guard], view)
      const store = isHttp ? storeAuth : carryAuth
      for (const carrier of carriers) store(carrier, result.ok ? result.claims : undefined)
      if (result.ok || guards === undefined) return true
      const exception = new AccessRefusedException(result, own.challenge(result), isHttp)
      return refuse(exception, context, options)
    },
  }
  return nestGuard
}

async function authenticate(
  guards: readonly RouteGuard[],
  request: RequestView,
): Promise<VerifyResult> {
  let result: VerifyResult | undefined
  try {
    for (const guard of guards) {
      result = await guard.authenticate(request)
      if (!result.ok) return result
    }
  } catch (error) {
    throw asError(error)
  }
  if (result === undefined) throw new Error('no guard checks this route')
  return result
}

function refuse(
  exception: AccessRefusedException,
  context: ExecutionContext,
  { toException }: NestGuardOptions,
): Promise<never> {
  if (context.getType() === 'http') {
    const response = context.switchToHttp().getResponse<NestResponse>()
    // The application's own timeout has answered while keys were being fetched. An exception would make a
    // filter answer again, which ends the process in some versions of NestJS.
    if ((response.raw ?? response).headersSent) return new Promise(() => {})
    for (const [name, value] of Object.entries(exception.headers)) response.header(name, value)
  }
  throw toException === undefined ? exception : toException(exception, context)
}

/** The part of the answer that both platforms have. On Fastify, `raw` is Node's answer. */
interface NestResponse {
  readonly headersSent?: boolean
  readonly raw?: { readonly headersSent: boolean }
  header(name: string, value: string): void
}
