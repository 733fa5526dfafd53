import type { RouteDescription } from './router/route.ts'

/** Lets pages of the configured origins call the API, and pages of no other origin. */
export interface Cors {
  /** Answers a preflight request of a configured origin. Returns undefined for any other request. */
  preflight(request: Request): Response | undefined
  /** Adds the headers that let a page read the answer, if its origin is configured. */
  apply(request: Request, response: Response): Response
}

const PREFLIGHT_SEC = '600'

/**
 * Creates CORS (Fetch §3.2) with credentials, so each origin is named and `*` is never sent. An origin that
 * is not configured gets no header, so the browser hides the answer from its page. The allowed methods are
 * the methods of the route table.
 */
export function createCors(
  origins: ReadonlySet<string>,
  routes: readonly Pick<RouteDescription, 'method'>[],
): Cors {
  const methods = [...new Set(routes.map(({ method }) => method))].join(', ')
  const originOf = (request: Request): string | undefined => {
    const origin = request.headers.get('origin') ?? ''
    return origins.has(origin) ? origin : undefined
  }

  return {
    preflight(request) {
      const method = request.headers.get('access-control-request-method')
      const origin = originOf(request)
      if (request.method !== 'OPTIONS' || method === null || origin === undefined) return undefined
      return new Response(null, {
        status: 204,
        headers: {
          'access-control-allow-origin': origin,
          'access-control-allow-credentials': 'true',
          'access-control-allow-methods': methods,
          'access-control-allow-headers': 'Authorization, Content-Type, X-CSRF-Token, X-CSRFToken',
          'access-control-max-age': PREFLIGHT_SEC,
          vary: 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers',
        },
      })
    },

    apply(request, response) {
      if (origins.size === 0) return response
      // Also added without an Origin header: a cache must not use this answer for a page.
      response.headers.append('vary', 'Origin')
      const origin = originOf(request)
      if (origin === undefined) return response
      response.headers.set('access-control-allow-origin', origin)
      response.headers.set('access-control-allow-credentials', 'true')
      response.headers.set('access-control-expose-headers', 'Retry-After, WWW-Authenticate')
      return response
    },
  }
}
