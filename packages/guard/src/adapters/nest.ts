import type { IncomingMessage, ServerResponse } from 'node:http'

import type { AccessTokenClaims } from '../verification/access-token.ts'
import type { Guard } from '../guard.ts'
import { viewOfNode } from '../request/request-view.ts'
import { routeOf } from '../route-of.ts'
import type { Requirements } from '../verification/requirements.ts'

export { authOf } from './auth-of.ts'

/** The part of NestJS's execution context that this guard reads. */
export interface NestContext {
  switchToHttp(): { getRequest(): unknown; getResponse(): unknown }
}

/** A guard of NestJS: for `@UseGuards(...)`, `app.useGlobalGuards(...)` or `useValue` of a provider. */
export interface NestGuard {
  canActivate(context: NestContext): Promise<boolean>
}

/** The request that a function in the requirements receives: the members that both platforms have. */
export interface NestRequestView {
  readonly params: Readonly<Record<string, string | undefined>>
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly url: string
}

/**
 * Makes a NestJS guard for the Express or the Fastify platform. It accepts a request only with a valid access
 * token that satisfies the requirements of the route. The claims are then in `request.auth`. It answers every
 * other request itself, with the same bytes as the other adapters. Throws a TypeError for an invalid
 * requirement.
 */
export function createNestGuard<PlatformRequest = NestRequestView>(
  guard: Guard,
  requirements: Requirements<PlatformRequest> = {},
): NestGuard {
  const route = routeOf(guard, requirements)
  return {
    async canActivate(context) {
      const http = context.switchToHttp()
      const request = http.getRequest() as NestRequest
      const result = await route.authenticate(viewOfNode(request.raw ?? request, request))
      if (result.ok) {
        request.auth = result.claims
        return true
      }
      const response = http.getResponse() as NestResponse
      const { status, headers, body } = route.challenge(result)
      const raw = response.raw ?? response
      // Returning `false` runs an exception filter, which does not change a finished answer.
      if (!raw.headersSent) raw.writeHead(status, headers).end(body)
      return false
    },
  }
}

/** On Express this is Node's request. On Fastify, `raw` is Node's request. */
type NestRequest = IncomingMessage & { auth?: AccessTokenClaims; readonly raw?: IncomingMessage }
type NestResponse = ServerResponse & { readonly raw?: ServerResponse }
