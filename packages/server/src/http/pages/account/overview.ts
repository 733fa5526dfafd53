import type { AccountSection } from '../catalogue/account-messages.ts'
import { endCurrentSession } from '../../../sessions/own-sessions.ts'
import { forgetSession } from '../../browser/session-answers.ts'
import type { Input } from '../../router/define.ts'
import type { HttpServices } from '../../services.ts'
import { form, paragraph, rows } from '../components.ts'
import { pathIn } from '../language.ts'
import { redirectTo, type Html } from '../layout.ts'
import type { PageSession } from '../page-session.ts'
import { html } from 'hono/html'
import { overviewNotice } from './factors.ts'
import {
  answerAccountPage,
  pathOf,
  visitOf,
  type AccountQuery,
  type AccountVisit,
} from './frame.ts'

/** Shows who is signed in, and the parts of the account page. */
export async function showOverview(
  services: HttpServices,
  input: Input<PageSession, undefined, AccountQuery, undefined>,
): Promise<Response> {
  const visit = visitOf(services, input)
  const { speech, who, csrf } = visit
  const { account } = speech.messages
  return answerAccountPage(visit, {
    path: '/auth/account',
    title: account.title,
    isOverview: true,
    body: [
      paragraph(account.signedInAs(who.state.username)),
      ...(await overviewNotice(visit)),
      rows(sectionsOf(services).map((section) => linkOf(visit, section))),
      form(pathIn(speech, '/auth/account/sign-out'), {
        hidden: { csrf },
        fields: [],
        button: account.signOut,
        tone: 'plain',
      }),
    ],
  })
}

/** Signs out: ends this session. */
export async function signOut(
  services: HttpServices,
  input: Input<PageSession, undefined, AccountQuery, unknown>,
): Promise<Response> {
  const { speech, who } = visitOf(services, input)
  await endCurrentSession(services.sessions, who.state, input.caller)
  return redirectTo(
    pathIn(speech, '/sign-in', { done: 'signed-out' }),
    forgetSession(services.cookies),
  )
}

/** The parts that this server has. */
function sectionsOf({ accounts, byMail, upstream, http }: HttpServices): readonly AccountSection[] {
  const isOwn = accounts !== undefined
  return [
    ...(isOwn ? (['username'] as const) : []),
    ...(byMail === undefined ? [] : (['address'] as const)),
    ...(isOwn ? (['password'] as const) : []),
    'factors',
    ...(upstream === undefined ? [] : (['identities'] as const)),
    'sessions',
    ...(http.sso ? (['applications'] as const) : []),
    'activity',
    'tenants',
    ...(isOwn ? (['delete'] as const) : []),
  ]
}

function linkOf({ speech }: AccountVisit, section: AccountSection): Html {
  const { title, about } = speech.messages.account.sections[section]
  return html`<a href="${pathIn(speech, pathOf(section))}">${title}</a>
    <p class="soft">${about}</p>`
}
