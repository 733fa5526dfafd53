import { html } from 'hono/html'

import type { AuditLine } from '../../../accounts/audit.ts'
import type { Input } from '../../router/define.ts'
import type { HttpServices } from '../../services.ts'
import { linkTo, paragraph, rows, time } from '../components.ts'
import { pathIn } from '../language.ts'
import type { Html } from '../layout.ts'
import type { PageSession } from '../page-session.ts'
import {
  answerAccountPage,
  pathOf,
  visitOf,
  type AccountQuery,
  type AccountVisit,
} from './frame.ts'

const LINES = 25

/** Shows the newest lines of the audit that are about the account, in words. */
export async function showActivity(
  services: HttpServices,
  input: Input<PageSession, undefined, AccountQuery, undefined>,
): Promise<Response> {
  const visit = visitOf(services, input)
  const { speech, who } = visit
  const { activity, sections } = speech.messages.account
  const { before } = input.query
  const found = await services.sessions.store.audit.list({
    accountId: who.state.account.id,
    before: before !== undefined && /^\d{1,15}$/.test(before) ? Number(before) : undefined,
    limit: LINES + 1,
  })
  const shown = found.slice(0, LINES)
  const last = found.length > LINES ? shown.at(-1) : undefined
  return answerAccountPage(visit, {
    path: pathOf('activity'),
    title: sections.activity.title,
    body: [
      paragraph(sections.activity.lead),
      ...(shown.length === 0
        ? [paragraph(activity.none)]
        : [rows(shown.map((line) => rowOf(visit, line)))]),
      ...(last === undefined
        ? []
        : [
            linkTo(pathIn(speech, pathOf('activity'), { before: String(last.id) }), activity.older),
          ]),
    ],
  })
}

function rowOf({ speech, who }: AccountVisit, line: AuditLine): Html {
  const { activity } = speech.messages.account
  const { actor, address, at, event, outcome } = line
  const isByOther = actor !== who.state.account.id && actor !== 'anonymous'
  return html`<p>
      <strong>${activity.events[event] ?? activity.other}</strong>
      ${outcome === 'refused' ? html`<span class="tag">${activity.refused}</span>` : ''}
    </p>
    <p class="soft">
      ${time(at, speech.language)}${address === undefined || address === ''
        ? ''
        : html` · ${activity.from(address)}`}${isByOther ? html` · ${activity.byOthers}` : ''}
    </p>`
}
