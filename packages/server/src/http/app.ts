import { createCookies } from './browser/cookies.ts'
import { createCallers } from './caller.ts'
import { nameUsernameField } from './contract/username-field.ts'
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
  const features = {
    signUp: http.signUp,
    signUpVerified: http.signUpVerified,
    mail: app.byMail !== undefined,
    mailLogin: http.mailLogin,
    ownAccounts: app.accounts !== undefined,
    devOutbox: app.devOutbox !== undefined,
    pages: http.pages,
    sso: http.sso,
    upstreams: app.upstream !== undefined,
  }
  const rows = table
    .filter(({ feature }) => feature === undefined || feature.isOn(features))
    .map((row) => nameUsernameField(row, http.usernameField))
  const services: HttpServices = {
    ...app,
    routes: rows,
    cookies: createCookies({ publicUrl: http.publicUrl, domain: http.cookieDomain }),
    origins: new Set([...http.origins, new URL(http.publicUrl).origin]),
  }
  const cors = createCors(http, rows)
  const secure = createSecurityHeaders(http)
  const router = createRouter(
    rows.map((row) => ({ row, answer: row.bind(services) })),
    {
      callerOf: createCallers(http, app.logger).ofRequest,
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
