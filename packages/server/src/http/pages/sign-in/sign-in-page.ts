import { refusals } from '../../../base/refusals.ts'
import { inspectToken } from '../../../sessions/inspect.ts'
import type { Refusal } from '../../../sessions/services.ts'
import type { SessionState } from '../../../store/refresh.ts'
import { signInBrowser } from '../../browser/open-session.ts'
import type { Input } from '../../router/define.ts'
import type { HttpServices } from '../../services.ts'
import { SIGN_IN_NOTICES, type SignInNotice } from '../catalogue/messages.ts'
import { buttonLink, field, form, linkList, notice, paragraph } from '../components.ts'
import { answerAgain, mayHideSession } from '../gate.ts'
import { pathIn, speechFor, type Speech } from '../language.ts'
import { answerPage, type Html } from '../layout.ts'
import { statusOf, wordsFor } from '../proof-page.ts'
import { destinationOf, type Destination } from '../return-to.ts'
import { leaveSignIn } from './leave.ts'
import { SIGN_UP_PATH } from './sign-up-page.ts'

/** The parameters of the sign-in page. */
export interface SignInQuery {
  readonly return_to?: string | undefined
  readonly tenant?: string | undefined
  readonly other?: string | undefined
  readonly done?: string | undefined
}

/** The fields of its form. */
export interface SignInBody {
  readonly username?: string | undefined
  readonly current_password?: string | undefined
  readonly return_to?: string | undefined
  readonly tenant?: string | undefined
}

interface SignInView {
  readonly services: HttpServices
  readonly speech: Speech
  readonly destination: Destination
  readonly tenant: string | undefined
  readonly username?: string
  readonly refusal?: Refusal
  readonly done?: SignInNotice | undefined
}

const PATH = '/sign-in'

/** Shows the form, or who is signed in. It changes nothing: the session is not refreshed. */
export async function showSignIn(
  services: HttpServices,
  { request, query }: Input<undefined, undefined, SignInQuery, undefined>,
): Promise<Response> {
  const { site } = services
  const view = {
    services,
    speech: speechFor(request, site),
    destination: destinationOf(services, query.return_to),
    tenant: query.tenant,
    done: SIGN_IN_NOTICES.find((each) => each === query.done),
  }
  if (query.other !== undefined) return answerForm(view)
  const state = await readVisitor(services, request)
  if (state !== undefined) return answerSignedIn(view, state)
  return mayHideSession(services, request) ? answerAgain(services, request) : answerForm(view)
}

/** Signs in, or shows the form again with the error. The password is not sent back. */
export async function submitSignIn(
  services: HttpServices,
  { request, caller, body }: Input<undefined, undefined, SignInQuery, SignInBody>,
): Promise<Response> {
  const { username = '', current_password: password = '', tenant, return_to: returnTo } = body
  const speech = speechFor(request, services.site)
  const destination = destinationOf(services, returnTo)
  const view = { services, speech, destination, tenant, username }
  if (username === '' || password === '') {
    return answerForm({ ...view, refusal: { ok: false, code: 'fields_invalid' } })
  }
  const credentials = { username, password, tenant }
  const done = await signInBrowser(services, credentials, { request, caller })
  // A second factor continues here: it is a refusal with a ticket, and its page ends with `leaveSignIn`, too.
  if (!done.ok) return answerForm({ ...view, refusal: done })
  return leaveSignIn(services, {
    account: done.signedIn.account,
    namesTenant: tenant !== undefined,
    destination,
    speech,
    cookies: done.cookies,
  })
}

/** Reads who is signed in, by the access cookie or the refresh cookie. Changes nothing. */
async function readVisitor(
  services: HttpServices,
  request: Request,
): Promise<SessionState | undefined> {
  const { cookies, sessions } = services
  const refresh = cookies.read(request, 'refresh')
  if (refresh.ok && refresh.value !== undefined) {
    const inspected = await inspectToken(sessions, refresh.value)
    if (inspected.ok && inspected.kind === 'refresh') return inspected.state
  }
  const access = cookies.read(request, 'access')
  if (!access.ok || access.value === undefined) return undefined
  const inspected = await inspectToken(sessions, access.value)
  if (!inspected.ok || inspected.kind !== 'access') return undefined
  // As on the account pages, a token that was issued for the header does not count in a cookie.
  const { sid, csh } = inspected.claims
  return sid === undefined || csh === undefined ? undefined : sessions.store.sessions.state(sid)
}

function answerForm(view: SignInView): Response {
  const { services, speech, destination, tenant, refusal } = view
  const { status, headers } = statusOf(refusal)
  return answerPage(
    {
      speech,
      site: services.site,
      path: PATH,
      query: { return_to: destination.given, tenant },
      title: speech.messages.signIn.title,
      isWrong: refusal !== undefined,
      formTarget: destination.foreignOrigin,
      body: bodyOf(view),
    },
    { status, headers },
  )
}

function bodyOf(view: SignInView): readonly Html[] {
  const { speech, destination, tenant, username, refusal, done } = view
  const { messages } = speech
  const { signIn } = messages
  const isWrong = refusal?.code === 'credentials_invalid'
  const error = isWrong ? signIn.wrong : refusal && wordsFor(messages, refusal.code)
  return [
    ...(done === undefined ? [] : [notice(signIn.notices[done], { isError: false })]),
    ...(error === undefined || isWrong ? [] : [notice(error, { isError: true })]),
    form(pathIn(speech, PATH), {
      hidden: { return_to: destination.given, tenant },
      fields: [
        field('username', messages, { value: username, isFirst: refusal === undefined }),
        field('current_password', messages, {
          label: signIn.password,
          error: isWrong ? error : undefined,
        }),
      ],
      button: signIn.title,
    }),
    linksOf(view),
  ]
}

function linksOf({ services, speech, destination }: SignInView): Html {
  const { byMail, http } = services
  const signUpPath = signUpPathOf(services)
  const { messages } = speech
  const to = (path: string): string => pathIn(speech, path, { return_to: destination.given })
  const hasMail = byMail !== undefined
  return linkList([
    hasMail ? [to('/auth/account/forgot'), messages.ask.forgot.title] : undefined,
    hasMail && http.mailLogin
      ? [to('/auth/account/log-in/start'), messages.logInByMail]
      : undefined,
    signUpPath === undefined ? undefined : [to(signUpPath), messages.signUp.title],
  ])
}

function signUpPathOf({ accounts, byMail, http }: HttpServices): string | undefined {
  if (http.signUpVerified) return byMail && '/auth/account/sign-up/start'
  return http.signUp && accounts !== undefined ? SIGN_UP_PATH : undefined
}

function answerSignedIn(
  { services, speech, destination, tenant }: SignInView,
  { username }: SessionState,
): Response {
  const { signIn, account, continueButton } = speech.messages
  const query = { return_to: destination.given, tenant }
  return answerPage({
    speech,
    site: services.site,
    path: PATH,
    query,
    title: signIn.signedInTitle,
    body: [
      paragraph(signIn.signedInAs(username)),
      buttonLink(destination.href, continueButton),
      linkList([
        [pathIn(speech, PATH, { ...query, other: '1' }), signIn.other],
        [pathIn(speech, '/auth/account'), account.title],
      ]),
    ],
  })
}

/** The refusals of the form, for the route table. */
export const SIGN_IN_REFUSALS = [
  'credentials_invalid',
  'tenant_forbidden',
  'throttled',
  'password_queue_full',
] as const satisfies readonly (keyof typeof refusals)[]
