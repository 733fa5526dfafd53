import { createHash } from 'node:crypto'

import type { Caller } from '../../sessions/services.ts'
import { withCookies } from '../browser/session-answers.ts'
import { answerFailure } from '../pages/failure-page.ts'
import { readPageSession } from '../pages/page-session.ts'
import type { HttpServices } from '../services.ts'
import { answerExpired, answerWrongRequest } from './failure-pages.ts'
import { askLibrary, ssoOf } from './ask-library.ts'

/**
 * The authorization endpoint (RFC 6749 §3.1), and the address at which a request goes on after our pages. The session of
 * the cookies decides who signs in, as on all pages.
 */
export async function answerAuthorize(
  services: HttpServices,
  request: Request,
  caller: Caller,
): Promise<Response> {
  const read = await readPageSession(services, request, caller)
  if (read.kind === 'refused') return answerFailure(read.code, request, { site: services.site })
  const session = read.kind === 'found' ? read.session : undefined
  const sessionId = session?.state.session.id
  const asked = { request: withScope(request), caller, sessionId }
  const answer = await askLibrary(services, ssoOf(services), asked)
  if (answer === undefined) return answerFailure('body_too_large', request, { site: services.site })
  const cookies = read.kind === 'found' ? read.session.newCookies : read.oldCookies
  const { response, failure } = answer
  if (failure === undefined) return withCookies(await withPolicy(response), cookies)
  const page = failure.isExpired
    ? await answerExpired(services, request)
    : answerWrongRequest(services, request, failure)
  return withCookies(page, [...response.headers.getSetCookie(), ...cookies])
}

/**
 * Gives a request without a scope the scope `openid` (RFC 6749 §3.3). The library would refuse it, although clients of
 * plain OAuth 2.0 often send none. A request that goes on, or that was pushed, has its parameters elsewhere.
 */
function withScope(request: Request): Request {
  const url = new URL(request.url)
  const { pathname, searchParams } = url
  const isBegun = searchParams.has('scope') || searchParams.has('request_uri')
  if (isBegun || pathname.replace(/\/$/, '') !== '/oauth2/authorize') return request
  searchParams.set('scope', 'openid')
  return new Request(url, { headers: request.headers })
}

/**
 * Adds the policy of the page with which the library sends a code as a form (OAuth 2.0 Form Post Response Mode §2): its
 * own script, and a form that ends at the application.
 */
async function withPolicy(response: Response): Promise<Response> {
  if (response.headers.get('content-type')?.startsWith('text/html') !== true) return response
  const html = await response.text()
  const [, script = ''] = /<script>([^]*?)<\/script>/.exec(html) ?? []
  const [, action = ''] = /<form method="post" action="([^"]*)">/.exec(html) ?? []
  const hash = createHash('sha256').update(script).digest('base64')
  const headers = new Headers(response.headers)
  headers.set(
    'content-security-policy',
    `default-src 'none'; script-src 'sha256-${hash}'; form-action ${sourceOf(action)}; base-uri 'none'; frame-ancestors 'none'`,
  )
  return new Response(html, { status: response.status, headers })
}

/** Where a form may end: the origin of a URL, or the scheme of an application. */
function sourceOf(action: string): string {
  const url = URL.parse(action.replaceAll('&amp;', '&'))
  if (url === null) return "'none'"
  return url.origin === 'null' ? url.protocol : url.origin
}
