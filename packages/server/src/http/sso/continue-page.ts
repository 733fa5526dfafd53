import { linkTo } from '../pages/components.ts'
import { speechFor } from '../pages/language.ts'
import { answerPage } from '../pages/layout.ts'
import type { HttpServices } from '../services.ts'

/**
 * Sends a browser on, to an application in the end. It is a page and no redirect: browsers apply the policy of a form
 * also to all redirects that follow it, and the sign-in page cannot name every application.
 */
export function answerContinue(
  { site }: HttpServices,
  request: Request,
  goesTo: string,
  cookies: readonly string[] = [],
): Response {
  const speech = speechFor(request, site)
  const { again, continueButton } = speech.messages
  return answerPage(
    { speech, site, title: again, goesTo, body: [linkTo(goesTo, continueButton)] },
    { cookies },
  )
}
