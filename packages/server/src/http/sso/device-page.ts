import { html } from 'hono/html'

import { countTry } from '../../sessions/count-try.ts'
import { allowedTexts } from '../pages/account/applications.ts'
import { answerAccountPage, visitOf, type AccountVisit } from '../pages/account/frame.ts'
import { form, notice, paragraph } from '../pages/components.ts'
import { pathIn } from '../pages/language.ts'
import type { Html } from '../pages/layout.ts'
import type { PageSession } from '../pages/page-session.ts'
import { wordsFor } from '../pages/proof-page.ts'
import type { Input } from '../router/define.ts'
import type { HttpServices } from '../services.ts'
import { ssoOf } from './ask-library.ts'

/** The parameters of the page. */
export interface DeviceQuery {
  /** The code of the link that the device shows. */
  readonly user_code?: string | undefined
}

/** The forms of the page. */
export interface DeviceBody {
  readonly csrf?: string | undefined
  readonly user_code?: string | undefined
  readonly allow?: string | undefined
  readonly deny?: string | undefined
}

const PATH = '/oauth2/device'

// A code has 34 bits, so guessing one of a few that wait takes much longer than they live.
const CODE_RATE = { triesMax: 10, intervalMs: 30_000 } as const

/** Shows the field for the code of a device. The code of a link is filled in: the person compares it with the device. */
export async function showDevice(
  services: HttpServices,
  input: Input<PageSession, undefined, DeviceQuery, undefined>,
): Promise<Response> {
  return answerForm(visitOf(services, input), input.query.user_code)
}

/** Claims the code for this session, and shows what the device wants; or lets the device in, or refuses it. */
export async function submitDevice(
  services: HttpServices,
  input: Input<PageSession, undefined, DeviceQuery, DeviceBody>,
): Promise<Response> {
  const visit = visitOf(services, input)
  const { messages } = visit.speech
  const { allow, deny, user_code: code = '' } = input.body
  const { devices } = await ssoOf(services).library()
  const { state } = visit.who
  if (allow !== undefined || deny !== undefined) {
    const isAllowed = deny === undefined
    if (!(await devices.decide(code, state, isAllowed))) return answerUnknown(visit, code)
    return answerDone(visit, isAllowed ? messages.sso.deviceDone : messages.sso.deviceDenied)
  }
  const key = `device:${state.session.id}`
  const throttled = await countTry(services.sessions, [{ key, ...CODE_RATE }])
  if (throttled !== undefined) {
    return answerForm(visit, code, wordsFor(messages, throttled.code))
  }
  const waiting = await devices.claim(code, state.session.id)
  if (waiting === undefined) return answerUnknown(visit, code)
  const { applicationId, wanted } = waiting
  const view = await services.sessions.store.sso.applications.view(applicationId)
  const name = view?.application.title ?? applicationId
  const { sso, account } = messages
  const hidden = { csrf: visit.csrf, user_code: code }
  return answerAccountPage(visit, {
    path: PATH,
    title: sso.title(name),
    body: [
      paragraph(sso.deviceAsks(name, code)),
      listOf(allowedTexts(account.applications, wanted)),
      paragraph(account.signedInAs(state.username)),
      form(pathIn(visit.speech, PATH), {
        hidden: { ...hidden, allow: '1' },
        fields: [],
        button: sso.allow,
      }),
      form(pathIn(visit.speech, PATH), {
        hidden: { ...hidden, deny: '1' },
        fields: [],
        button: sso.deny,
        tone: 'plain',
      }),
    ],
  })
}

function answerUnknown(visit: AccountVisit, code: string): Response {
  return answerForm(visit, code, visit.speech.messages.sso.deviceUnknown)
}

function answerDone(visit: AccountVisit, text: string): Response {
  const { deviceTitle } = visit.speech.messages.sso
  return answerAccountPage(visit, {
    path: PATH,
    title: deviceTitle,
    body: [notice(text, { isError: false })],
  })
}

function answerForm(visit: AccountVisit, code: string | undefined, error?: string): Response {
  const { speech, csrf } = visit
  const { sso, continueButton } = speech.messages
  return answerAccountPage(
    visit,
    {
      path: PATH,
      title: sso.deviceTitle,
      isWrong: error !== undefined,
      body: [
        ...(error === undefined ? [] : [notice(error, { isError: true })]),
        paragraph(sso.deviceLead),
        form(pathIn(speech, PATH), {
          hidden: { csrf },
          fields: [codeField(sso.deviceCode, code)],
          button: continueButton,
        }),
      ],
    },
    { status: error === undefined ? 200 : 400 },
  )
}

function codeField(label: string, value: string | undefined): Html {
  return html`<label for="user_code">${label}</label>
    <input
      id="user_code"
      name="user_code"
      type="text"
      autocomplete="off"
      autocapitalize="characters"
      spellcheck="false"
      required
      value="${value ?? ''}"
    />`
}

function listOf(texts: readonly string[]): Html {
  return html`<ul>
    ${texts.map((text) => html`<li>${text}</li>`)}
  </ul>`
}
