import { refuse, type Caller, type Refusal } from '../../sessions/services.ts'
import { finishAtProvider } from '../../upstream/finish.ts'
import { linkIdentity } from '../../upstream/own-identities.ts'
import type { UpstreamProvider } from '../../upstream/provider.ts'
import { resolveIdentity, type ProvenIdentity } from '../../upstream/resolve.ts'
import { signInByIdentity } from '../../upstream/sign-in.ts'
import type { Purpose, UpstreamTransaction } from '../../upstream/transaction.ts'
import { makeCode, type CodeSubject } from '../../upstream/application-code.ts'
import { auditContextOf } from '../../sessions/own-sessions.ts'
import { replaceSession, withDevice } from '../browser/open-session.ts'
import { withCookies } from '../browser/session-answers.ts'
import { answerFailure } from '../pages/failure-page.ts'
import { pathIn } from '../pages/language.ts'
import { redirectTo } from '../pages/layout.ts'
import { destinationOf } from '../pages/return-to.ts'
import { leaveSignIn } from '../pages/sign-in/leave.ts'
import { toSecondFactor } from '../pages/sign-in/waiting.ts'
import type { Input } from '../router/define.ts'
import type { HttpServices } from '../services.ts'
import { readBegun } from './begun-cookies.ts'
import { answerUpstreamFailure, speechIn } from './failure-page.ts'
import { requireUpstream } from './features.ts'

type Params = { readonly name: string }

/** A log-in at a provider that comes back to the browser that began it. */
interface Returning {
  readonly services: HttpServices
  readonly request: Request
  readonly caller: Caller
  readonly provider: UpstreamProvider
  readonly transaction: UpstreamTransaction
}

/** `GET /auth/upstream/{name}/callback`: the provider sends the browser back. */
export async function finishUpstream(
  services: HttpServices,
  { request, caller, params }: Input<unknown, Params, unknown, unknown>,
): Promise<Response> {
  const upstream = requireUpstream(services)
  const provider = upstream.providers.get(params.name)
  if (provider === undefined) return answerFailure('not_found', request, { site: services.site })
  const answer = new URL(request.url).searchParams
  const begun = readBegun({ ...services, upstream }, request, answer.get('state') ?? '')
  const { transaction, ended } = begun
  if (transaction === undefined) {
    const { title } = provider
    return answerUpstreamFailure(services, refuse('upstream_void'), {
      request,
      title,
      cookies: ended,
    })
  }
  const by = withDevice(services, request, caller)
  const returning: Returning = { services, request, caller: by, provider, transaction }
  const proven = await finishAtProvider(upstream, provider, { transaction, answer }, by)
  const response = proven.ok ? await proceed(returning, proven) : refused(returning, proven)
  return withCookies(response, ended)
}

/** The parameters that a provider sends. */
export interface ProviderAnswer {
  readonly code?: string | undefined
  readonly state?: string | undefined
  readonly iss?: string | undefined
  readonly error?: string | undefined
}

/**
 * `POST /auth/upstream/{name}/callback`: the same as a form, as Apple sends it. A form of another site comes without
 * cookies, so the browser asks once more, with the same parameters.
 */
export function forwardUpstream({
  params,
  body: { code, state, iss, error },
}: Input<unknown, Params, unknown, ProviderAnswer>): Response {
  const answer = new URLSearchParams()
  for (const [name, value] of Object.entries({ code, state, iss, error })) {
    if (value !== undefined) answer.set(name, value)
  }
  return redirectTo(
    `/auth/upstream/${encodeURIComponent(params.name)}/callback?${answer.toString()}`,
  )
}

function proceed(returning: Returning, proven: ProvenIdentity): Promise<Response> {
  const { purpose } = returning.transaction
  switch (purpose.kind) {
    case 'sign_in':
      return signIn(returning, proven)
    case 'link':
      return link(returning, proven, purpose)
    case 'code':
      return handOver(returning, proven, purpose)
  }
}

