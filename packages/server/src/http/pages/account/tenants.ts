import { html } from 'hono/html'

import {
  acceptInvitation,
  declineInvitation,
  listOwnInvitations,
} from '../../../by-mail/accept-invitation.ts'
import { readProfile } from '../../../sessions/profile.ts'
import type { Refusal } from '../../../sessions/services.ts'
import type { InvitationSummary } from '../../../store/invitations.ts'
import { sessionCookies } from '../../browser/session-answers.ts'
import { requireMail } from '../../by-mail/answers.ts'
import type { Input } from '../../router/define.ts'
import type { HttpServices } from '../../services.ts'
import { hiddenFields, linkTo, notice, paragraph, rows, subtitle } from '../components.ts'
import { pathIn } from '../language.ts'
import { redirectTo, type Html } from '../layout.ts'
import type { PageSession } from '../page-session.ts'
import { statusOf, wordsFor } from '../proof-page.ts'
import { destinationOf } from '../return-to.ts'
import {
  answerAccountPage,
  answerDoneAt,
  pathOf,
  visitOf,
  type AccountQuery,
  type AccountVisit,
} from './frame.ts'

/** The buttons of the page: a tenant to change to, or an invitation to accept or decline. */
export interface TenantsBody {
  readonly csrf?: string | undefined
  /** The name of the tenant. */
  readonly tenant?: string | undefined
  /** Leaves the tenant of the session. */
  readonly none?: string | undefined
  /** The id of an invitation. */
  readonly accept?: string | undefined
  readonly decline?: string | undefined
  readonly return_to?: string | undefined
}

const CHOOSE = '/auth/account/choose-tenant'

/** Shows the memberships and the invitations of the account. */
export async function showTenants(
  services: HttpServices,
  input: Input<PageSession, undefined, AccountQuery, undefined>,
): Promise<Response> {
  return answerTenants(visitOf(services, input))
}

/** Changes the tenant of the session, or answers an invitation. */
export async function submitTenants(
  services: HttpServices,
  input: Input<PageSession, undefined, AccountQuery, TenantsBody>,
): Promise<Response> {
  const visit = visitOf(services, input)
  const { body, who, caller } = input
  const { accept, decline } = body
  if (accept !== undefined && services.byMail !== undefined) {
    const done = await acceptInvitation(requireMail(services), who, { id: accept }, caller)
    return done.ok ? answerDoneAt(visit, pathOf('tenants'), 'joined') : answerTenants(visit, done)
  }
  if (decline !== undefined && services.byMail !== undefined) {
    await declineInvitation(requireMail(services), who, decline, caller)
    return answerDoneAt(visit, pathOf('tenants'), 'declined')
  }
  const changed = await changeTenant(services, input)
  return changed.ok
    ? answerDoneAt(visit, pathOf('tenants'), 'tenant', changed.cookies)
    : answerTenants(visit, changed)
}

/** Shows the tenants of a person who has just signed in. */
export async function showChoice(
  services: HttpServices,
  input: Input<PageSession, undefined, AccountQuery, undefined>,
): Promise<Response> {
  return answerChoice(visitOf(services, input), input.query.return_to)
}

/** Changes to the chosen tenant, and goes where the person wanted to go. */
export async function submitChoice(
  services: HttpServices,
  input: Input<PageSession, undefined, AccountQuery, TenantsBody>,
): Promise<Response> {
  const { return_to: returnTo } = input.body
  const changed = await changeTenant(services, input)
  if (!changed.ok) return answerChoice(visitOf(services, input), returnTo, changed)
  const { href } = destinationOf(services, returnTo)
  return redirectTo(href, [...input.who.newCookies, ...changed.cookies])
}

/** Changes the tenant by a refresh, as `POST /auth/refresh` does. */
async function changeTenant(
  { refresh, sessions, cookies }: HttpServices,
  { who, caller, body }: Input<PageSession, undefined, AccountQuery, TenantsBody>,
): Promise<{ readonly ok: true; readonly cookies: readonly string[] } | Refusal> {
  const tenantName = body.none === undefined ? body.tenant : null
  if (tenantName === undefined || who.refreshToken === undefined) {
    return { ok: false, code: 'fields_invalid' }
  }
  const granted = await refresh(who.refreshToken, caller, { tenantName, forCookies: true })
  return granted.ok ? { ok: true, cookies: sessionCookies(sessions, cookies, granted) } : granted
}

