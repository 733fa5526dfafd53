import type { Refusal } from '../../../sessions/services.ts'
import { askToChangeEmail, askToVerifyEmail } from '../../../by-mail/email.ts'
import type { Asked } from '../../../by-mail/services.ts'
import { requireMail, ticketCookie } from '../../by-mail/answers.ts'
import type { Input } from '../../router/define.ts'
import type { HttpServices } from '../../services.ts'
import { form, notice, paragraph, subtitle } from '../components.ts'
import { pathIn } from '../language.ts'
import { redirectTo, type Html } from '../layout.ts'
import type { PageSession } from '../page-session.ts'
import { rememberReturn } from '../return-to.ts'
import type { AccountBody } from './credentials.ts'
import { isStepUp, toConfirm } from './confirm.ts'
import { answerAccountForm, passwordWords } from './form-page.ts'
import { pathOf, visitOf, type AccountQuery, type AccountVisit } from './frame.ts'

/** Shows the address, and the form for another one. */
export async function showAddress(
  services: HttpServices,
  input: Input<PageSession, undefined, AccountQuery, undefined>,
): Promise<Response> {
  return answerAddress(visitOf(services, input))
}

/** Sends a mail to the new address. */
export async function submitAddress(
  services: HttpServices,
  { body, ...input }: Input<PageSession, undefined, AccountQuery, AccountBody>,
): Promise<Response> {
  const visit = visitOf(services, input)
  const { email = '', current_password: password = '' } = body
  if (email === '' || password === '') {
    return answerAddress(visit, { email, refusal: { ok: false, code: 'fields_invalid' } })
  }
  const asking = { email, password, locale: visit.speech.wanted }
  const asked = await askToChangeEmail(requireMail(services), input.who, asking, input.caller)
  if (!asked.ok && isStepUp(asked)) return toConfirm(visit, pathOf('address'))
  return asked.ok ? answerAsked(visit, asked) : answerAddress(visit, { email, refusal: asked })
}

/** Sends a mail that verifies the address of the account. */
export async function submitVerification(
  services: HttpServices,
  input: Input<PageSession, undefined, AccountQuery, AccountBody>,
): Promise<Response> {
  const visit = visitOf(services, input)
  const { wanted } = visit.speech
  const asked = await askToVerifyEmail(requireMail(services), input.who, wanted, input.caller)
  return asked.ok ? answerAsked(visit, asked) : answerAddress(visit, { refusal: asked })
}

/** The browser waits for the mail, and comes back here afterwards. */
function answerAsked({ services: { cookies }, speech, who }: AccountVisit, asked: Asked): Response {
  return redirectTo(pathIn(speech, '/auth/account/verify'), [
    ...who.newCookies,
    ticketCookie(cookies, asked),
    rememberReturn(cookies, pathOf('address')),
  ])
}

interface AddressView {
  readonly email?: string
  readonly refusal?: Refusal
}

async function answerAddress(visit: AccountVisit, view: AddressView = {}): Promise<Response> {
  const { services, who, speech } = visit
  const { address } = speech.messages.account
  const account = await services.sessions.store.accounts.get(who.state.account.id)
  const own = account?.email
  return answerAccountForm(visit, {
    section: 'address',
    fields: ['email', 'current_password'],
    values: { email: view.email },
    managedName: who.state.username,
    words: passwordWords(visit),
    ...(view.refusal === undefined ? {} : { refusal: view.refusal }),
    lead: address.changeLead,
    before: [
      paragraph(speech.messages.account.sections.address.lead),
      paragraph(own === undefined ? address.none : address.current(own.address)),
      ...(own !== undefined && own.verifiedAt === undefined ? unverified(visit) : []),
      subtitle(address.changeTitle),
    ],
  })
}

function unverified({ speech, csrf }: AccountVisit): readonly Html[] {
  const { address } = speech.messages.account
  return [
    notice(address.unverified, { isError: false }),
    form(pathIn(speech, `${pathOf('address')}/verify`), {
      hidden: { csrf },
      fields: [],
      button: address.verify,
      tone: 'plain',
    }),
  ]
}