async function signIn(returning: Returning, proven: ProvenIdentity): Promise<Response> {
  const { services, request, caller, transaction } = returning
  const resolved = await resolveIdentity(requireUpstream(services), proven, caller)
  if (!resolved.ok) return refused(returning, resolved)
  const subject = { ...subjectOf(returning, proven), ...resolved }
  const opened = await signInByIdentity(requireUpstream(services), subject, caller, {
    forCookies: true,
  })
  const speech = speechIn(services, request, transaction.language)
  const destination = destinationOf(services, transaction.returnTo)
  if (!opened.ok) {
    return opened.pending !== undefined && services.http.pages
      ? toSecondFactor(services, opened.pending, { speech, destination })
      : refused(returning, opened)
  }
  await endReplaced(returning)
  const { signedIn, cookies } = await replaceSession(services, opened, { request, caller })
  const namesTenant = transaction.tenant !== undefined
  const leaving = { account: signedIn.account, namesTenant, destination, speech, cookies }
  return services.http.pages
    ? leaveSignIn(services, leaving)
    : redirectTo(destination.href, cookies)
}

/** The browser does not send the cookie of its previous session with a redirect from another site. */
async function endReplaced({ services, caller, transaction }: Returning): Promise<void> {
  const { store } = services.sessions
  const { replaces } = transaction
  const state = replaces === undefined ? undefined : await store.sessions.state(replaces)
  if (replaces === undefined || state === undefined) return
  const context = auditContextOf(services.sessions, state.account.id, caller)
  await store.sessions.end(replaces, { event: 'logout' }, context)
}

const LINKED_PATH = '/auth/account/identities'

async function link(
  returning: Returning,
  proven: ProvenIdentity,
  purpose: Extract<Purpose, { kind: 'link' }>,
): Promise<Response> {
  const { services, request, caller, transaction } = returning
  const identity = identityIn(returning, proven)
  const linked = await linkIdentity(requireUpstream(services), purpose, identity, caller)
  if (!linked.ok) return refused(returning, linked)
  const speech = speechIn(services, request, transaction.language)
  const { given, href } = destinationOf(services, transaction.returnTo)
  const path = pathIn(speech, LINKED_PATH, { done: 'identity-added' })
  return redirectTo(given === undefined && services.http.pages ? path : href)
}

/** Hands a code to the application that began the log-in. The application also gets refusals, as error codes. */
async function handOver(
  returning: Returning,
  proven: ProvenIdentity,
  purpose: Extract<Purpose, { kind: 'code' }>,
): Promise<Response> {
  const upstream = requireUpstream(returning.services)
  const subject = await subjectToHandOver(returning, proven, purpose)
  if ('ok' in subject) return refused(returning, subject)
  const { clock, random } = {
    clock: upstream.sessions.store.clock,
    random: upstream.sessions.random,
  }
  const code = makeCode({ ...upstream, random }, clock.nowMs(), purpose.challenge, subject)
  return toApplication(purpose, { code })
}

async function subjectToHandOver(
  returning: Returning,
  proven: ProvenIdentity,
  { links }: Extract<Purpose, { kind: 'code' }>,
): Promise<CodeSubject | Refusal> {
  if (links) return { kind: 'link', ...identityIn(returning, proven) }
  const { services, caller } = returning
  const resolved = await resolveIdentity(requireUpstream(services), proven, caller)
  if (!resolved.ok) return resolved
  const { accountId, position } = resolved
  return { kind: 'sign_in', ...subjectOf(returning, proven), accountId, position }
}

function identityIn({ provider }: Returning, { profile }: ProvenIdentity) {
  const { issuer, subject, label } = profile
  return { key: { issuer, subject }, provider: provider.name, label }
}

function subjectOf(returning: Returning, proven: ProvenIdentity) {
  const provenAt = returning.services.sessions.store.clock.nowMs()
  return { ...identityIn(returning, proven), provenAt, tenant: returning.transaction.tenant }
}

function toApplication(
  { redirectUri, state }: Extract<Purpose, { kind: 'code' }>,
  parameters: Readonly<Record<string, string>>,
): Response {
  const url = new URL(redirectUri)
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
  if (state !== undefined) url.searchParams.set('state', state)
  return redirectTo(url.href)
}

function refused(
  { services, request, provider, transaction }: Returning,
  refusal: Refusal,
): Response {
  const { purpose, returnTo, language } = transaction
  if (purpose.kind === 'code') return toApplication(purpose, { error: refusal.code })
  const back = purpose.kind === 'link' ? LINKED_PATH : '/sign-in'
  const { title } = provider
  return answerUpstreamFailure(services, refusal, { request, title, returnTo, language, back })
}