async function answerTenants(visit: AccountVisit, refusal?: Refusal): Promise<Response> {
  const { services, who, speech } = visit
  const { tenants: words, sections } = speech.messages.account
  const { tenant, tenants } = await readProfile(services.sessions, who.state)
  const invitations =
    services.byMail === undefined ? [] : await listOwnInvitations(requireMail(services), who)
  return answerAccountPage(
    visit,
    {
      path: pathOf('tenants'),
      title: sections.tenants.title,
      isWrong: refusal !== undefined,
      body: [
        ...noticeOf(visit, refusal),
        ...(tenants.length === 0
          ? [paragraph(words.none)]
          : [
              paragraph(sections.tenants.lead),
              formOf(
                visit,
                pathOf('tenants'),
                {},
                tenants.map((each) =>
                  rowOf(visit, each.tenantName, each.tenantId === tenant?.tenantId),
                ),
                tenant === undefined ? '' : leaveButton(visit),
              ),
            ]),
        ...invitationsOf(visit, invitations),
      ],
    },
    statusOf(refusal),
  )
}

async function answerChoice(
  visit: AccountVisit,
  returnTo: string | undefined,
  refusal?: Refusal,
): Promise<Response> {
  const { services, who, speech } = visit
  const { tenants: words } = speech.messages.account
  const { tenant, tenants } = await readProfile(services.sessions, who.state)
  const { href, given, foreignOrigin } = destinationOf(services, returnTo)
  return answerAccountPage(
    visit,
    {
      path: CHOOSE,
      query: { return_to: given },
      title: words.chooseTitle,
      isOverview: true,
      formTarget: foreignOrigin,
      isWrong: refusal !== undefined,
      body: [
        ...noticeOf(visit, refusal),
        paragraph(words.chooseLead),
        formOf(
          visit,
          CHOOSE,
          { return_to: given },
          tenants.map((each) => rowOf(visit, each.tenantName, each.tenantId === tenant?.tenantId)),
          '',
        ),
        linkTo(href, words.skip),
      ],
    },
    statusOf(refusal),
  )
}

function noticeOf({ speech }: AccountVisit, refusal: Refusal | undefined): readonly Html[] {
  return refusal === undefined
    ? []
    : [notice(wordsFor(speech.messages, refusal.code), { isError: true })]
}

function formOf(
  { speech, csrf }: AccountVisit,
  path: string,
  hidden: Readonly<Record<string, string | undefined>>,
  items: readonly Html[],
  more: Html | '',
): Html {
  return html`<form method="post" action="${pathIn(speech, path)}">
    ${hiddenFields({ csrf, ...hidden })} ${rows(items)} ${more}
  </form>`
}

function leaveButton({ speech }: AccountVisit): Html {
  return html`<button type="submit" class="plain" name="none" value="1">
    ${speech.messages.account.tenants.leaveCurrent}
  </button>`
}

function rowOf({ speech }: AccountVisit, name: string, isCurrent: boolean): Html {
  const { tenants: words } = speech.messages.account
  return html`<p>
      <strong>${name}</strong> ${isCurrent ? html`<span class="tag">${words.current}</span>` : ''}
    </p>
    <button type="submit" class="plain" name="tenant" value="${name}">${words.enter(name)}</button>`
}

function invitationsOf(
  visit: AccountVisit,
  invitations: readonly InvitationSummary[],
): readonly Html[] {
  if (invitations.length === 0) return []
  const { tenants: words } = visit.speech.messages.account
  const items = invitations.map(
    ({ id, tenantName, inviter }) =>
      html`<p>${words.invitation(tenantName, inviter)}</p>
        <button type="submit" name="accept" value="${id}">${words.accept(tenantName)}</button>
        <button type="submit" class="plain" name="decline" value="${id}">
          ${words.decline(tenantName)}
        </button>`,
  )
  return [subtitle(words.invitationsTitle), formOf(visit, pathOf('tenants'), {}, items, '')]
}
