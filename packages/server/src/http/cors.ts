import type { RouteDescription } from './router/route.ts'
import type { HttpSettings } from './services.ts'

/** Lets pages of the configured origins call the API, and pages of no other origin. */
export interface Cors {
  /** Answers a preflight request of a configured origin. Returns undefined for any other request. */
  preflight(request: Request): Response | undefined
  /** Adds the headers that let a page read the answer, if its origin is configured. */
  apply(request: Request, response: Response): Response
}

const PREFLIGHT_SEC = '600'

// The server reads only the first ones. The others are harmless: tracing and frameworks add them to every
// request of a page, and a browser blocks a request with a header that is not listed here.
const HEADERS = [
  'Authorization',
  'Content-Type',
  'X-CSRF-Token',
  'X-CSRFToken',
  'Cache-Control',
  'Pragma',
  'X-Requested-With',
  'X-Request-ID',
  'X-Correlation-ID',
  'X-XSRF-TOKEN',
  'traceparent',
  'tracestate',
  'baggage',
  'sentry-trace',
  'b3',
  'X-B3-TraceId',
  'X-B3-SpanId',
  'X-B3-ParentSpanId',
  'X-B3-Sampled',
  'X-B3-Flags',
  'uber-trace-id',
  'newrelic',
  'x-datadog-origin',
  'x-datadog-parent-id',
  'x-datadog-sampling-priority',
  'x-datadog-trace-id',
]

/**
 * Creates CORS (Fetch §3.2) with credentials, so each origin is named and `*` is never sent. An origin that
 * is not configured gets no header, so the browser hides the answer from its page. The allowed methods are
 * the methods of the route table.
 */
export function createCors(
  http: Pick<HttpSettings, 'origins' | 'corsHeaders'>,
  routes: readonly Pick<RouteDescription, 'method'>[],
): Cors {
  const origins = new Set(http.origins)
  const headers = [...HEADERS, ...http.corsHeaders].join(', ')
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
          'access-control-allow-headers': headers,
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
