import { html } from 'hono/html'

import { loadDescribeDevice } from '../../../accounts/device.ts'
import { auditContextOf } from '../../../sessions/own-sessions.ts'
import type { FactorSummary } from '../../../store/factors.ts'
import { listOwnFactors, type OwnFactors } from '../../../with-factors/own-factors.ts'
import { readUserHandle } from '../../../with-factors/passkeys.ts'
import type { Input } from '../../router/define.ts'
import type { HttpServices } from '../../services.ts'
import { dataFor, form, linkList, notice, paragraph, rows, subtitle, time } from '../components.ts'
import { pathIn } from '../language.ts'
import type { Html } from '../layout.ts'
import type { PageSession } from '../page-session.ts'
import {
  answerAccountPage,
  answerDoneAt,
  pathOf,
  visitOf,
  type AccountQuery,
  type AccountVisit,
} from './frame.ts'

/** The button that forgets remembered browsers. */
export interface FactorsBody {
  readonly csrf?: string | undefined
  readonly forget?: string | undefined
}

/** Shows the second factors of the account, its recovery codes, and the remembered browsers. */
export async function showFactors(
  services: HttpServices,
  input: Input<PageSession, undefined, AccountQuery, undefined>,
): Promise<Response> {
  const visit = visitOf(services, input)
  const { messages } = visit.speech
  const { title, lead } = messages.account.sections.factors
  const own = await listOwnFactors(services.factors, input.who)
  return answerAccountPage(visit, {
    path: pathOf('factors'),
    title,
    body: [
      ...dueNotice(visit, own),
      ...(await acceptedPasskeys(visit, own)),
      paragraph(own.factors.length === 0 ? messages.factors.none : lead),
      ...(own.factors.length === 0 ? [] : [rows(own.factors.map((each) => rowOf(visit, each)))]),
      addLinks(visit),
      ...codesSection(visit, own),
      ...(await devicesSection(visit)),
    ],
  })
}

/** Forgets the remembered browsers. */
export async function submitFactors(
  services: HttpServices,
  input: Input<PageSession, undefined, AccountQuery, FactorsBody>,
): Promise<Response> {
  const visit = visitOf(services, input)
  const { id } = input.who.state.account
  const { sessions, cookies } = services
  if (input.body.forget === undefined) return showFactors(services, { ...input, body: undefined })
  await sessions.store.factors.forgetDevices(id, auditContextOf(sessions, id, input.caller))
  return answerDoneAt(visit, pathOf('factors'), 'devices-forgotten', [cookies.clear('trusted')])
}

/** Says by when the account must have a factor. Empty unless a grace runs. */
export function dueNotice({ speech }: AccountVisit, { dueAt }: Pick<OwnFactors, 'dueAt'>): Html[] {
  const { due } = speech.messages.factors
  return dueAt === undefined
    ? []
    : [html`<p class="notice" role="status">${due.before} ${time(dueAt, speech.language)}</p>`]
}

/** A factor with its times and the link to its page. */
export function rowOf({ speech }: AccountVisit, each: FactorSummary): Html {
  const { messages, language } = speech
  const { factors } = messages
  const { id, kind, name, createdAt, lastUsedAt } = each
  return html`<p>
      <strong>${name}</strong>
      ${name === factors.kinds[kind] ? '' : html`<span class="tag">${factors.kinds[kind]}</span>`}
    </p>
    <p class="soft">
      ${factors.added} ${time(createdAt, language)} ·
      ${lastUsedAt === undefined
        ? factors.neverUsed
        : html`${factors.used} ${time(lastUsedAt, language)}`}
    </p>
    <a href="${pathIn(speech, '/auth/account/factor', { id })}" aria-label="${factors.edit(name)}"
      >${factors.editTitle}</a
    >`
}

/** The rows of the browsers that are not asked for a factor. */
export async function deviceRows({ services, who, speech }: AccountVisit): Promise<Html[]> {
  const { store } = services.sessions
  const devices = await store.factors.trusted(who.state.account.id)
  const describe = await loadDescribeDevice()
  const { factors, account } = speech.messages
  return devices.map(
    ({ userAgent, address, expiresAt }) =>
      html`<p><strong>${describe(userAgent)}</strong></p>
        <p class="soft">
          ${address === '' ? '' : html`${account.sessions.from(address)} · `}${factors.devicesUntil}
          ${time(expiresAt, speech.language)}
        </p>`,
  )
}

function addLinks({ speech, services }: AccountVisit): Html {
  const { app, passkey } = speech.messages.factors
  return linkList([
    [pathIn(speech, '/auth/account/app'), app.begin],
    services.factors.relyingParty === undefined
      ? undefined
      : [pathIn(speech, '/auth/account/passkey'), passkey.title],
  ])
}

function codesSection({ speech }: AccountVisit, own: OwnFactors): readonly Html[] {
  if (own.factors.length === 0) return []
  const { codes } = speech.messages.factors
  return [
    subtitle(codes.title),
    paragraph(codes.left(own.recoveryCodesLeft)),
    linkList([[pathIn(speech, '/auth/account/recovery-codes'), codes.button]]),
  ]
}

async function devicesSection(visit: AccountVisit): Promise<readonly Html[]> {
  const { services, speech, csrf } = visit
  if (services.sessions.factors.rememberMs === undefined) return []
  const { factors } = speech.messages
  const list = await deviceRows(visit)
  if (list.length === 0) return [subtitle(factors.devicesTitle), paragraph(factors.devicesNone)]
  return [
    subtitle(factors.devicesTitle),
    rows(list),
    form(pathIn(speech, pathOf('factors')), {
      hidden: { csrf, forget: '1' },
      fields: [],
      button: factors.forgetButton,
      tone: 'plain',
    }),
  ]
}

/** Password managers drop the passkeys that the account does not have any more. */
async function acceptedPasskeys(
  { services: { factors }, who, request }: AccountVisit,
  own: OwnFactors,
): Promise<readonly Html[]> {
  const { relyingParty, sessions } = factors
  const allAcceptedCredentialIds = own.factors.flatMap(({ credentialId }) => credentialId ?? [])
  const isRemoved = new URL(request.url).searchParams.get('done') === 'factor-removed'
  if (relyingParty === undefined || (allAcceptedCredentialIds.length === 0 && !isRemoved)) return []
  const handle = await readUserHandle(sessions, who.state.account.id)
  if (handle === undefined) return []
  const userId = Buffer.from(handle).toString('base64url')
  return [dataFor('accepted', { rpId: relyingParty.id, userId, allAcceptedCredentialIds })]
}

/** The notice of the overview during a grace, with its link. */
export async function overviewNotice(visit: AccountVisit): Promise<readonly Html[]> {
  const own = await listOwnFactors(visit.services.factors, visit.who)
  const { due } = visit.speech.messages.factors
  return own.dueAt === undefined
    ? []
    : [...dueNotice(visit, own), linkList([[pathIn(visit.speech, pathOf('factors')), due.setUp]])]
}

/** The words above the list on a page that only shows it. */
export function emptyNotice({ speech }: AccountVisit): Html {
  return notice(speech.messages.factors.none, { isError: false })
}
