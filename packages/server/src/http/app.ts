import type { IncomingMessage } from 'node:http'
import type { BlockList } from 'node:net'

import { Hono } from 'hono'
import type { Logger } from 'pino'

import type { AccountManager } from '../accounts/manage.ts'
import { clientAddress } from '../base/address.ts'
import { SignerFault, SourceFault, StoreFault, messageOf } from '../base/faults.ts'
import { limits } from '../base/limits.ts'
import type { RefusalCode } from '../base/refusals.ts'
import type { Caller, SessionServices } from '../sessions/services.ts'
import type { Refresher } from '../sessions/refresh.ts'
import type { Effective } from '../sessions/wait-effective.ts'
import { authenticate, isOfBearer } from './authenticate.ts'
import { createCookies } from './browser/cookies.ts'
import { answerCsrf, answerLogin, answerLogout, answerRefresh } from './browser/endpoints.ts'
import { answerMethodNotAllowed, answerRefusal } from './contract/answers.ts'
import { createContractEndpoints } from './contract/endpoints.ts'
import { createCors } from './cors.ts'
import { whenEffective } from './effective.ts'
import { answerHealth, createReadinessAnswer } from './health.ts'
import { answerMe } from './me.ts'
import {
  answerChangePassword,
  answerEndOwnSession,
  answerEndSession,
  answerEndSessions,
  answerSessions,
  type LoggedIn,
} from './own-account.ts'
import { answerIntrospect } from './oauth2/introspect.ts'
import { answerRevoke } from './oauth2/revoke.ts'
import { answerToken } from './oauth2/token.ts'
import { answerTokenRefusal } from './oauth2/answers.ts'
import { createPage } from './page.ts'
import { problem } from './problem.ts'
import { FEED_PATH } from './revocations/feed-socket.ts'
import {
  answerGuardMessages,
  answerPoll,
  POLL_PATH,
  type FeedServices,
} from './revocations/poll.ts'
import { answerSignUp } from './sign-up.ts'
import { createSecurityHeaders } from './security-headers.ts'
import { createJwksAnswer, createServerMetadataAnswer } from './well-known.ts'

/** What the server in front knows of a request that the request itself does not say. */
export interface RequestContext {
  /** The client's address. Left out, the audit shows none. */
  readonly address?: string | undefined
}

export interface AppServices {
  readonly sessions: SessionServices
  /** Undefined where the application keeps the accounts: nothing here changes them then. */
  readonly accounts: AccountManager | undefined
  readonly refresh: Refresher
  readonly http: HttpSettings
  readonly logger: Logger
  readonly feed: FeedServices
  /** Whether the store can be read and written now. */
  readonly isReady: () => Promise<boolean>
  /** Resolves when everything that was revoked until now is in force at every guard. */
  readonly waitUntilEffective: () => Promise<Effective>
}

/** What the settings say of browsers and proxies. */
export interface HttpSettings {
  readonly publicUrl: string
  readonly cookieDomain: string | undefined
  /** Origins, besides the server's own, whose pages may call it. */
  readonly origins: readonly string[]
  /** The proxies whose X-Forwarded-For is believed. */
  readonly trustedProxies: BlockList | undefined
  readonly signUp: boolean
}

const TOKEN_PATH = '/oauth2/token'

type Handler = (request: Request, caller: Caller, id: string) => Response | Promise<Response>

/** The whole HTTP API as one function of a request. */
export function createApp(
  app: AppServices,
): (request: Request, context?: RequestContext) => Promise<Response> {
  const { sessions, http } = app
  const hono = new Hono<{ Bindings: RequestContext }>()
  const cors = createCors(new Set(http.origins))
  const secured = createSecurityHeaders(http.publicUrl)
  const callerOf = (request: Request, context: RequestContext | undefined): Caller => ({
    address: addressOf(request, context, http.trustedProxies),
    userAgent: (request.headers.get('user-agent') ?? '').slice(0, limits.userAgentCharsMax),
  })

  for (const [path, endpoint] of createContractEndpoints(sessions, app.refresh)) {
    for (const spelling of [path, `${path}/`]) {
      hono.post(spelling, async (c) =>
        whenEffective(app.waitUntilEffective, c.req.raw, () =>
          endpoint(c.req.raw, callerOf(c.req.raw, c.env)),
        ),
      )
      hono.options(
        spelling,
        () => new Response(null, { status: 204, headers: { allow: 'POST, OPTIONS' } }),
      )
      hono.all(spelling, (c) => answerMethodNotAllowed(c.req.method))
    }
  }

  for (const [path, methods] of Object.entries({ ...pagesOf(app), ...browserRoutes(app) })) {
    for (const [method, handler] of Object.entries(methods)) {
      hono.on(method, path, async (c) => {
        const { raw } = c.req
        const answer = (): Response | Promise<Response> =>
          handler(raw, callerOf(raw, c.env), c.req.param('id') ?? '')
        return secured(
          await (method === 'GET' ? answer() : whenEffective(app.waitUntilEffective, raw, answer)),
        )
      })
    }
    const allowed = Object.keys(methods).flatMap((each) =>
      each === 'GET' ? ['GET', 'HEAD'] : each,
    )
    hono.all(path, () => secured(problem('method_not_allowed', { allow: allowed.join(', ') })))
  }

  hono.notFound(() => secured(problem('not_found')))
  hono.onError((error, c) => secured(answerError(app.logger, error, c.req.path)))
  return async (request, context) => {
    const preflight = cors.preflight(request)
    if (preflight !== undefined) return secured(preflight)
    const isPlain = !hasEscapedPath(request)
    return cors.apply(
      request,
      isPlain ? await hono.fetch(request, context ?? {}) : secured(problem('not_found')),
    )
  }
}

