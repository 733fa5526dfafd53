import { askForLoginCode } from '../../by-mail/log-in.ts'
import { askForReset } from '../../by-mail/reset-password.ts'
import type { Asked, MailServices } from '../../by-mail/services.ts'
import { askToSignUp } from '../../by-mail/sign-up.ts'
import type { SpokenLanguage } from '../accept-language.ts'
import type { Caller, Refusal } from '../../sessions/services.ts'
import { requireMail } from '../by-mail/answers.ts'
import type { Input } from '../router/define.ts'
import type { HttpServices } from '../services.ts'
import { answerAskPage, answerAskedPage, type AskView } from './ask-page.ts'
import { speechFor } from './language.ts'
import type { PageQuery } from './proof-handlers.ts'
import { destinationOf } from './return-to.ts'
import { upstreamButtons } from './upstream-buttons.ts'

/** The fields of the forms that ask for a mail. */
export interface AskBody {
  readonly email?: string | undefined
  readonly password?: string | undefined
  readonly return_to?: string | undefined
}

/** A page that asks for a mail. */
export interface AskFlow extends Pick<AskView, 'page' | 'path' | 'fields'> {
  /** The page that waits for the mail. */
  readonly waitingPath: string
  readonly ask: (
    services: MailServices,
    asking: {
      readonly email: string
      readonly password: string
      readonly locale: SpokenLanguage | undefined
    },
    caller: Caller,
  ) => Promise<Asked | Refusal>
}

/** Asks for a mail that resets the password. */
export const forgotFlow: AskFlow = {
  page: 'forgot',
  path: '/auth/account/forgot',
  fields: ['email'],
  waitingPath: '/auth/account/reset',
  ask: (services, { email, locale }, caller) => askForReset(services, { email, locale }, caller),
}

/** Signs up, with the address as the username. */
export const signUpStartFlow: AskFlow = {
  page: 'sign-up-start',
  path: '/auth/account/sign-up/start',
  fields: ['email', 'password'],
  waitingPath: '/auth/account/sign-up',
  ask: askToSignUp,
}

/** Asks for a mail that logs in. */
export const logInStartFlow: AskFlow = {
  page: 'log-in-start',
  path: '/auth/account/log-in/start',
  fields: ['email'],
  waitingPath: '/auth/account/log-in',
  ask: (services, { email, locale }, caller) =>
    askForLoginCode(services, { email, locale }, caller),
}

/** Shows the form. */
export function showAsk(
  flow: AskFlow,
  services: HttpServices,
  { request, query }: Input<undefined, undefined, PageQuery, undefined>,
): Response {
  return answerAskPage(viewOf(flow, services, request, query.return_to))
}

/** Sends the mail, or shows the form again with the error. */
export async function submitAsk(
  flow: AskFlow,
  services: HttpServices,
  { request, caller, body }: Input<undefined, undefined, PageQuery, AskBody>,
): Promise<Response> {
  const { email = '', password = '', return_to: returnTo } = body
  const view = { ...viewOf(flow, services, request, returnTo), email }
  const asking = { email, password, locale: view.speech.wanted }
  const asked = await flow.ask(requireMail(services), asking, caller)
  return answerAskedPage(services, asked, view, flow.waitingPath)
}

function viewOf(
  { page, path, fields }: AskFlow,
  services: HttpServices,
  request: Request,
  returnTo: string | undefined,
): AskView {
  const { site } = services
  const { given } = destinationOf(services, returnTo)
  const speech = speechFor(request, site)
  const more =
    page === 'sign-up-start' ? upstreamButtons(services, speech, { return_to: given }) : []
  return { page, path, fields, speech, site, returnTo: given, more }
}
