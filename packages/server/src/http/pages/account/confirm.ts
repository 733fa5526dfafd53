import { refuseUnlessFresh } from '../../../sessions/freshness.ts'
import { refuse, type Refusal } from '../../../sessions/services.ts'
import { askForMail } from '../../../with-factors/ask-mail.ts'
import { bearerOf } from '../../../with-factors/own-factors.ts'
import { askForPasskey } from '../../../with-factors/passkeys.ts'
import {
  listStepUpMethods,
  stepUp,
  type PresentedStepUp,
  type StepUpMethod,
} from '../../../with-factors/step-up.ts'
import { sessionCookies } from '../../browser/session-answers.ts'
import { readFactor } from '../../factors/fields.ts'
import type { Input } from '../../router/define.ts'
import type { HttpServices } from '../../services.ts'
import { dataFor, linkList, managed, paragraph } from '../components.ts'
import {
  answerOptions,
  methodParts,
  otherMethods,
  sentFor,
  shownMethod,
  type MethodBody,
  type MethodView,
} from '../factor-parts.ts'
import { pathIn } from '../language.ts'
import { redirectTo } from '../layout.ts'
import type { PageSession } from '../page-session.ts'
import { statusOf } from '../proof-page.ts'
import { destinationOf } from '../return-to.ts'
import { unknownPasskey, type UnknownPasskey } from '../sign-in/unknown-passkey.ts'
import { answerAccountPage, visitOf, type AccountQuery, type AccountVisit } from './frame.ts'

/** The fields of the forms of this page. */
export interface ConfirmBody extends MethodBody {
  readonly csrf?: string | undefined
  readonly return_to?: string | undefined
}

type Show = Input<PageSession, undefined, AccountQuery, undefined>
type Submit = Input<PageSession, undefined, AccountQuery, ConfirmBody>

const PATH = '/auth/account/confirm'

/** Whether an operation was refused because the sign-in is too old or too weak. */
export function isStepUp({ code }: Refusal): boolean {
  return code === 'insufficient_user_authentication'
}

/** Whether the person must confirm who they are before the form of a page. A form must not be filled in in vain. */
export async function isStale(
  { services, who }: AccountVisit,
  options = { hasProvenPassword: false },
): Promise<boolean> {
  return (await refuseUnlessFresh(services.sessions, who, options)) !== undefined
}

/**
 * Sends a person to this page, and then back to a page that is opened again. A form is never sent again for them: they
 * see it first.
 */
export function toConfirm({ who, speech }: AccountVisit, back: string): Response {
  return redirectTo(pathIn(speech, PATH, { return_to: back }), who.newCookies)
}

/** Shows how the person can confirm who they are. */
export async function showConfirm(services: HttpServices, input: Show): Promise<Response> {
  return answerConfirm(visitOf(services, input), input.query)
}

/** Raises the session, sends a mail with a code, or answers the script with the options of a passkey. */
export async function submitConfirm(services: HttpServices, input: Submit): Promise<Response> {
  const visit = visitOf(services, input)
  const { who, caller, body } = input
  const { factors, sessions, cookies } = services
  const { challenge, return_to: returnTo } = body
  const method = (await listStepUpMethods(factors, who)).find((each) => each === body.method)
  const view = { return_to: returnTo, method, challenge }
  if (method === undefined) {
    return answerConfirm(visit, view, { refusal: refuse('factor_unavailable') })
  }
  if (body.options !== undefined) {
    return answerOptions(await askForPasskey(factors, bearerOf(who), caller), who.newCookies)
  }
  if (method === 'mail' && body.send !== undefined) return sendMail(visit, input, view)
  const presented = read(method, body)
  const raised =
    presented === undefined
      ? refuse(method === 'passkey' ? 'passkey_refused' : 'fields_invalid')
      : await stepUp(factors, who, presented, caller)
  if (raised.ok) {
    const lines =
      raised.renewed === undefined ? [] : sessionCookies(sessions, cookies, raised.renewed)
    return redirectTo(backOf(services, returnTo), [...who.newCookies, ...lines])
  }
  const unknown = await unknownPasskey(services, raised, body.response)
  const isVoid = raised.code === 'challenge_void'
  return answerConfirm(visit, isVoid ? { ...view, challenge: undefined } : view, {
    refusal: raised,
    unknown,
  })
}

async function sendMail(
  visit: AccountVisit,
  { caller }: Submit,
  view: AccountQuery,
): Promise<Response> {
  const { services, who, speech } = visit
  const asked = await askForMail(services.factors, bearerOf(who), caller)
  if (!asked.ok) return answerConfirm(visit, view, { refusal: asked })
  const query = { return_to: view.return_to, method: 'mail', challenge: asked.challenge }
  return redirectTo(pathIn(speech, PATH, query), who.newCookies)
}

function read(method: StepUpMethod, body: ConfirmBody): PresentedStepUp | undefined {
  const sent = sentFor(method, body)
  if (sent === undefined) return undefined
  if (method === 'password') return { method, password: sent }
  const { challenge } = body
  return readFactor(
    method === 'passkey'
      ? { method, challenge, response: sent }
      : { method, challenge, code: sent },
  )
}

/** Where the person came from: a page of this server, because an application has its own step-up. */
function backOf(services: HttpServices, returnTo: string | undefined): string {
  const { given, href, foreignOrigin } = destinationOf(services, returnTo)
  return given !== undefined && foreignOrigin === undefined ? href : '/auth/account'
}

async function answerConfirm(
  visit: AccountVisit,
  { return_to: returnTo, method: asked, challenge }: AccountQuery,
  {
    refusal,
    unknown,
  }: { readonly refusal?: Refusal; readonly unknown?: UnknownPasskey | undefined } = {},
): Promise<Response> {
  const { services, who, speech, csrf } = visit
  const { messages } = speech
  const { confirm } = messages.factors
  const methods = await listStepUpMethods(services.factors, who)
  const method = shownMethod(methods, asked)
  const back = backOf(services, returnTo)
  const pathFor = (each: string): string => pathIn(speech, PATH, { return_to: back, method: each })
  const view: MethodView | undefined = method && {
    messages,
    action: pathIn(speech, PATH),
    hidden: { csrf, return_to: back },
    method,
    challenge,
    refusal,
    more: method === 'password' ? [managed(who.state.username)] : [],
  }
  return answerAccountPage(
    visit,
    {
      path: PATH,
      title: confirm.title,
      isWrong: refusal !== undefined,
      body: [
        paragraph(confirm.lead),
        ...(unknown === undefined ? [] : [dataFor('unknown', unknown)]),
        ...(view === undefined
          ? []
          : [...methodParts(view), ...otherMethods(view, methods, pathFor)]),
        linkList([[pathIn(speech, '/sign-in', { return_to: back, other: '1' }), confirm.instead]]),
      ],
    },
    statusOf(refusal),
  )
}
