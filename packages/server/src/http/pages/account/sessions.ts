import { html } from 'hono/html'

import { loadDescribeDevice } from '../../../accounts/device.ts'
import { endOwnSession, endOwnSessions, listOwnSessions } from '../../../sessions/own-sessions.ts'
import type { Refusal } from '../../../sessions/services.ts'
import type { SessionSummary } from '../../../store/store.ts'
import { forgetSession, sessionCookies } from '../../browser/session-answers.ts'
import type { Input } from '../../router/define.ts'
import type { HttpServices } from '../../services.ts'
import { hiddenFields, notice, paragraph, rows, time } from '../components.ts'
import { pathIn } from '../language.ts'
import { redirectTo, type Html } from '../layout.ts'
import type { PageSession } from '../page-session.ts'
import { statusOf, wordsFor } from '../proof-page.ts'
import {
  answerAccountPage,
  answerDoneAt,
  pathOf,
  visitOf,
  type AccountQuery,
  type AccountVisit,
} from './frame.ts'

/** The buttons of the list: the id of a session, `others` or `all`. */
export interface SessionsBody {
  readonly csrf?: string | undefined
  readonly end?: string | undefined
}

/** Shows the live sessions of the account as devices. */
export async function showSessions(
  services: HttpServices,
  input: Input<PageSession, undefined, AccountQuery, undefined>,
): Promise<Response> {
  return answerSessions(visitOf(services, input))
}

/** Ends one session, all others, or all. */
export async function submitSessions(
  services: HttpServices,
  {
    who,
    caller,
    request,
    body: { end },
  }: Input<PageSession, undefined, AccountQuery, SessionsBody>,
): Promise<Response> {
  const visit = visitOf(services, { request, who })
  const { sessions, cookies } = services
  const isOwn = end === who.state.session.id
  if (end === undefined) return redirectTo(pathIn(visit.speech, pathOf('sessions')), who.newCookies)
  if (end === 'others' || end === 'all') {
    const ended = await endOwnSessions(sessions, who, end, caller)
    if (!ended.ok) return answerSessions(visit, ended)
    if (end === 'all') return toSignIn(visit, 'all-ended')
    const renewed = ended.renewed && sessionCookies(sessions, cookies, ended.renewed)
    return answerDoneAt(visit, pathOf('sessions'), 'others', renewed)
  }
  const ended = await endOwnSession(sessions, who.state, end, caller)
  // A session that does not exist any more is not in the list either.
  if (!ended.ok && ended.code !== 'not_found') return answerSessions(visit, ended)
  return isOwn ? toSignIn(visit, 'signed-out') : answerDoneAt(visit, pathOf('sessions'), 'session')
}

function toSignIn({ services, speech }: AccountVisit, done: string): Response {
  return redirectTo(pathIn(speech, '/sign-in', { done }), forgetSession(services.cookies))
}

async function answerSessions(visit: AccountVisit, refusal?: Refusal): Promise<Response> {
  const { services, who, speech, csrf } = visit
  const { messages } = speech
  const { title, lead } = messages.account.sections.sessions
  const own = await listOwnSessions(services.sessions, who.state)
  const describe = await loadDescribeDevice()
  const list = own.map((each) => rowOf(visit, each, describe(each.userAgent)))
  const error = refusal && wordsFor(messages, refusal.code)
  return answerAccountPage(
    visit,
    {
      path: pathOf('sessions'),
      title,
      isWrong: refusal !== undefined,
      body: [
        ...(error === undefined ? [] : [notice(error, { isError: true })]),
        paragraph(lead),
        html`<form method="post" action="${pathIn(speech, pathOf('sessions'))}">
          ${hiddenFields({ csrf })} ${rows(list)}
          ${own.length > 1 ? buttonFor(visit, 'others') : ''} ${buttonFor(visit, 'all')}
        </form>`,
      ],
    },
    statusOf(refusal),
  )
}

function buttonFor({ speech }: AccountVisit, which: 'others' | 'all'): Html {
  const { endOthers, endAll } = speech.messages.account.sessions
  return which === 'others'
    ? html`<button type="submit" name="end" value="others">${endOthers}</button>`
    : html`<button type="submit" class="plain" name="end" value="all">${endAll}</button>`
}

function rowOf(visit: AccountVisit, session: SessionSummary, device: string): Html {
  const { sessions: words, sections } = visit.speech.messages.account
  const { id } = session
  return html`${describeSession(visit, session, device)}
  ${id === visit.who.state.session.id
    ? ''
    : html`<button
        type="submit"
        class="plain"
        name="end"
        value="${id}"
        aria-label="${words.end(device)}"
      >
        ${sections.sessions.button}
      </button>`}`
}

/** A session with its device and its times. */
export function describeSession(
  { who, speech }: AccountVisit,
  { id, address, createdAt, rotatedAt }: SessionSummary,
  device: string,
): Html {
  const { sessions: words } = speech.messages.account
  const isCurrent = id === who.state.session.id
  const { language } = speech
  return html`<p>
      <strong>${device}</strong> ${isCurrent ? html`<span class="tag">${words.current}</span>` : ''}
    </p>
    <p class="soft">
      ${address === '' ? '' : html`${words.from(address)} · `}${words.begun}
      ${time(createdAt, language)} · ${words.used} ${time(rotatedAt, language)}
    </p>`
}
