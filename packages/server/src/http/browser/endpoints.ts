import { refusals, type RefusalCode } from '../../base/refusals.ts'
import { endByRefreshToken } from '../../sessions/end.ts'
import type { Caller, SessionServices } from '../../sessions/services.ts'
import type { Refresher, RefreshWanted } from '../../sessions/refresh.ts'
import { signIn } from '../../sessions/sign-in.ts'
import { readFields } from '../fields.ts'
import { problem, problemFor } from '../problem.ts'
import type { Cookies } from './cookies.ts'
import { isFromOurOrigin } from './page-origin.ts'
import {
  answerJson,
  describeSession,
  forgetSession,
  sessionCookies,
  withCookies,
} from './session-answers.ts'

export interface BrowserServices {
  readonly sessions: SessionServices
  readonly refresh: Refresher
  readonly cookies: Cookies
  /** Other origins whose pages may use the cookies, as browsers write `AuditContext`. */
  readonly origins: ReadonlySet<string>
}

/** The refresh token out of its cookie, the session that it names, and the proof of the page. */
interface BrowserRequest {
  /** Undefined where there is none. */
  readonly refreshToken: string | undefined
  /** Of a refresh token that we signed, whatever has become of its session. */
  readonly sessionId: string | undefined
  /** Why it is none of ours, or of no use now. */
  readonly code: RefusalCode | undefined
  readonly nonce: string | undefined
}

/**
 * `GET /auth/csrf`: the token that a page sends back as `X-CSRF-Token`. It is bound to the session; before
 * a log-in, to a cookie that this answer sets.
 */
export async function answerCsrf(services: BrowserServices, request: Request): Promise<Response> {
  const { cookies } = services
  const { csrf } = services.sessions
  const read = readBrowser(services, request)
  if (!read.ok) return problem('cookie_repeated')
  if (read.sessionId !== undefined) {
    return answerJson(200, { csrf_token: csrf.forSession(read.sessionId) })
  }
  const nonce = isNonce(read.nonce) ? read.nonce : csrf.newNonce()
  return answerJson(200, { csrf_token: csrf.forNonce(nonce) }, [
    cookies.set('csrf', nonce, NONCE_SEC),
  ])
}

const NONCE_SEC = 86_400

function isNonce(value: string | undefined): value is string {
  return value !== undefined && /^[\w-]{22}$/.test(value)
}

/**
 * `POST /auth/login`: the pair goes into cookies. A session that the browser had before ends: what
 * somebody planted there lives on in nobody's hands.
 */
export async function answerLogin(
  services: BrowserServices,
  request: Request,
  caller: Caller,
): Promise<Response> {
  const { sessions, cookies } = services
  const read = readBrowser(services, request)
  if (!read.ok) return problem('cookie_repeated')
  if (!isFromOurOrigin(request, services.origins) || !hasCsrfToken(services, request, read)) {
    return problem('csrf_failed')
  }
  const fields = await readFields(request, {
    required: ['username', 'password'],
    optional: ['tenant'],
  })
  if (!fields.ok) return fields.response
  const device = cookies.read(request, 'device')

  const granted = await signIn(
    sessions,
    fields.values,
    { ...caller, device: device.ok ? device.value : undefined },
    { forCookies: true },
  )
  if (!granted.ok) {
    const isOfNoUse = read.code !== undefined && isOver(read.code)
    return withCookies(problemFor(granted), isOfNoUse ? [cookies.clear('refresh')] : [])
  }
  if (read.refreshToken !== undefined) {
    await endByRefreshToken(sessions, read.refreshToken, caller)
  }
  return answerJson(200, describeSession(sessions, granted), [
    ...sessionCookies(sessions, cookies, granted),
    cookies.clear('csrf'),
  ])
}

