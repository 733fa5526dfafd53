import { html } from 'hono/html'

import {
  listOwnApplications,
  revokeOwnApplication,
  type OwnApplication,
} from '../../../sso/own-applications.ts'
import type { Allowed } from '../../../sso/consent.ts'
import { sessionCookies } from '../../browser/session-answers.ts'
import type { Input } from '../../router/define.ts'
import type { HttpServices } from '../../services.ts'
import type { AccountMessages } from '../catalogue/account-messages.ts'
import { hiddenFields, paragraph, rows, time } from '../components.ts'
import { pathIn } from '../language.ts'
import { redirectTo, type Html } from '../layout.ts'
import type { PageSession } from '../page-session.ts'
import {
  answerAccountPage,
  answerDoneAt,
  pathOf,
  visitOf,
  type AccountQuery,
  type AccountVisit,
} from './frame.ts'

/** The buttons of the list. */
export interface ApplicationsBody {
  readonly csrf?: string | undefined
  /** The id of the application that loses its access. */
  readonly revoke?: string | undefined
}

/** Shows the applications that the person has allowed to use the account. */
export async function showApplications(
  services: HttpServices,
  input: Input<PageSession, undefined, AccountQuery, undefined>,
): Promise<Response> {
  const visit = visitOf(services, input)
  const { speech, csrf, who } = visit
  const { applications: words, sections } = speech.messages.account
  const own = await listOwnApplications(services.sessions, who.state)
  return answerAccountPage(visit, {
    path: pathOf('applications'),
    title: sections.applications.title,
    body:
      own.length === 0
        ? [paragraph(words.none)]
        : [
            paragraph(sections.applications.lead),
            html`<form method="post" action="${pathIn(speech, pathOf('applications'))}">
              ${hiddenFields({ csrf })} ${rows(own.map((each) => rowOf(visit, each)))}
            </form>`,
          ],
  })
}

/** Removes the access of one application. */
export async function submitApplications(
  services: HttpServices,
  { who, caller, request, body }: Input<PageSession, undefined, AccountQuery, ApplicationsBody>,
): Promise<Response> {
  const visit = visitOf(services, { request, who })
  const { sessions, cookies } = services
  const path = pathOf('applications')
  if (body.revoke === undefined) return redirectTo(pathIn(visit.speech, path), who.newCookies)
  const revoked = await revokeOwnApplication(sessions, who, body.revoke, caller)
  // An application without a consent is not in the list either.
  if (!revoked.ok) return answerDoneAt(visit, path, 'application')
  const renewed = revoked.renewed && sessionCookies(sessions, cookies, revoked.renewed)
  return answerDoneAt(visit, path, 'application', renewed)
}

function rowOf({ speech }: AccountVisit, application: OwnApplication): Html {
  const { applications: words, sections } = speech.messages.account
  const { id, title, isDisabled, givenAt } = application
  return html`<p>
      <strong>${title}</strong> ${isDisabled
        ? html`<span class="tag">${words.disabled}</span>`
        : ''}
    </p>
    <ul>
      ${allowedTexts(words, application).map((text) => html`<li>${text}</li>`)}
    </ul>
    <p class="soft">${words.since} ${time(givenAt, speech.language)}</p>
    <button
      type="submit"
      class="plain"
      name="revoke"
      value="${id}"
      aria-label="${words.revoke(title)}"
    >
      ${sections.applications.button}
    </button>`
}

/** Returns what an application may do, in words. */
export function allowedTexts(
  words: AccountMessages['applications'],
  { scopes, resources }: Allowed,
): readonly string[] {
  const known: Readonly<Record<string, string>> = words.scopes
  return [
    ...scopes.map((scope) =>
      Object.hasOwn(known, scope) ? (known[scope] ?? '') : words.otherScope(scope),
    ),
    ...resources.map((resource) => words.resource(resource)),
  ]
}
