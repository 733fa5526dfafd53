import { Hono } from 'hono'
import type { Logger } from 'pino'

import { StoreFault, messageOf } from '../base/faults.ts'
import { limits } from '../base/limits.ts'
import type { RefusalCode } from '../base/refusals.ts'
import type { Caller, SessionParts } from '../sessions/parts.ts'
import type { Refresher } from '../sessions/refresh.ts'
import { answerMethodNotAllowed, answerRefusal } from './contract/answers.ts'
import { createContractEndpoints } from './contract/endpoints.ts'
import { answerHealth, createReadinessAnswer } from './health.ts'
import { answerMe } from './me.ts'
import { createPage } from './page.ts'
import { problem } from './problem.ts'
import { createJwksAnswer } from './well-known.ts'

/** What the server in front knows of a request that the request itself does not say. */
export interface RequestContext {
  /** The client's address. Left out, the audit shows none. */
  readonly address?: string | undefined
}

export interface AppParts {
  readonly sessions: SessionParts
  readonly refresh: Refresher
  readonly logger: Logger
}

/** The whole HTTP API as one function of a request. */
export function createApp(
  app: AppParts,
): (request: Request, context?: RequestContext) => Promise<Response> {
  const { sessions } = app
  const hono = new Hono<{ Bindings: RequestContext }>()

  for (const [path, endpoint] of createContractEndpoints(sessions, app.refresh)) {
    for (const spelling of [path, `${path}/`]) {
      hono.post(spelling, (c) => endpoint(c.req.raw, callerOf(c.req.raw, c.env)))
      hono.options(
        spelling,
        () => new Response(null, { status: 204, headers: { allow: 'POST, OPTIONS' } }),
      )
      hono.all(spelling, (c) => answerMethodNotAllowed(c.req.method))
    }
  }

  const gets: Record<string, (request: Request) => Response | Promise<Response>> = {
    '/auth/me': (request) => answerMe(sessions, request),
    '/.well-known/jwks.json': createJwksAnswer(sessions.ring),
    '/healthz': answerHealth,
    '/readyz': createReadinessAnswer(sessions.store, sessions.clock),
    '/': createPage(sessions.access),
  }
  for (const [path, answer] of Object.entries(gets)) {
    hono.get(path, (c) => answer(c.req.raw))
    hono.all(path, () => problem('method_not_allowed', { allow: 'GET, HEAD' }))
  }

  hono.notFound(() => problem('not_found'))
  hono.onError((error, c) => answerError(app.logger, error, c.req.path))
  return async (request, context) => hono.fetch(request, context ?? {})
}

function callerOf(request: Request, context: RequestContext | undefined): Caller {
  return {
    address: context?.address ?? '',
    userAgent: (request.headers.get('user-agent') ?? '').slice(0, limits.userAgentCharsMax),
  }
}

/** A store that failed is 503 and worth a retry; anything else thrown is our mistake. */
function answerError(logger: Logger, error: unknown, path: string): Response {
  const code: RefusalCode = error instanceof StoreFault ? 'store_unavailable' : 'internal_error'
  logger.error({ event: code, path, error: messageOf(error), stack: stackOf(error) })
  return path.startsWith('/api/token') ? answerRefusal(code) : problem(code)
}

function stackOf(error: unknown): string | undefined {
  return error instanceof StoreFault || !(error instanceof Error) ? undefined : error.stack
}
