import { withCookies } from '../browser/session-answers.ts'
import { isFromOurOrigin } from '../browser/page-origin.ts'
import type { Gate, Visit } from '../router/gate.ts'
import type { HttpServices } from '../services.ts'
import { answerFailure } from './failure-page.ts'
import { pathIn, speechFor } from './language.ts'
import { answerPage, redirectTo } from './layout.ts'
import { linkTo } from './components.ts'
import { readPageSession, type PageSession } from './page-session.ts'

/**
 * Lets in forms of the server's own pages only. A page of a configured origin has the JSON API, and a page of
 * another site could use the ticket cookie of its visitor, or log the visitor in to a foreign account.
 */
export const ownForm: Gate<undefined> = {
  authentication: 'none',
  csrf: 'own',
  refusals: ['csrf_failed'],
  isAfterBody: false,
  enter: (services, { request }) =>
    isOwnForm(services, request)
      ? { ok: true, who: undefined }
      : { ok: false, response: answerFailure('csrf_failed', request, { site: services.site }) },
}

/**
 * Lets in a browser with a session. Every other browser goes to the sign-in page, which leads back here.
 *
 * A link on another site opens the page without the refresh cookie (SameSite=Strict). The page then loads itself once
 * more, now from this site, before anybody has to sign in.
 */
export const pageWithSession: Gate<PageSession> = {
  authentication: 'page_cookies',
  csrf: 'none',
  refusals: ['cookie_repeated', 'refresh_queue_full'],
  isAfterBody: false,
  enter: async (services, visit) => {
    const { request, caller } = visit
    const read = await readPageSession(services, request, caller)
    if (read.kind === 'refused') return refuse(services, request, read.code)
    if (read.kind === 'found') {
      const { session } = read
      return isSecondLoad(request)
        ? no(redirectTo(withoutMark(request), session.newCookies))
        : { ok: true, who: session }
    }
    return no(
      mayHideSession(services, request)
        ? answerAgain(services, request)
        : toSignIn(services, request, read.oldCookies),
    )
  },
}

/** The part of a form that binds it to its session. */
export interface BoundBody {
  readonly csrf?: string | undefined
}

/**
 * Lets in a form of the server's own pages with the CSRF token of the session of this browser. After a sign-in as
 * somebody else in another tab, a form of the old session is refused, so it cannot change the other account.
 */
export const formWithSession: Gate<PageSession, BoundBody> = {
  authentication: 'page_cookies',
  csrf: 'form',
  refusals: ['csrf_failed', 'cookie_repeated', 'refresh_queue_full'],
  isAfterBody: true,
  enter: async (services, visit: Visit<BoundBody>) => {
    const { request, caller, body } = visit
    if (!isOwnForm(services, request)) return refuse(services, request, 'csrf_failed')
    const read = await readPageSession(services, request, caller)
    if (read.kind === 'refused') return refuse(services, request, read.code)
    if (read.kind === 'none') return no(toSignIn(services, request, read.oldCookies))
    const { session } = read
    const isBound = services.sessions.csrf.isForSession(body.csrf ?? '', session.state.session.id)
    return isBound ? { ok: true, who: session } : no(answerOldForm(services, request, session))
  },
}

/** Whether the session of this browser may be hidden, because a page of another site linked here. */
export function mayHideSession({ cookies }: HttpServices, request: Request): boolean {
  if (isSecondLoad(request)) return false
  const site = request.headers.get('sec-fetch-site')
  const isFromOutside = site === null || site === 'cross-site'
  // A person who has never signed in with this browser has no session, and need not wait.
  const device = cookies.read(request, 'device')
  const refresh = cookies.read(request, 'refresh')
  return (
    isFromOutside &&
    device.ok &&
    device.value !== undefined &&
    refresh.ok &&
    refresh.value === undefined
  )
}

const MARK = 'again'

function isSecondLoad(request: Request): boolean {
  return new URL(request.url).searchParams.has(MARK)
}

function withoutMark(request: Request): string {
  const { pathname, searchParams } = new URL(request.url)
  searchParams.delete(MARK)
  return searchParams.size === 0 ? pathname : `${pathname}?${searchParams.toString()}`
}

/** A page that loads its own address again at once. The mark in the address prevents a loop. */
export function answerAgain({ site }: HttpServices, request: Request): Response {
  const speech = speechFor(request, site)
  const { pathname, searchParams } = new URL(request.url)
  searchParams.set(MARK, '1')
  const goesTo = `${pathname}?${searchParams.toString()}`
  const { again, continueButton } = speech.messages
  return answerPage({ speech, site, title: again, goesTo, body: [linkTo(goesTo, continueButton)] })
}

function toSignIn({ site }: HttpServices, request: Request, cookies: readonly string[]): Response {
  const speech = speechFor(request, site)
  // A form cannot be repeated after the sign-in, so people come back to its page.
  const back = request.method === 'POST' ? new URL(request.url).pathname : withoutMark(request)
  return redirectTo(pathIn(speech, '/sign-in', { return_to: back }), cookies)
}

function answerOldForm(
  { site }: HttpServices,
  request: Request,
  { newCookies }: PageSession,
): Response {
  return withCookies(answerFailure('csrf_failed', request, { site, isOldForm: true }), newCookies)
}

function isOwnForm({ http }: HttpServices, request: Request): boolean {
  return isFromOurOrigin(request, new Set([new URL(http.publicUrl).origin]))
}

function refuse(
  { site }: HttpServices,
  request: Request,
  code: Parameters<typeof answerFailure>[0],
): { readonly ok: false; readonly response: Response } {
  return no(answerFailure(code, request, { site }))
}

function no(response: Response): { readonly ok: false; readonly response: Response } {
  return { ok: false, response }
}
