import { readCookie } from '@countersign/guard'
import { html } from 'hono/html'

import { readAllowed, writeAllowed } from '../../sso/consent.ts'
import { decideSignIn, readDemand, type SignInDecision } from '../../sso/decide-sign-in.ts'
import type { InteractionEnd, WaitingInteraction } from '../../sso/library/interactions.ts'
import { cookieNames } from '../../sso/library/options.ts'
import { auditContextOf } from '../../sessions/own-sessions.ts'
import { listStepUpMethods } from '../../with-factors/step-up.ts'
import { withCookies } from '../browser/session-answers.ts'
import { toConfirm } from '../pages/account/confirm.ts'
import { allowedTexts } from '../pages/account/applications.ts'
import { visitOf, type AccountVisit } from '../pages/account/frame.ts'
import { form, linkList, paragraph } from '../pages/components.ts'
import { pathIn } from '../pages/language.ts'
import { answerPage, redirectTo, type Html } from '../pages/layout.ts'
import type { PageSession } from '../pages/page-session.ts'
import type { Input } from '../router/define.ts'
import type { HttpServices } from '../services.ts'
import { ssoOf } from './ask-library.ts'
import { answerContinue } from './continue-page.ts'
import { answerExpired } from './failure-pages.ts'

/** The parameters of the page. */
export interface InteractionQuery {
  /** The application, for the page after the request has expired. */
  readonly client_id?: string | undefined
  /** The person has just chosen the account on the sign-in page. */
  readonly chosen?: string | undefined
}

/** The form of the page. */
export interface InteractionBody {
  readonly csrf?: string | undefined
  readonly allow?: string | undefined
  readonly deny?: string | undefined
}

type Show = Input<PageSession, undefined, InteractionQuery, undefined>
type Submit = Input<PageSession, undefined, InteractionQuery, InteractionBody>

/** A request of an application at which the person of this browser has arrived. */
interface Visit extends AccountVisit {
  readonly uid: string
  readonly interaction: WaitingInteraction
}

/**
 * Shows what a request of an application needs from the person: to confirm who they are, or to allow it. If it needs
 * nothing, the browser goes on at once.
 */
export async function showInteraction(services: HttpServices, input: Show): Promise<Response> {
  const visit = await arrive(services, input)
  if (visit === undefined) return answerExpiredFor(services, input)
  const blocked = await ensureSignIn(visit, input)
  if (blocked !== undefined) return blocked
  if (visit.interaction.kind === 'consent') return showConsent(visit)
  return offerChoice(visit, input) ?? finish(visit, input, { isAccountChosen: true })
}

/** Returns the page on which the person chooses the account, unless they have chosen it, or have just signed in. */
function offerChoice({ who, speech, interaction }: Visit, input: Show): Response | undefined {
  const { startedAt = 0, parameters } = interaction
  const isNew = who.state.session.authenticatedAt >= startedAt
  if (!readDemand(parameters).isChoice || isNew || input.query.chosen !== undefined)
    return undefined
  const back = new URL(input.request.url)
  back.searchParams.set('chosen', '1')
  const path = pathIn(speech, '/sign-in', { return_to: `${back.pathname}${back.search}` })
  return redirectTo(path, who.newCookies)
}

/** Answers an application for the person. */
export async function submitInteraction(services: HttpServices, input: Submit): Promise<Response> {
  const visit = await arrive(services, input)
  if (visit === undefined) return answerExpiredFor(services, input)
  const { body, caller } = input
  if (body.deny !== undefined) {
    return finish(visit, input, {
      error: 'access_denied',
      error_description: 'The person has refused.',
    })
  }
  if (body.allow === undefined) return showInteraction(services, { ...input, body: undefined })
  const blocked = await ensureSignIn(visit, input)
  if (blocked !== undefined) return blocked
  const { account } = visit.who.state
  const context = auditContextOf(services.sessions, account.id, caller)
  await rememberConsent(visit, context)
  return finish(visit, input, { consentOf: account.id })
}

/** Finds the request. Only the browser that began it has its cookie, so nobody can be led into a foreign request. */
async function arrive(services: HttpServices, input: Show | Submit): Promise<Visit | undefined> {
  const { request } = input
  const uid = new URL(request.url).pathname.split('/').at(-1) ?? ''
  const header = request.headers.get('cookie')
  const name = cookieNames(services.http.publicUrl.startsWith('https:')).interaction
  const cookie = readCookie(header === null ? [] : [header], name)
  if (cookie.kind !== 'found' || cookie.value !== uid) return undefined
  const { interactions } = await ssoOf(services).library()
  const interaction = await interactions.find(uid)
  return interaction && { ...visitOf(services, input), uid, interaction }
}

