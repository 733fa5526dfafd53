import type { Caller } from '../../sessions/services.ts'
import { endCurrentSession } from '../../sessions/own-sessions.ts'
import { readIdHint, type IdHint } from '../../sso/id-hints.ts'
import { readRegistration } from '../../sso/registration.ts'
import { forgetSession, withCookies } from '../browser/session-answers.ts'
import { answerFailure } from '../pages/failure-page.ts'
import { form, paragraph } from '../pages/components.ts'
import { answerAgain, mayHideSession } from '../pages/gate.ts'
import { pathIn, speechFor } from '../pages/language.ts'
import { answerPage, redirectTo } from '../pages/layout.ts'
import { readPageSession, type PageSession } from '../pages/page-session.ts'
import type { HttpServices } from '../services.ts'
import { answerContinue } from './continue-page.ts'
import { answerWrongRequest } from './failure-pages.ts'

/** The parameters of a logout that an application asks for (OpenID Connect RP-Initiated Logout 1.0 §2). */
export interface LogoutQuery {
  readonly id_token_hint?: string | undefined
  readonly client_id?: string | undefined
  readonly post_logout_redirect_uri?: string | undefined
  readonly state?: string | undefined
}

interface Checked {
  readonly ok: true
  readonly hint: IdHint | undefined
  /** Where the browser goes afterwards: a registered URI with the state, or undefined. */
  readonly goesTo: string | undefined
}

const PATH = '/oauth2/logout'

/**
 * Ends the session of the browser for an application. With an ID token of this session the person is not asked: only an
 * application in which the session signed in has one. Otherwise any page could log people out.
 */
export async function showLogout(
  services: HttpServices,
  request: Request,
  query: LogoutQuery,
  caller: Caller,
): Promise<Response> {
  const { site } = services
  const checked = await check(services, query)
  if (!checked.ok) return answerWrongRequest(services, request, checked)
  const read = await readPageSession(services, request, caller)
  if (read.kind === 'refused') return answerFailure(read.code, request, { site })
  if (read.kind === 'none') {
    return mayHideSession(services, request)
      ? answerAgain(services, request)
      : leave(services, request, checked.goesTo, read.oldCookies)
  }
  const { session } = read
  return checked.hint?.sid === session.state.session.id
    ? end(services, request, session, checked, caller)
    : answerQuestion(services, request, query, session)
}

/** Ends the session after the person has confirmed it. */
export async function submitLogout(
  services: HttpServices,
  request: Request,
  query: LogoutQuery,
  { session, caller }: { readonly session: PageSession; readonly caller: Caller },
): Promise<Response> {
  const checked = await check(services, query)
  return checked.ok
    ? end(services, request, session, checked, caller)
    : answerWrongRequest(services, request, checked)
}

async function end(
  services: HttpServices,
  request: Request,
  { state }: PageSession,
  { goesTo }: Checked,
  caller: Caller,
): Promise<Response> {
  await endCurrentSession(services.sessions, state, caller)
  return leave(services, request, goesTo, forgetSession(services.cookies))
}

function leave(
  services: HttpServices,
  request: Request,
  goesTo: string | undefined,
  cookies: readonly string[],
): Response {
  const speech = speechFor(request, services.site)
  return goesTo === undefined
    ? redirectTo(pathIn(speech, '/sign-in', { done: 'signed-out' }), cookies)
    : answerContinue(services, request, goesTo, cookies)
}

function answerQuestion(
  { site, sessions }: HttpServices,
  request: Request,
  query: LogoutQuery,
  { state, newCookies }: PageSession,
): Response {
  const speech = speechFor(request, site)
  const { account } = speech.messages
  const csrf = sessions.csrf.forSession(state.session.id)
  const page = {
    speech,
    site,
    title: account.signOut,
    body: [
      paragraph(account.signedInAs(state.username)),
      form(pathIn(speech, `${PATH}/confirm`), {
        hidden: { csrf, ...query },
        fields: [],
        button: account.signOut,
      }),
    ],
  }
  return withCookies(answerPage(page), newCookies)
}

type Wrong = { readonly ok: false; readonly error: string; readonly description: string }

async function check(services: HttpServices, query: LogoutQuery): Promise<Checked | Wrong> {
  const { id_token_hint: token, post_logout_redirect_uri: uri, state } = query
  const hint = token === undefined ? undefined : readIdHint(services.sessions, token)
  if (token !== undefined && hint === undefined) {
    return wrong('The id_token_hint is no ID token of this server.')
  }
  const clientId = query.client_id ?? hint?.aud
  if (hint !== undefined && hint.aud !== clientId) {
    return wrong('The id_token_hint belongs to another client_id.')
  }
  // Without an application, nobody has registered the address.
  if (clientId === undefined || uri === undefined) return { ok: true, hint, goesTo: undefined }
  const view = await services.sessions.store.sso.applications.view(clientId)
  const registered = view && readRegistration(view.application.registration).postLogoutRedirectUris
  if (registered?.includes(uri) !== true) {
    return wrong('The application has not registered this post_logout_redirect_uri.')
  }
  const goesTo = new URL(uri)
  if (state !== undefined) goesTo.searchParams.set('state', state)
  return { ok: true, hint, goesTo: goesTo.href }
}

function wrong(description: string): Wrong {
  return { ok: false, error: 'invalid_request', description }
}
