import { isStepUp, isStale, toConfirm } from './confirm.ts'
import { refuse, type Refusal } from '../../../sessions/services.ts'
import type { FactorSummary } from '../../../store/factors.ts'
import {
  listOwnFactors,
  removeOwnFactor,
  renameOwnFactor,
} from '../../../with-factors/own-factors.ts'
import { sessionCookies } from '../../browser/session-answers.ts'
import type { Input } from '../../router/define.ts'
import type { HttpServices } from '../../services.ts'
import { field, form, paragraph, subtitle } from '../components.ts'
import { pathIn } from '../language.ts'
import { redirectTo } from '../layout.ts'
import type { PageSession } from '../page-session.ts'
import { statusOf } from '../proof-page.ts'
import {
  answerAccountPage,
  answerDoneAt,
  pathOf,
  visitOf,
  type AccountQuery,
  type AccountVisit,
} from './frame.ts'

/** The fields of the forms that rename or remove a factor. */
export interface FactorBody {
  readonly csrf?: string | undefined
  readonly id?: string | undefined
  readonly factor_name?: string | undefined
  /** With any value, the factor is removed. */
  readonly remove?: string | undefined
}

const PATH = '/auth/account/factor'

/** Shows one factor: the form for its name, and what its removal does. */
export async function showFactor(
  services: HttpServices,
  input: Input<PageSession, undefined, AccountQuery, undefined>,
): Promise<Response> {
  return answerFactor(visitOf(services, input), input.query.id)
}

/** Renames or removes a factor. */
export async function submitFactor(
  services: HttpServices,
  input: Input<PageSession, undefined, AccountQuery, FactorBody>,
): Promise<Response> {
  const visit = visitOf(services, input)
  const { who, caller, body } = input
  const { id = '', factor_name: name = '', remove } = body
  const { factors, sessions, cookies } = services
  if (remove === undefined) {
    const renamed =
      name === ''
        ? refuse('fields_invalid')
        : await renameOwnFactor(factors, who, { id, name }, caller)
    return renamed.ok
      ? answerDoneAt(visit, pathOf('factors'), 'factor-renamed')
      : answerFactor(visit, id, renamed)
  }
  const removed = await removeOwnFactor(factors, who, id, caller)
  if (!removed.ok) {
    return isStepUp(removed)
      ? toConfirm(visit, pathIn(visit.speech, PATH, { id }))
      : answerFactor(visit, id, removed)
  }
  const lines = removed.renewed && sessionCookies(sessions, cookies, removed.renewed)
  return answerDoneAt(visit, pathOf('factors'), 'factor-removed', lines)
}

async function answerFactor(
  visit: AccountVisit,
  id: string | undefined,
  refusal?: Refusal,
): Promise<Response> {
  const { services, who, speech } = visit
  if (await isStale(visit)) return toConfirm(visit, pathIn(speech, PATH, { id }))
  const { factors, isRequired } = await listOwnFactors(services.factors, who)
  const factor = factors.find((each) => each.id === id)
  // It was removed in another tab, or the link is an old one. The list shows what there is.
  if (factor === undefined) return redirectTo(pathIn(speech, pathOf('factors')), who.newCookies)
  return answerAccountPage(
    visit,
    {
      path: PATH,
      title: factor.name,
      isWrong: refusal !== undefined,
      body: bodyOf(visit, factor, { isLast: factors.length === 1, isRequired }, refusal),
    },
    statusOf(refusal),
  )
}

function bodyOf(
  { speech, csrf }: AccountVisit,
  { id, name, kind }: FactorSummary,
  { isLast, isRequired }: { readonly isLast: boolean; readonly isRequired: boolean },
  refusal: Refusal | undefined,
) {
  const { messages } = speech
  const { factors } = messages
  const action = pathIn(speech, PATH)
  return [
    paragraph(factors.kinds[kind]),
    form(action, {
      hidden: { csrf, id },
      fields: [
        field('factor_name', messages, {
          value: name,
          label: factors.name,
          error: refusal && messages.refusals.fields_invalid,
        }),
      ],
      button: factors.renameButton,
      tone: 'plain',
    }),
    subtitle(factors.removeTitle),
    paragraph(factors.removeLead),
    ...(isLast ? [paragraph(isRequired ? factors.removeLastRequired : factors.removeLast)] : []),
    form(action, {
      hidden: { csrf, id, remove: '1' },
      fields: [],
      button: factors.removeButton,
      tone: 'bad',
    }),
  ]
}