/** Returns the page on which the person must first sign in, confirm who they are, or change the account. */
async function ensureSignIn(visit: Visit, input: Show | Submit): Promise<Response | undefined> {
  const { services, who, speech, interaction } = visit
  const { parameters, startedAt, result } = interaction
  const demand = readDemand(parameters)
  const decision: SignInDecision = decideSignIn(demand, {
    session: who.state.session,
    startedAt,
    now: services.sessions.store.clock.nowMs(),
  })
  const back = pathOf(input.request)
  switch (decision) {
    case 'enough':
      return undefined
    case 'other_account':
      return redirectTo(pathIn(speech, '/sign-in', { return_to: back, other: '1' }), who.newCookies)
    case 'stale':
      return toConfirm(visit, back)
    case 'weak': {
      if (result.isWeakAccepted) return undefined
      if (await canBeStronger(visit)) return toConfirm(visit, back)
      return finish(
        visit,
        input,
        demand.isAcrEssential
          ? {
              error: 'unmet_authentication_requirements',
              error_description: 'The person has no second factor.',
            }
          : { isWeakAccepted: true },
      )
    }
  }
}

async function canBeStronger({ services, who }: Visit): Promise<boolean> {
  const methods = await listStepUpMethods(services.factors, who)
  return methods.some((each) => each !== 'password' && each !== 'mail')
}

/** Lets the request go on. Whether the sign-in is enough is decided again there. */
async function finish(
  { services, who, uid, interaction: { startedAt } }: Visit,
  input: Show | Submit,
  end: InteractionEnd,
): Promise<Response> {
  const { interactions } = await ssoOf(services).library()
  const all = 'error' in end || startedAt === undefined ? end : { startedAt, ...end }
  const path = await interactions.finish(uid, all)
  return path === undefined
    ? answerExpiredFor(services, input)
    : answerContinue(services, input.request, path, who.newCookies)
}

async function answerExpiredFor(
  services: HttpServices,
  { request, query, who }: Show | Submit,
): Promise<Response> {
  return withCookies(await answerExpired(services, request, query.client_id), who.newCookies)
}

async function rememberConsent(
  { services, who, interaction }: Visit,
  context: ReturnType<typeof auditContextOf>,
): Promise<void> {
  const { store } = services.sessions
  const { applicationId, wanted } = interaction
  const accountId = who.state.account.id
  const before = await store.sso.grants.consent(accountId, applicationId)
  const known = before && readAllowed(before.allowed)
  const now = store.clock.nowMs()
  await store.sso.grants.setConsent(
    {
      accountId,
      applicationId,
      allowed: writeAllowed({
        scopes: [...(known?.scopes ?? []), ...wanted.scopes],
        resources: [...(known?.resources ?? []), ...wanted.resources],
      }),
      givenAt: before?.givenAt ?? now,
      changedAt: now,
    },
    context,
  )
}

async function showConsent(visit: Visit): Promise<Response> {
  const { services, speech, who, csrf, request, interaction } = visit
  const { applicationId, wanted, parameters } = interaction
  const view = await services.sessions.store.sso.applications.view(applicationId)
  const name = view?.application.title ?? applicationId
  const { sso, account } = speech.messages
  const action = pathOf(request)
  const body: Html[] = [
    paragraph(sso.wants(name)),
    listOf(allowedTexts(account.applications, wanted)),
    paragraph(account.signedInAs(who.state.username)),
    paragraph(sso.goesTo(targetOf(parameters.redirect_uri))),
    form(action, { hidden: { csrf, allow: '1' }, fields: [], button: sso.allow }),
    form(action, { hidden: { csrf, deny: '1' }, fields: [], button: sso.deny, tone: 'plain' }),
    linkList([
      [pathIn(speech, '/sign-in', { return_to: action, other: '1' }), speech.messages.signIn.other],
    ]),
  ]
  const page = { speech, site: services.site, title: sso.title(name), body }
  return withCookies(answerPage(page), who.newCookies)
}

function listOf(texts: readonly string[]): Html {
  return html`<ul>
    ${texts.map((text) => html`<li>${text}</li>`)}
  </ul>`
}

/** Where the person goes afterwards: a host, or the scheme of an application on this device. */
function targetOf(uri: string | undefined): string {
  const url = uri === undefined ? null : URL.parse(uri)
  if (url === null) return ''
  return url.host === '' ? url.protocol : url.host
}

function pathOf(request: Request): string {
  const { pathname, search } = new URL(request.url)
  return `${pathname}${search}`
}
