import { refusals, type RefusalCode } from '../../base/refusals.ts'
import type { Refusal } from '../../sessions/services.ts'
import type { FieldName, Messages, ProofPage } from './catalogue/messages.ts'
import { field, form, linkTo, notice, paragraph } from './components.ts'
import { isShownRefusal } from './failure-page.ts'
import { pathIn, type Speech } from './language.ts'
import { answerPage, type Html, type Page } from './layout.ts'
import type { Site } from './look/site.ts'
import type { ProofState } from './proof-state.ts'

/** One page for a link or a code, as it is rendered. */
export interface ProofView {
  readonly page: ProofPage
  readonly speech: Speech
  readonly site: Site
  readonly state: ProofState
  /** The other origin at which the form may end. */
  readonly formTarget?: string | undefined
  /** The values that the form sends again. */
  readonly link: string | undefined
  readonly code: string | undefined
  /** Where people ask for a new mail. */
  readonly againPath: string
  /** The fields of the form in this state. Undefined: the page has no form in this state. */
  readonly fields: readonly FieldName[] | undefined
  /** Replaces the page's own words above the form. */
  readonly lead?: string
  readonly refusal?: Refusal
}

/** Answers with the page: the form, or what to do instead. */
export function answerProofPage(view: ProofView): Response {
  const { state, refusal } = view
  if (state.kind === 'void' || (state.kind === 'nothing' && refusal !== undefined)) {
    return answerVoid(view)
  }
  const { status, headers } = statusOf(refusal)
  return answerPage(
    {
      ...frameOf(view),
      title: titleOf(view),
      isWrong: refusal !== undefined,
      body: state.kind === 'nothing' ? nothing(view) : bodyOf(view),
    },
    { status, headers },
  )
}

/** The status of the JSON API for the refusal, and its `Retry-After`. */
export function statusOf(refusal: Refusal | undefined): {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
} {
  if (refusal === undefined) return { status: 200, headers: {} }
  const { code, retryAfterSec } = refusal
  const { status } = refusals[code]
  const seconds = retryAfterSec ?? (status === 503 || status === 429 ? 1 : undefined)
  return { status, headers: seconds === undefined ? {} : { 'retry-after': String(seconds) } }
}

/** Returns the field to which a refusal belongs, of those that the form has. */
export function fieldOf(code: RefusalCode, fields: readonly FieldName[]): FieldName | undefined {
  if (code === 'password_queue_full' || code === 'code_elsewhere') return undefined
  if (code === 'credentials_invalid') return fields.find((each) => each === 'current_password')
  const [prefix] = code.split('_')
  return prefix === 'username'
    ? fields.find((each) => each === 'new_username' || each === 'email')
    : fields.find((each) => each === prefix)
}

/** The words for a refusal. */
export function wordsFor(messages: Messages, code: RefusalCode): string {
  return isShownRefusal(messages, code) ? messages.refusals[code] : messages.failures.server.text
}

function frameOf({
  page,
  speech,
  site,
  link,
  formTarget,
}: ProofView): Omit<Page, 'title' | 'body'> {
  return { speech, site, path: `/auth/account/${page}`, query: { link }, formTarget }
}

function titleOf({ page, speech: { messages }, state, fields }: ProofView): string {
  const isWaiting = state.kind === 'waiting' && fields?.includes('password') !== true
  return isWaiting ? messages.checkMail : messages.proof[page].title
}

function answerVoid(view: ProofView): Response {
  const { page, speech, againPath } = view
  const { messages } = speech
  const words = messages.proof[page]
  const body = [paragraph(words.void), linkTo(pathIn(speech, againPath), words.again)]
  return answerPage(
    { ...frameOf(view), title: messages.voidTitle, body },
    { status: refusals.code_void.status },
  )
}

function nothing({ page, speech, againPath }: ProofView): readonly Html[] {
  const words = speech.messages.proof[page]
  return [paragraph(words.nothing), linkTo(pathIn(speech, againPath), words.again)]
}

function bodyOf(view: ProofView): readonly Html[] {
  const { page, speech, state, lead, fields = [], refusal } = view
  const { messages } = speech
  const words = messages.proof[page]
  const wrongField = refusal && fieldOf(refusal.code, fields)
  const text = state.kind === 'nothing' || state.kind === 'void' ? '' : words[state.kind]
  return [
    ...(refusal === undefined || wrongField !== undefined
      ? []
      : [notice(wordsFor(messages, refusal.code), { isError: true })]),
    paragraph(lead ?? text),
    ...(state.kind === 'asker' ? [paragraph(messages.forAddress(state.maskedAddress))] : []),
    ...(view.fields === undefined ? [] : [formOf(view, view.fields, wrongField)]),
  ]
}

function formOf(
  { page, speech, link, code, refusal }: ProofView,
  fields: readonly FieldName[],
  wrongField: FieldName | undefined,
): Html {
  const { messages } = speech
  const hasCode = fields.includes('code')
  const isStep = page === 'reset' && !fields.includes('password')
  return form(pathIn(speech, `/auth/account/${page}`), {
    hidden: { link, code: hasCode ? undefined : code },
    fields: fields.map((name) =>
      field(name, messages, {
        value: name === 'code' ? code : undefined,
        error:
          name === wrongField && refusal !== undefined
            ? wordsFor(messages, refusal.code)
            : undefined,
      }),
    ),
    button: isStep ? messages.continueButton : messages.proof[page].button,
  })
}
