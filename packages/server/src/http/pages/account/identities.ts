import { html } from 'hono/html'

import { refuse, type Refusal } from '../../../sessions/services.ts'
import { listIdentities, unlinkOwnIdentity } from '../../../upstream/own-identities.ts'
import { sessionCookies } from '../../browser/session-answers.ts'
import type { Input } from '../../router/define.ts'
import type { HttpServices } from '../../services.ts'
import { begunCookies } from '../../upstream/begun-cookies.ts'
import { requireUpstream } from '../../upstream/features.ts'
import { beginLink } from '../../upstream/own-answers.ts'
import { form, linkTo, notice, paragraph, rows, subtitle, time } from '../components.ts'
import { pathIn } from '../language.ts'
import { answerPage, type Html } from '../layout.ts'
import type { PageSession } from '../page-session.ts'
import { statusOf, wordsFor } from '../proof-page.ts'
import { isStepUp, toConfirm } from './confirm.ts'
import {
  answerAccountPage,
  answerDoneAt,
  pathOf,
  visitOf,
  type AccountQuery,
  type AccountVisit,
} from './frame.ts'

/** The fields of the forms that link or remove an identity. */
export interface IdentitiesBody {
  readonly csrf?: string | undefined
  /** The name of a provider. */
  readonly add?: string | undefined
  /** The id of an identity. */
  readonly remove?: string | undefined
}

/** Shows the identities of the account, and the providers of which one can be linked. */
export async function showIdentities(
  services: HttpServices,
  input: Input<PageSession, undefined, AccountQuery, undefined>,
): Promise<Response> {
  return answerIdentities(visitOf(services, input))
}

/** Removes an identity, or leads to a provider to link one. The session must be fresh. */
export async function submitIdentities(
  services: HttpServices,
  input: Input<PageSession, undefined, AccountQuery, IdentitiesBody>,
): Promise<Response> {
  const visit = visitOf(services, input)
  const { who, caller, body } = input
  if (body.add !== undefined) return addIdentity(visit, body.add)
  const removed = await unlinkOwnIdentity(requireUpstream(services), who, body.remove ?? '', caller)
  if (!removed.ok) return answerRefused(visit, removed)
  const lines =
    removed.renewed && sessionCookies(services.sessions, services.cookies, removed.renewed)
  return answerDoneAt(visit, pathOf('identities'), 'identity-removed', lines)
}

/**
 * Leads to the provider by a page that goes there at once. Browsers apply the policy for forms to a redirect, and the
 * page cannot know through which hosts the provider sends them.
 */
async function addIdentity(visit: AccountVisit, provider: string): Promise<Response> {
  const { services, who, speech, request } = visit
  const language = speech.isChosen ? speech.language : undefined
  const begun = await beginLink(services, who, { provider, language })
  if (!begun.ok) return answerRefused(visit, begun)
  const { messages } = speech
  return answerPage(
    {
      speech,
      site: services.site,
      title: messages.upstream.leavingTitle(begun.title),
      goesTo: begun.url,
      body: [linkTo(begun.url, messages.continueButton)],
    },
    { cookies: [...who.newCookies, ...begunCookies(services.cookies, request, begun)] },
  )
}

function answerRefused(visit: AccountVisit, refusal: Refusal): Promise<Response> | Response {
  if (isStepUp(refusal)) return toConfirm(visit, pathIn(visit.speech, pathOf('identities')))
  // It was removed in another tab: the list shows what there is.
  return answerIdentities(visit, refusal.code === 'not_found' ? refuse('challenge_void') : refusal)
}

async function answerIdentities(visit: AccountVisit, refusal?: Refusal): Promise<Response> {
  const { services, who, speech, csrf } = visit
  const { messages } = speech
  const { title, lead } = messages.account.sections.identities
  const upstream = requireUpstream(services)
  const linked = await listIdentities(upstream, who.state.account.id)
  const action = pathIn(speech, pathOf('identities'))
  const buttons = [...upstream.providers.values()].map((each) =>
    form(action, {
      hidden: { csrf, add: each.name },
      fields: [],
      button: messages.upstream.add(each.title),
      tone: 'plain',
    }),
  )
  return answerAccountPage(
    visit,
    {
      path: pathOf('identities'),
      title,
      isWrong: refusal !== undefined,
      body: [
        ...(refusal === undefined
          ? []
          : [notice(wordsFor(messages, refusal.code), { isError: true })]),
        paragraph(linked.length === 0 ? messages.upstream.none : lead),
        ...(linked.length === 0 ? [] : [rows(linked.map((each) => rowOf(visit, each)))]),
        subtitle(messages.upstream.addTitle),
        paragraph(messages.upstream.addLead),
        ...buttons,
      ],
    },
    statusOf(refusal),
  )
}

function rowOf(
  { speech, csrf, services }: AccountVisit,
  { id, provider, label, linkedAt, lastUsedAt }: Awaited<ReturnType<typeof listIdentities>>[number],
): Html {
  const { messages, language } = speech
  const { upstream, factors } = messages
  const title = requireUpstream(services).providers.get(provider)?.title ?? provider
  return html`<p><strong>${title}</strong></p>
    <p>${label}</p>
    <p class="soft">
      ${upstream.linked} ${time(linkedAt, language)} ·
      ${lastUsedAt === undefined
        ? factors.neverUsed
        : html`${factors.used} ${time(lastUsedAt, language)}`}
    </p>
    <form method="post" action="${pathIn(speech, pathOf('identities'))}">
      <input type="hidden" name="csrf" value="${csrf}" />
      <input type="hidden" name="remove" value="${id}" />
      <button type="submit" class="plain" aria-label="${upstream.remove(`${title} (${label})`)}">
        ${upstream.removeButton}
      </button>
    </form>`
}