/**
 * Whether the path has another spelling, which the router would decode: past whatever compares paths in
 * the application around us. No path of ours needs an escape. `serve` refuses more, before it is a `Request`.
 */
function hasEscapedPath({ url }: Request): boolean {
  const end = url.indexOf('?')
  return (end === -1 ? url : url.slice(0, end)).includes('%')
}

type Routes = Readonly<Record<string, Readonly<Record<string, Handler>>>>

function pagesOf({ sessions, feed, isReady }: AppServices): Routes {
  return {
    '/.well-known/jwks.json': { GET: createJwksAnswer(sessions.ring) },
    '/.well-known/oauth-authorization-server': {
      GET: createServerMetadataAnswer(sessions.access.issuer),
    },
    '/healthz': { GET: answerHealth },
    '/readyz': { GET: createReadinessAnswer(isReady) },
    '/': { GET: createPage(sessions.access) },
    [POLL_PATH]: {
      GET: (request, caller) => answerPoll(feed, request, caller),
      POST: (request, caller) => answerGuardMessages(feed, request, caller),
    },
    [FEED_PATH]: { GET: () => problem('upgrade_required', { upgrade: 'websocket' }) },
    [TOKEN_PATH]: { POST: (request, caller) => answerToken(sessions, request, caller) },
    '/oauth2/revoke': { POST: (request, caller) => answerRevoke(sessions, request, caller) },
    '/oauth2/introspect': {
      POST: (request, caller) => answerIntrospect(sessions, request, caller),
    },
  }
}

/** What browsers use, with cookies; and, with an access token in the header, whoever holds one. */
function browserRoutes({ sessions, accounts, refresh, http }: AppServices): Routes {
  const cookies = createCookies({ publicUrl: http.publicUrl, domain: http.cookieDomain })
  const origins: ReadonlySet<string> = new Set([...http.origins, new URL(http.publicUrl).origin])
  const browser = { sessions, refresh, cookies, origins }
  const rule = { name: cookies.name('access'), origins }
  const loggedIn =
    (
      act: (who: LoggedIn, request: Request, caller: Caller, id: string) => Promise<Response>,
    ): Handler =>
    async (request, caller, id) => {
      const who = await authenticate(sessions, rule, request)
      return who.ok ? act({ ...who, cookies }, request, caller, id) : who.response
    }
  const endOwn = loggedIn((who, _, caller) => answerEndOwnSession(sessions, who, caller))
  return {
    '/auth/csrf': { GET: (request) => answerCsrf(browser, request) },
    '/auth/login': { POST: (request, caller) => answerLogin(browser, request, caller) },
    '/auth/refresh': { POST: (request, caller) => answerRefresh(browser, request, caller) },
    '/auth/logout': {
      // As everywhere, the header wins. Looked at for cookies alone, the session of who sent it would live on.
      POST: (request, caller, id) =>
        isOfBearer(request) ? endOwn(request, caller, id) : answerLogout(browser, request, caller),
    },
    '/auth/me': { GET: loggedIn(({ state }) => answerMe(sessions, state)) },
    '/auth/sessions': { GET: loggedIn((who) => answerSessions(sessions, who)) },
    '/auth/sessions/end-others': {
      POST: loggedIn((who, _, caller) => answerEndSessions(sessions, who, 'others', caller)),
    },
    '/auth/sessions/end-all': {
      POST: loggedIn((who, _, caller) => answerEndSessions(sessions, who, 'all', caller)),
    },
    '/auth/sessions/:id': {
      DELETE: loggedIn((who, _, caller, id) => answerEndSession(sessions, who, id, caller)),
    },
    ...(accounts === undefined
      ? {}
      : {
          '/auth/password': {
            POST: loggedIn((who, request, caller) =>
              answerChangePassword(sessions, who, request, caller),
            ),
          },
        }),
    ...(http.signUp && accounts !== undefined
      ? {
          '/auth/signup': {
            POST: (request: Request, caller: Caller) =>
              answerSignUp(sessions, accounts, origins, request, caller),
          },
        }
      : {}),
  }
}

/** Who sent a request of Node's, by the same rules. */
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

/** A store or an application that failed is 503 and worth a retry; anything else thrown is our mistake. */
function answerError(logger: Logger, error: unknown, path: string): Response {
  const code = codeOf(error)
  logger.error({
    event: code,
    path,
    ...(error instanceof SourceFault
      ? error.details
      : { error: messageOf(error), stack: stackOf(error) }),
  })
  if (path.startsWith('/oauth2/')) return answerTokenRefusal(code)
  return path.startsWith('/api/token') ? answerRefusal(code) : problem(code)
}

function codeOf(error: unknown): RefusalCode {
  if (error instanceof StoreFault) return 'store_unavailable'
  if (error instanceof SignerFault) return 'signer_unavailable'
  return error instanceof SourceFault ? 'accounts_unavailable' : 'internal_error'
}

function stackOf(error: unknown): string | undefined {
  return error instanceof StoreFault || !(error instanceof Error) ? undefined : error.stack
}
