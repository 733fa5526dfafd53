import type { Asked } from '../../by-mail/services.ts'
import type { Refusal } from '../../sessions/services.ts'
import { ticketCookie } from '../by-mail/answers.ts'
import type { HttpServices } from '../services.ts'
import type { AskPage } from './catalogue/messages.ts'
import { field, form, linkList, notice, paragraph } from './components.ts'
import { pathIn, type Speech } from './language.ts'
import { answerPage, redirectTo, type Html } from './layout.ts'
import type { Site } from './look/site.ts'
import { fieldOf, statusOf, wordsFor } from './proof-page.ts'
import { rememberReturn } from './return-to.ts'

/** A page with a form that asks for a mail. */
export interface AskView {
  readonly page: AskPage
  readonly path: string
  readonly speech: Speech
  readonly site: Site
  readonly fields: readonly ('email' | 'password')[]
  readonly email?: string | undefined
  readonly refusal?: Refusal
  /** More ways to go on, below the form. */
  readonly more: readonly Html[]
  /** Where the person wants to go in the end. */
  readonly returnTo: string | undefined
}

/** Answers with the form. */
export function answerAskPage(view: AskView): Response {
  const { page, path, speech, site, fields, email, refusal, returnTo, more } = view
  const { messages } = speech
  const words = messages.ask[page]
  const wrongField = refusal && fieldOf(refusal.code, fields)
  const error = refusal && wordsFor(messages, refusal.code)
  const isNotice = error !== undefined && wrongField === undefined
  return answerPage(
    {
      speech,
      site,
      path,
      query: { return_to: returnTo },
      title: words.title,
      isWrong: refusal !== undefined,
      body: [
        ...(isNotice ? [notice(error, { isError: true })] : []),
        paragraph(words.lead),
        form(pathIn(speech, path), {
          hidden: { return_to: returnTo },
          fields: fields.map((name) =>
            field(name, messages, {
              value: name === 'email' ? email : undefined,
              error: name === wrongField ? error : undefined,
            }),
          ),
          button: words.button,
        }),
        ...more,
        linkList([[pathIn(speech, '/sign-in', { return_to: returnTo }), messages.signIn.title]]),
      ],
    },
    statusOf(refusal),
  )
}

/**
 * Answers a request for a mail: the browser gets the ticket and goes to the page that waits for the mail. The
 * answer is the same whether or not an account exists. It does not repeat the address.
 */
export function answerAskedPage(
  { cookies }: HttpServices,
  asked: Asked | Refusal,
  view: AskView,
  waitingPath: string,
): Response {
  if (!asked.ok) return answerAskPage({ ...view, refusal: asked })
  return redirectTo(pathIn(view.speech, waitingPath), [
    ticketCookie(cookies, asked),
    rememberReturn(cookies, view.returnTo),
  ])
}
