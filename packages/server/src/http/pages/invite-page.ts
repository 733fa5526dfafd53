import { acceptInvitation } from '../../by-mail/accept-invitation.ts'
import type { Refusal } from '../../sessions/services.ts'
import { requireMail } from '../by-mail/answers.ts'
import { withoutRevocation } from '../effective.ts'
import type { Input } from '../router/define.ts'
import type { HttpServices } from '../services.ts'
import { buttonLink, field, form, linkList, linkTo, notice, paragraph } from './components.ts'
import { pathIn, speechFor } from './language.ts'
import { answerPage, type Html } from './layout.ts'
import { fieldOf, statusOf, wordsFor } from './proof-page.ts'
import { readFormSession } from './read-session.ts'
import type { PageQuery, ProofBody } from './proof-handlers.ts'

const PATH = '/auth/account/invite'

interface InviteView {
  readonly services: HttpServices
  readonly request: Request
  readonly link: string | undefined
  readonly code?: string | undefined
  readonly refusal?: Refusal
  /** The form was sent without a session. */
  readonly isLoggedOut?: boolean
}

/**
 * Shows the page of an invitation. It reads neither the invitation nor the session: programs open links, and
 * browsers send no refresh cookie with a link from a mail.
 */
export function showInvite(
  services: HttpServices,
  { request, query }: Input<undefined, undefined, PageQuery, undefined>,
): Response {
  return answerInvitePage({ services, request, link: query.link })
}

/** Accepts the invitation for the session of this browser. */
export async function submitInvite(
  services: HttpServices,
  { request, caller, body }: Input<undefined, undefined, PageQuery, ProofBody>,
): Promise<Response> {
  const { link, code } = body
  const view = { services, request, link, code }
  const who = await readFormSession(services, request)
  if (who === undefined) return answerInvitePage({ ...view, isLoggedOut: true })
  const accepted = await acceptInvitation(requireMail(services), who, { link, code }, caller)
  if (!accepted.ok) return answerInvitePage({ ...view, refusal: accepted })
  const speech = speechFor(request, services.site)
  const { messages } = speech
  const answer = answerPage({
    speech,
    site: services.site,
    title: messages.invite.done,
    body: [
      paragraph(messages.invite.joined(accepted.tenantName)),
      linkTo(services.http.applicationUrl, messages.toApplication),
    ],
  })
  return accepted.hasRevoked ? answer : withoutRevocation(answer)
}

function answerInvitePage(view: InviteView): Response {
  const { services, request, link, refusal, isLoggedOut = false } = view
  const speech = speechFor(request, services.site)
  const { invite } = speech.messages
  return answerPage(
    {
      speech,
      site: services.site,
      path: PATH,
      query: { link },
      title: isLoggedOut ? invite.loginTitle : invite.title,
      isWrong: refusal !== undefined,
      body: isLoggedOut ? loginBody(view) : formBody(view),
    },
    isLoggedOut ? { status: 401 } : statusOf(refusal),
  )
}

function formBody({ services, request, link, code, refusal }: InviteView): readonly Html[] {
  const speech = speechFor(request, services.site)
  const { messages } = speech
  const fields = link === undefined ? (['code'] as const) : []
  const error = refusal && wordsFor(messages, refusal.code)
  const isOfField = refusal !== undefined && fieldOf(refusal.code, fields) !== undefined
  return [
    ...(error === undefined || isOfField ? [] : [notice(error, { isError: true })]),
    paragraph(messages.invite.lead),
    form(pathIn(speech, PATH), {
      hidden: { link },
      fields: fields.map((name) =>
        field(name, messages, { value: code, error: isOfField ? error : undefined }),
      ),
      button: messages.invite.button,
    }),
  ]
}

function loginBody({ services: { http, site }, request, link }: InviteView): readonly Html[] {
  const speech = speechFor(request, site)
  const { messages } = speech
  // After the sign-in, the person comes back to this page.
  const back = { return_to: pathIn(speech, PATH, { link }) }
  return [
    paragraph(messages.invite.login),
    buttonLink(pathIn(speech, '/sign-in', back), messages.signIn.title),
    linkList([
      http.signUpVerified
        ? [pathIn(speech, '/auth/account/sign-up/start', back), messages.ask['sign-up-start'].title]
        : undefined,
    ]),
  ]
}
