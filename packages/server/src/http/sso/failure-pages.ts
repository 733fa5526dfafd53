import type { HttpServices } from '../services.ts'
import { readRegistration } from '../../sso/registration.ts'
import { buttonLink, linkTo, notice, paragraph } from '../pages/components.ts'
import { pathIn, speechFor } from '../pages/language.ts'
import { answerPage } from '../pages/layout.ts'

/**
 * Answers a request that no application can be told about, because it names no application or another address than the
 * registered ones. The page says what the developer of the application has to change, and leads nowhere.
 */
export function answerWrongRequest(
  { site }: HttpServices,
  request: Request,
  failure: { readonly error: string; readonly description: string | undefined },
): Response {
  const speech = speechFor(request, site)
  const { wrongTitle, wrong, forDevelopers } = speech.messages.sso
  const detail = [failure.error, failure.description].filter((each) => each !== undefined)
  const body = [
    notice(wrong, { isError: true }),
    paragraph(`${forDevelopers} ${detail.join(': ')}`),
  ]
  return answerPage({ speech, site, title: wrongTitle, isWrong: true, body }, { status: 400 })
}

/**
 * Answers a request whose time has passed, or that was begun in another browser. The person begins again at the
 * application, which keeps what it needs to go on.
 */
export async function answerExpired(
  services: HttpServices,
  request: Request,
  applicationId?: string,
): Promise<Response> {
  const { site } = services
  const speech = speechFor(request, site)
  const { expiredTitle, expired, startAgain } = speech.messages.sso
  const startUrl = applicationId && (await startUrlOf(services, applicationId))
  const next =
    startUrl === undefined || startUrl === ''
      ? linkTo(pathIn(speech, '/auth/account'), speech.messages.account.title)
      : buttonLink(startUrl, startAgain)
  const body = [paragraph(expired), next]
  return answerPage({ speech, site, title: expiredTitle, body }, { status: 400 })
}

/** The page at which the login of an application begins. Only one that it has registered, because the id is in a link. */
async function startUrlOf({ sessions }: HttpServices, id: string): Promise<string | undefined> {
  const view = await sessions.store.sso.applications.view(id)
  return view && readRegistration(view.application.registration).startUrl
}
