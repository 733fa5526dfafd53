import { limits } from '../../base/limits.ts'
import type { MailServices, Asked, Asking } from '../../by-mail/services.ts'
import type { Presented } from '../../by-mail/secrets.ts'
import type { Refusal } from '../../sessions/services.ts'
import { preferredLanguage } from '../accept-language.ts'
import { answerJson } from '../browser/session-answers.ts'
import type { Cookies } from '../browser/cookies.ts'
import { problemFor } from '../problem.ts'
import type { HttpServices } from '../services.ts'

/**
 * Answers a request for a mail. The ticket goes into a cookie, by which the link of the mail recognises this
 * browser, and into the body for programs without cookies.
 */
export function answerAsked({ cookies }: HttpServices, asked: Asked | Refusal): Response {
  if (!asked.ok) return problemFor(asked)
  return answerJson(202, { ticket: asked.ticket }, [ticketCookie(cookies, asked)])
}

/** The cookie of a browser that has asked for a mail. */
export function ticketCookie(cookies: Cookies, { ticket }: Asked): string {
  return cookies.set('ticket', ticket, limits.codeLifeMs / 1000)
}

/** Reads the link, the code and the ticket of a request. Without a ticket in the body, the cookie counts. */
export function presentedBy(
  { cookies }: HttpServices,
  request: Request,
  { link, code, ticket }: Presented,
): Presented {
  if (ticket !== undefined) return { link, code, ticket }
  const cookie = cookies.read(request, 'ticket')
  return { link, code, ticket: cookie.ok ? cookie.value : undefined }
}

/** The language that a browser prefers, of those in which mails exist. */
export function localeOf(request: Request): Asking['locale'] {
  return preferredLanguage(request.headers.get('accept-language'))
}

/** The refusals of every route that takes a mailed code. */
export const CODE_REFUSALS = ['code_wrong', 'code_missing', 'code_void'] as const

/** The services of a route that exists only with mail. */
export function requireMail({ byMail }: HttpServices): MailServices {
  // The feature of the route guarantees that they exist.
  if (byMail === undefined) throw new TypeError('This route requires mail.')
  return byMail
}