/** `POST /auth/refresh`: the next pair, in cookies. A body may name a tenant, or null for none. */
export async function answerRefresh(
  services: BrowserServices,
  request: Request,
  caller: Caller,
): Promise<Response> {
  const { sessions, cookies } = services
  const read = readBrowser(services, request)
  if (!read.ok) return problem('cookie_repeated')
  if (!isFromOurOrigin(request, services.origins)) return problem('csrf_failed')
  if (read.refreshToken === undefined) return problem('cookie_missing')
  if (read.code !== undefined) {
    // Before the page's proof, which hangs on the session: this one is not known.
    const code = read.code === 'token_not_yet_valid' ? read.code : 'token_invalid'
    return withCookies(problem(code), isOver(code) ? forgetSession(cookies) : [])
  }
  if (!hasCsrfToken(services, request, read)) return problem('csrf_failed')
  const wanted = await readWanted(request)
  if (!wanted.ok) return wanted.response

  const granted = await services.refresh(read.refreshToken, caller, {
    ...wanted.value,
    forCookies: true,
  })
  if (!granted.ok) {
    const answer = problemFor(granted)
    return isOver(granted.code) ? withCookies(answer, forgetSession(cookies)) : answer
  }
  return answerJson(
    200,
    describeSession(sessions, granted),
    sessionCookies(sessions, cookies, granted),
  )
}

/**
 * `POST /auth/logout`: ends the session and makes the browser forget it. Also where the session is over
 * already, or the cookie is none of ours: who logs out wants to be out.
 */
export async function answerLogout(
  services: BrowserServices,
  request: Request,
  caller: Caller,
): Promise<Response> {
  const read = readBrowser(services, request)
  if (!read.ok) return problem('cookie_repeated')
  // Without a session too: the answer itself makes a browser forget its cookies.
  if (!isFromOurOrigin(request, services.origins)) return problem('csrf_failed')
  if (read.sessionId !== undefined && !hasCsrfToken(services, request, read)) {
    return problem('csrf_failed')
  }
  if (read.refreshToken !== undefined) {
    await endByRefreshToken(services.sessions, read.refreshToken, caller)
  }
  return answerJson(204, undefined, forgetSession(services.cookies))
}

function readBrowser(
  { sessions, cookies }: BrowserServices,
  request: Request,
): ({ readonly ok: true } & BrowserRequest) | { readonly ok: false } {
  const refresh = cookies.read(request, 'refresh')
  const csrf = cookies.read(request, 'csrf')
  if (!refresh.ok || !csrf.ok) return { ok: false }
  const verified = refresh.value === undefined ? undefined : sessions.verifyRefresh(refresh.value)
  return {
    ok: true,
    refreshToken: refresh.value,
    sessionId: verified?.ok === true ? verified.claims.sid : undefined,
    code: verified?.ok === false ? verified.code : undefined,
    nonce: csrf.value,
  }
}

/** Whether it shows the token of its session, or of its browser before there is one. */
function hasCsrfToken(
  { sessions: { csrf } }: BrowserServices,
  { headers }: Request,
  { sessionId, nonce }: BrowserRequest,
): boolean {
  const [token, second] = ['x-csrf-token', 'x-csrftoken'].flatMap((name) => headers.get(name) ?? [])
  if (token === undefined || second !== undefined) return false
  return (
    (sessionId !== undefined && csrf.isForSession(token, sessionId)) ||
    (isNonce(nonce) && csrf.isForNonce(token, nonce))
  )
}

/** The refusals after which no refresh with this cookie will ever be taken again. */
function isOver(code: RefusalCode): boolean {
  // What is too early was issued before this server's clock was set back, and its time comes again.
  return refusals[code].status === 401 && code !== 'token_not_yet_valid'
}

type Wanted =
  | { readonly ok: true; readonly value: RefreshWanted }
  | { readonly ok: false; readonly response: Response }

async function readWanted(request: Request): Promise<Wanted> {
  const fields = await readFields(request, {
    required: [],
    optional: ['tenant'],
    nullable: ['tenant'],
  })
  return fields.ok ? { ok: true, value: { tenantName: fields.values.tenant } } : fields
}
