import type { IncomingMessage } from 'node:http'
import type { BlockList } from 'node:net'

import { clientAddress } from '../base/address.ts'
import { limits } from '../base/limits.ts'
import type { Caller } from '../sessions/services.ts'
import { createCookies } from './browser/cookies.ts'
import { createCors } from './cors.ts'
import { createErrorAnswer } from './error-answer.ts'
import { problem } from './problem.ts'
import type { ApiRoute } from './router/define.ts'
import { createRouter } from './router/router.ts'
import { routes } from './routes.ts'
import { createSecurityHeaders } from './security-headers.ts'
import type { AppServices, HttpServices, RequestContext } from './services.ts'

/**
 * Creates the HTTP API as one function of a request. `table` is the route table. Tests pass their own table.
 */
export function createApp(
  app: AppServices,
  table: readonly ApiRoute[] = routes,
): (request: Request, context?: RequestContext) => Promise<Response> {
  const { http } = app
  const features = { signUp: http.signUp, ownAccounts: app.accounts !== undefined }
  const rows = table.filter(({ feature }) => feature === undefined || feature.isOn(features))
  const services: HttpServices = {
    ...app,
    routes: rows,
    cookies: createCookies({ publicUrl: http.publicUrl, domain: http.cookieDomain }),
    origins: new Set([...http.origins, new URL(http.publicUrl).origin]),
  }
  const cors = createCors(new Set(http.origins), rows)
  const secure = createSecurityHeaders(http.publicUrl)
  const router = createRouter(
    rows.map((row) => ({ row, answer: row.bind(services) })),
    {
      callerOf: (request, context) => ({
        address: addressOf(request, context, http.trustedProxies),
        userAgent: (request.headers.get('user-agent') ?? '').slice(0, limits.userAgentCharsMax),
      }),
      waitUntilEffective: app.waitUntilEffective,
      secure,
      answerError: createErrorAnswer(app.logger),
    },
  )

  return async (request, context) => {
    const preflight = cors.preflight(request)
    if (preflight !== undefined) return secure(preflight)
    const response = hasEscapedPath(request)
      ? secure(problem('not_found'))
      : await router(request, context)
    return cors.apply(request, response)
  }
}

/**
 * Whether the path has percent-escapes. The router would decode them, so an endpoint would have a second
 * spelling. An application that compares paths would not recognise that spelling. No path of the table needs
 * an escape. `serve` rejects further spellings before it creates a `Request`.
 */
function hasEscapedPath({ url }: Request): boolean {
  const end = url.indexOf('?')
  return (end === -1 ? url : url.slice(0, end)).includes('%')
}

/** Returns the caller of a request to Node's HTTP server, by the same rules as for a `Request`. */
export function callerOfNode(incoming: IncomingMessage, proxies: BlockList | undefined): Caller {
  const forwarded = incoming.headers['x-forwarded-for']
  const text = Array.isArray(forwarded) ? forwarded.join(',') : forwarded
  return {
    address: clientAddress(incoming.socket.remoteAddress ?? '', text, proxies),
    userAgent: (incoming.headers['user-agent'] ?? '').slice(0, limits.userAgentCharsMax),
  }
}

function addressOf(
  request: Request,
  context: RequestContext | undefined,
  proxies: BlockList | undefined,
): string {
  const forwarded = request.headers.get('x-forwarded-for') ?? undefined
  return clientAddress(context?.address ?? '', forwarded, proxies)
}
