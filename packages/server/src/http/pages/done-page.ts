import { REVIEW_PATH } from './account/review.ts'
import type { DonePage } from './catalogue/messages.ts'
import { buttonLink, paragraph } from './components.ts'
import { pathIn, type Speech } from './language.ts'
import { answerPage } from './layout.ts'
import type { Site } from './look/site.ts'
import type { Destination } from './return-to.ts'

/** Answers a form that has done its work. The person signs in next, or goes on. */
export function answerDone(
  what: DonePage,
  {
    speech,
    site,
    destination,
  }: { readonly speech: Speech; readonly site: Site; readonly destination: Destination },
  cookies: readonly string[],
): Response {
  const { done, toApplication, signIn } = speech.messages
  const { title, text } = done[what]
  const { href, given } = destination
  // After a reset, the person first sees what else can log in to the account.
  const afterSignIn = what === 'reset' ? pathIn(speech, REVIEW_PATH, { return_to: given }) : given
  const next =
    what === 'verify'
      ? buttonLink(href, toApplication)
      : buttonLink(pathIn(speech, '/sign-in', { return_to: afterSignIn }), signIn.title)
  const body = [paragraph(text), next]
  return answerPage({ speech, site, title, body }, { cookies })
}
