import { changePassword } from '../../../sessions/change-password.ts'
import {
  deleteOwnAccount,
  exportOwnAccount,
  renameOwnAccount,
} from '../../../sessions/own-account.ts'
import type { Refusal } from '../../../sessions/services.ts'
import { forgetSession, sessionCookies, withCookies } from '../../browser/session-answers.ts'
import type { Input } from '../../router/define.ts'
import type { HttpServices } from '../../services.ts'
import { answerFailure } from '../failure-page.ts'
import { form, paragraph, subtitle } from '../components.ts'
import { pathIn } from '../language.ts'
import { redirectTo } from '../layout.ts'
import type { PageSession } from '../page-session.ts'
import { isStale, isStepUp, toConfirm } from './confirm.ts'
import { answerAccountForm, passwordWords } from './form-page.ts'
import { answerDoneAt, pathOf, visitOf, type AccountQuery, type AccountVisit } from './frame.ts'

/** The fields of the forms of the account page. */
export interface AccountBody {
  readonly csrf?: string | undefined
  readonly new_username?: string | undefined
  readonly current_password?: string | undefined
  readonly password?: string | undefined
  readonly email?: string | undefined
}

type Show = Input<PageSession, undefined, AccountQuery, undefined>
type Submit = Input<PageSession, undefined, AccountQuery, AccountBody>

/** The forms prove the password, so only an account with a second factor must confirm more. */
const WITH_PASSWORD = { hasProvenPassword: true }

const EMPTY: Refusal = { ok: false, code: 'fields_invalid' }

/** Shows the form for a new username. */
export async function showUsername(services: HttpServices, input: Show): Promise<Response> {
  const visit = visitOf(services, input)
  return (await isStale(visit))
    ? toConfirm(visit, pathOf('username'))
    : answerUsername(visit, visit.who.state.username)
}

/** Changes the username. */
export async function submitUsername(services: HttpServices, input: Submit): Promise<Response> {
  const visit = visitOf(services, input)
  const { new_username: name = '' } = input.body
  const renamed =
    name === '' ? EMPTY : await renameOwnAccount(services.sessions, input.who, name, input.caller)
  if (!renamed.ok && isStepUp(renamed)) return toConfirm(visit, pathOf('username'))
  return renamed.ok
    ? answerDoneAt(visit, pathOf('username'), 'username')
    : answerUsername(visit, name, renamed)
}

function answerUsername(visit: AccountVisit, name: string, refusal?: Refusal): Response {
  return answerAccountForm(visit, {
    section: 'username',
    fields: ['new_username'],
    values: { new_username: name },
    words: visit.speech.messages.account.usernameRefusals,
    ...(refusal === undefined ? {} : { refusal }),
  })
}

/** Shows the form for a new password. */
export async function showPassword(services: HttpServices, input: Show): Promise<Response> {
  const visit = visitOf(services, input)
  return (await isStale(visit, WITH_PASSWORD))
    ? toConfirm(visit, pathOf('password'))
    : answerPassword(visit)
}

/** Changes the password, and ends all other sessions. */
export async function submitPassword(services: HttpServices, input: Submit): Promise<Response> {
  const visit = visitOf(services, input)
  const { current_password: oldPassword = '', password: newPassword = '' } = input.body
  const { sessions, cookies } = services
  const changed =
    oldPassword === '' || newPassword === ''
      ? EMPTY
      : await changePassword(sessions, input.who, { oldPassword, newPassword }, input.caller)
  if (!changed.ok && isStepUp(changed)) return toConfirm(visit, pathOf('password'))
  if (!changed.ok) return answerPassword(visit, changed)
  const renewed = changed.renewed && sessionCookies(sessions, cookies, changed.renewed)
  return answerDoneAt(visit, pathOf('password'), 'password', renewed)
}

function answerPassword(visit: AccountVisit, refusal?: Refusal): Response {
  return answerAccountForm(visit, {
    section: 'password',
    fields: ['current_password', 'password'],
    managedName: visit.who.state.username,
    words: passwordWords(visit),
    ...(refusal === undefined ? {} : { refusal }),
  })
}

/** Shows the button that saves the person's data, and the form that deletes the account. */
export async function showDelete(services: HttpServices, input: Show): Promise<Response> {
  const visit = visitOf(services, input)
  return (await isStale(visit, WITH_PASSWORD))
    ? toConfirm(visit, pathOf('delete'))
    : answerDelete(visit)
}

/** Deletes the account. */
export async function submitDelete(services: HttpServices, input: Submit): Promise<Response> {
  const visit = visitOf(services, input)
  const { current_password: password = '' } = input.body
  const deleted =
    password === ''
      ? EMPTY
      : await deleteOwnAccount(services.sessions, input.who, password, input.caller)
  if (!deleted.ok && isStepUp(deleted)) return toConfirm(visit, pathOf('delete'))
  return deleted.ok
    ? redirectTo(
        pathIn(visit.speech, '/sign-in', { done: 'deleted' }),
        forgetSession(services.cookies),
      )
    : answerDelete(visit, deleted)
}

/** Sends everything that is stored about the person, as a file. */
export async function submitExport(services: HttpServices, input: Submit): Promise<Response> {
  const { who, caller, request } = input
  const exported = await exportOwnAccount(services.sessions, who, caller)
  if (!exported.ok) return answerFailure(exported.code, request, { site: services.site })
  const answer = new Response(JSON.stringify(exported.data, undefined, 2), {
    headers: {
      'content-type': 'application/json',
      'cache-control': 'no-store',
      'content-disposition': 'attachment; filename="account.json"',
    },
  })
  return withCookies(answer, who.newCookies)
}

function answerDelete(visit: AccountVisit, refusal?: Refusal): Response {
  const { speech, csrf } = visit
  const { account } = speech.messages
  return answerAccountForm(visit, {
    section: 'delete',
    fields: ['current_password'],
    managedName: visit.who.state.username,
    tone: 'bad',
    words: passwordWords(visit),
    ...(refusal === undefined ? {} : { refusal }),
    before: [
      subtitle(account.exportTitle),
      paragraph(account.exportLead),
      form(pathIn(speech, '/auth/account/export'), {
        hidden: { csrf },
        fields: [],
        button: account.exportButton,
        tone: 'plain',
        isRepeatable: true,
      }),
      subtitle(account.sections.delete.button),
    ],
  })
}
