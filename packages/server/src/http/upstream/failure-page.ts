import type { Refusal } from '../../sessions/services.ts'
import type { HttpServices } from '../services.ts'
import { linkTo, notice } from '../pages/components.ts'
import { pathIn, speechFor, type Speech } from '../pages/language.ts'
import { answerPage } from '../pages/layout.ts'
import { statusOf, wordsFor } from '../pages/proof-page.ts'
import { destinationOf } from '../pages/return-to.ts'

/** A log-in with another identity that failed in a browser. */
export interface FailedVisit {
  readonly request: Request
  /** The name of the provider on its button. */
  readonly title: string
  readonly returnTo?: string | undefined
  /** The language of the page on which the person began. */
  readonly language?: string | undefined
  readonly cookies?: readonly string[]
  /** Where the person began, if not on the sign-in page. */
  readonly back?: string
}

/** Answers with a page that says what happened, and leads to another try. Nothing of the provider's text is shown. */
export function answerUpstreamFailure(
  services: HttpServices,
  refusal: Refusal,
  { request, title, returnTo, language, cookies = [], back = '/sign-in' }: FailedVisit,
): Response {
  const speech = speechIn(services, request, language)
  const { messages } = speech
  const { given } = destinationOf(services, returnTo)
  const { status, headers } = statusOf(refusal)
  return answerPage(
    {
      speech,
      site: services.site,
      title: messages.upstream.failedTitle(title),
      isWrong: true,
      body: [
        notice(wordsFor(messages, refusal.code), { isError: true }),
        services.http.pages
          ? linkTo(pathIn(speech, back, { return_to: given }), messages.upstream.again)
          : linkTo(destinationOf(services, returnTo).href, messages.toApplication),
      ],
    },
    { status, headers, cookies },
  )
}

/** The words in the language that the person has chosen before the provider, otherwise in that of the browser. */
export function speechIn(
  { site }: HttpServices,
  request: Request,
  language: string | undefined,
): Speech {
  if (language === undefined) return speechFor(request, site)
  const url = new URL(request.url)
  url.searchParams.set('lang', language)
  return speechFor(new Request(url, { headers: request.headers }), site)
}
