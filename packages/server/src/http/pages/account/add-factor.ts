import { refuseUnlessFresh } from '../../../sessions/freshness.ts'
import { refuse, type Refusal } from '../../../sessions/services.ts'
import {
  addOwnFactor,
  bearerOf,
  listOwnFactors,
  replaceOwnRecoveryCodes,
  type FactorAdded,
} from '../../../with-factors/own-factors.ts'
import { beginTotp, describeBegunTotp } from '../../../with-factors/enrol.ts'
import { askForNewPasskey } from '../../../with-factors/passkeys.ts'
import { sessionCookies } from '../../browser/session-answers.ts'
import { readEnrolment, type SentFactor } from '../../factors/fields.ts'
import type { Input } from '../../router/define.ts'
import type { HttpServices } from '../../services.ts'
import { field, form, noScripts, notice, paragraph, passkeyForm } from '../components.ts'
import { answerOptions, appParts, codesParts, wordsOf } from '../factor-parts.ts'
import { pathIn, speechFor } from '../language.ts'
import { redirectTo, type Html } from '../layout.ts'
import type { PageSession } from '../page-session.ts'
import { statusOf } from '../proof-page.ts'
import { isStale, toConfirm } from './confirm.ts'
import {
  answerAccountPage,
  answerDoneAt,
  pathOf,
  visitOf,
  type AccountQuery,
  type AccountVisit,
} from './frame.ts'

/** The fields of the forms that add a factor. */
export interface AddBody {
  readonly csrf?: string | undefined
  readonly begin?: string | undefined
  readonly options?: string | undefined
  readonly challenge?: string | undefined
  readonly totp?: string | undefined
  readonly response?: string | undefined
  readonly factor_name?: string | undefined
}

type Show = Input<PageSession, undefined, AccountQuery, undefined>
type Submit = Input<PageSession, undefined, AccountQuery, AddBody>

/** The page that adds an authenticator app. */
export const APP_PATH = '/auth/account/app'
/** The page that adds a passkey. */
export const PASSKEY_PATH = '/auth/account/passkey'
/** The page that makes new recovery codes. */
export const CODES_PATH = '/auth/account/recovery-codes'

/** Shows what an authenticator app is, or the QR code of one that is being set up. */
export async function showApp(services: HttpServices, input: Show): Promise<Response> {
  const visit = visitOf(services, input)
  return (await isStale(visit)) ? toConfirm(visit, APP_PATH) : answerApp(visit, input.query)
}

/** Begins to set up an app, or adds it. */
export async function submitApp(services: HttpServices, input: Submit): Promise<Response> {
  const visit = visitOf(services, input)
  const { begin, challenge, totp, factor_name: name } = input.body
  const { username } = input.who.state
  if (begin !== undefined) {
    if (await isStale(visit)) return toConfirm(visit, APP_PATH)
    const begun = await beginTotp(services.factors, bearerOf(input.who), username, input.caller)
    const path = pathIn(visit.speech, APP_PATH, { challenge: begun.challenge })
    return redirectTo(path, input.who.newCookies)
  }
  const added = await add(services, input, { method: 'totp', challenge, code: totp, name })
  return added.ok ? answerAdded(visit, added) : answerApp(visit, { challenge, name }, added)
}

/** Shows the form that makes a passkey. */
export async function showPasskey(services: HttpServices, input: Show): Promise<Response> {
  const visit = visitOf(services, input)
  return (await isStale(visit)) ? toConfirm(visit, PASSKEY_PATH) : answerPasskey(visit)
}

/** Adds a passkey, or answers the script with the options for it. */
export async function submitPasskey(services: HttpServices, input: Submit): Promise<Response> {
  const visit = visitOf(services, input)
  const { who, caller, body } = input
  const { options, challenge, response, factor_name: name } = body
  if (options !== undefined) {
    const stale = await refuseUnlessFresh(services.sessions, who, { hasProvenPassword: false })
    const { username } = who.state
    return answerOptions(
      stale ?? (await askForNewPasskey(services.factors, bearerOf(who), username, caller)),
      who.newCookies,
    )
  }
  const sent = response === '' ? undefined : response
  const added = await add(services, input, { method: 'passkey', challenge, response: sent, name })
  if (added.ok) return answerAdded(visit, added)
  return answerPasskey(
    visit,
    sent === undefined && added.code === 'fields_invalid' ? refuse('passkey_refused') : added,
  )
}

/** Shows what new recovery codes do, and the button that makes them. */
export async function showCodes(services: HttpServices, input: Show): Promise<Response> {
  const visit = visitOf(services, input)
  return (await isStale(visit)) ? toConfirm(visit, CODES_PATH) : answerCodesForm(visit)
}

/** Makes new recovery codes and shows them once. */
export async function submitCodes(services: HttpServices, input: Submit): Promise<Response> {
  const visit = visitOf(services, input)
  const made = await replaceOwnRecoveryCodes(services.factors, input.who, input.caller)
  if (made.ok) return answerAdded(visit, made)
  return made.code === 'insufficient_user_authentication'
    ? toConfirm(visit, CODES_PATH)
    : answerCodesForm(visit, made)
}

