import type { DonePage } from './catalogue/messages.ts'
import { linkTo, paragraph } from './components.ts'
import type { Speech } from './language.ts'
import { answerPage } from './layout.ts'

/** Answers a form that has done its work. The ticket is of no more use. */
export function answerDone(
  what: DonePage,
  {
    speech,
    site,
    application,
  }: { readonly speech: Speech; readonly site: string; readonly application: string },
  cookies: readonly string[],
): Response {
  const { done, toApplication } = speech.messages
  const { title, text } = done[what]
  const body = [paragraph(text), linkTo(application, toApplication)]
  return answerPage({ speech, site, title, body }, { cookies })
}
