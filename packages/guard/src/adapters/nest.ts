import type { IncomingMessage, ServerResponse } from 'node:http'

import type { AccessTokenClaims } from '../verification/access-token.ts'
import type { Guard } from '../guard.ts'
import { viewOfNode } from '../request/request-view.ts'
import { routeOf } from '../route-of.ts'
import type { Requirements } from '../verification/requirements.ts'

export { authOf } from './auth-of.ts'

/** What NestJS hands to a guard, as far as this one reads it. */
export interface NestContext {
  switchToHttp(): { getRequest(): unknown; getResponse(): unknown }
}

/** A guard of NestJS: for `@UseGuards(...)`, `app.useGlobalGuards(...)` or `useValue` of a provider. */
export interface NestGuard {
  canActivate(context: NestContext): Promise<boolean>
}

/** What a function among the requirements gets, as far as it is the same on both platforms. */
export interface NestRequestView {
  readonly params: Readonly<Record<string, string | undefined>>
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly url: string
}

/**
 * Makes a NestJS guard, for its Express or its Fastify platform. It lets a request pass only with a good
 * access token that has what the route requires; its claims are then `request.auth`. It answers the
 * rest itself, with the same bytes as the other adapters. Throws a TypeError for a requirement that is wrong.
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
      // What is answered already is left alone by the filter that `false` leads to.
      if (!raw.headersSent) raw.writeHead(status, headers).end(body)
      return false
    },
  }
}

/** Of Express it is Node's own, of Fastify that is `raw`. */
type NestRequest = IncomingMessage & { auth?: AccessTokenClaims; readonly raw?: IncomingMessage }
type NestResponse = ServerResponse & { readonly raw?: ServerResponse }