async function add(
  services: HttpServices,
  { who, caller, request }: Submit,
  sent: SentFactor,
): Promise<FactorAdded | Refusal> {
  const stale = await refuseUnlessFresh(services.sessions, who, { hasProvenPassword: false })
  const { kinds } = speechFor(request, services.site).messages.factors
  const kind = sent.method === 'passkey' ? 'passkey' : 'totp'
  const enrolment = readEnrolment({ ...sent, name: sent.name || kinds[kind] })
  if (stale !== undefined) return stale
  return enrolment === undefined
    ? refuse('fields_invalid')
    : addOwnFactor(services.factors, who, enrolment, caller)
}

/** The first factor comes with recovery codes, which are shown before the list. */
function answerAdded(visit: AccountVisit, { renewed, recoveryCodes }: FactorAdded): Response {
  const { services, speech } = visit
  const { sessions, cookies } = services
  const lines = renewed === undefined ? [] : sessionCookies(sessions, cookies, renewed)
  if (recoveryCodes.length === 0)
    return answerDoneAt(visit, pathOf('factors'), 'factor-added', lines)
  const next = pathIn(speech, pathOf('factors'), { done: 'factor-added' })
  return answerAccountPage(
    visit,
    {
      path: CODES_PATH,
      title: speech.messages.factors.codes.shownTitle,
      body: codesParts(speech.messages, recoveryCodes, next),
    },
    { cookies: lines },
  )
}

async function answerApp(
  visit: AccountVisit,
  {
    challenge,
    name,
  }: { readonly challenge?: string | undefined; readonly name?: string | undefined },
  refusal?: Refusal,
): Promise<Response> {
  if (refusal?.code === 'insufficient_user_authentication') return toConfirm(visit, APP_PATH)
  const { services, who, speech } = visit
  const { messages } = speech
  const { app } = messages.factors
  const { username } = who.state
  const setup =
    challenge === undefined
      ? undefined
      : await describeBegunTotp(services.factors, bearerOf(who), username, challenge)
  const isVoid = challenge !== undefined && setup === undefined
  return answerAccountPage(
    visit,
    {
      path: APP_PATH,
      title: app.title,
      isWrong: refusal !== undefined || isVoid,
      body: setup
        ? [appParts(messages, setup), appForm(visit, { challenge, name }, refusal)]
        : [
            ...(isVoid ? [notice(app.void, { isError: true })] : []),
            paragraph(app.lead),
            ...(await replacesNotice(visit)),
            beginForm(visit),
          ],
    },
    statusOf(refusal),
  )
}

async function replacesNotice({ services, who, speech }: AccountVisit): Promise<readonly Html[]> {
  const { factors } = await listOwnFactors(services.factors, who)
  return factors.some(({ kind }) => kind === 'totp')
    ? [paragraph(speech.messages.factors.app.replaces)]
    : []
}

function beginForm({ speech, csrf }: AccountVisit): Html {
  return form(pathIn(speech, APP_PATH), {
    hidden: { csrf, begin: '1' },
    fields: [],
    button: speech.messages.factors.app.begin,
  })
}

function appForm(
  { speech, csrf }: AccountVisit,
  {
    challenge,
    name,
  }: { readonly challenge: string | undefined; readonly name: string | undefined },
  refusal: Refusal | undefined,
): Html {
  const { messages } = speech
  return form(pathIn(speech, APP_PATH), {
    hidden: { csrf, challenge },
    fields: [
      field('totp', messages, {
        isFirst: refusal === undefined,
        error: refusal && wordsOf(messages, refusal),
      }),
      field('factor_name', messages, { value: name }),
    ],
    button: messages.factors.app.button,
  })
}

function answerPasskey(visit: AccountVisit, refusal?: Refusal): Response {
  if (refusal?.code === 'insufficient_user_authentication') return toConfirm(visit, PASSKEY_PATH)
  const { speech, csrf } = visit
  const { messages } = speech
  const { passkey, needScripts } = messages.factors
  const error = refusal && wordsOf(messages, refusal)
  return answerAccountPage(
    visit,
    {
      path: PASSKEY_PATH,
      title: passkey.title,
      isWrong: refusal !== undefined,
      body: [
        ...(error === undefined ? [] : [notice(error, { isError: true })]),
        paragraph(passkey.lead),
        noScripts(needScripts),
        passkeyForm(pathIn(speech, PASSKEY_PATH), {
          kind: 'create',
          hidden: { csrf },
          fields: [field('factor_name', messages, {})],
          button: passkey.button,
          messages,
        }),
      ],
    },
    statusOf(refusal),
  )
}

function answerCodesForm(visit: AccountVisit, refusal?: Refusal): Response {
  const { speech, csrf } = visit
  const { messages } = speech
  const { codes } = messages.factors
  const error = refusal && wordsOf(messages, refusal)
  return answerAccountPage(
    visit,
    {
      path: CODES_PATH,
      title: codes.title,
      isWrong: refusal !== undefined,
      body: [
        ...(error === undefined ? [] : [notice(error, { isError: true })]),
        paragraph(codes.lead),
        form(pathIn(speech, CODES_PATH), { hidden: { csrf }, fields: [], button: codes.button }),
      ],
    },
    statusOf(refusal),
  )
}
