import type { RefusalCode } from '../../../base/refusals.ts'
import type { Refusal } from '../../../sessions/services.ts'
import type { AccountSection } from '../catalogue/account-messages.ts'
import type { FieldName } from '../catalogue/messages.ts'
import { field, form, managed, notice, paragraph, type Tone } from '../components.ts'
import { pathIn } from '../language.ts'
import type { Html } from '../layout.ts'
import { fieldOf, statusOf, wordsFor } from '../proof-page.ts'
import { answerAccountPage, pathOf, type AccountVisit } from './frame.ts'

/** A part of the account page with one form. */
export interface AccountForm {
  readonly section: AccountSection
  readonly fields: readonly FieldName[]
  /** The values that the person typed. Passwords are not sent back. */
  readonly values?: Readonly<Partial<Record<FieldName, string | undefined>>>
  /** The username for password managers, in a form that sets a password. */
  readonly managedName?: string
  readonly tone?: Tone
  readonly refusal?: Refusal
  /** Replaces the words of refusals that mean something else here. */
  readonly words?: Readonly<Partial<Record<RefusalCode, string>>>
  readonly before?: readonly Html[]
  /** Replaces the text above the form. */
  readonly lead?: string
}

/** Answers with a form, or with the form and its error. */
export function answerAccountForm(visit: AccountVisit, view: AccountForm): Response {
  const { section, refusal, before = [] } = view
  const { messages } = visit.speech
  const { title, lead } = messages.account.sections[section]
  const { status, headers } = statusOf(refusal)
  return answerAccountPage(
    visit,
    {
      path: pathOf(section),
      title,
      isWrong: refusal !== undefined,
      body: [
        ...noticeOf(visit, view),
        ...before,
        paragraph(view.lead ?? lead),
        formOf(visit, view),
      ],
    },
    { status, headers },
  )
}

/** The words of a refused password on the account pages. */
export function passwordWords({ speech }: AccountVisit): NonNullable<AccountForm['words']> {
  return { credentials_invalid: speech.messages.account.wrongPassword }
}

function errorOf(
  { speech }: AccountVisit,
  { refusal, words = {} }: AccountForm,
): string | undefined {
  return refusal && (words[refusal.code] ?? wordsFor(speech.messages, refusal.code))
}

function noticeOf(visit: AccountVisit, view: AccountForm): readonly Html[] {
  const { refusal, fields } = view
  const error = errorOf(visit, view)
  const isOfField = refusal !== undefined && fieldOf(refusal.code, fields) !== undefined
  return error === undefined || isOfField ? [] : [notice(error, { isError: true })]
}

function formOf(visit: AccountVisit, view: AccountForm): Html {
  const { section, fields, values = {}, managedName, tone, refusal } = view
  const { speech, csrf } = visit
  const { messages } = speech
  const wrongField = refusal && fieldOf(refusal.code, fields)
  const error = errorOf(visit, view)
  return form(pathIn(speech, pathOf(section)), {
    hidden: { csrf },
    fields: [
      ...(managedName === undefined ? [] : [managed(managedName)]),
      ...fields.map((name) =>
        field(name, messages, {
          value: values[name],
          error: name === wrongField ? error : undefined,
        }),
      ),
    ],
    button: messages.account.sections[section].button,
    ...(tone === undefined ? {} : { tone }),
  })
}
