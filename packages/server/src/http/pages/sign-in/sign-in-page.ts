import { refusals } from '../../../base/refusals.ts'
import { inspectToken } from '../../../sessions/inspect.ts'
import { refuse, type Refusal } from '../../../sessions/services.ts'
import type { SessionState } from '../../../store/refresh.ts'
import { askForAnyPasskey } from '../../../with-factors/passkey-login.ts'
import { signInBrowser } from '../../browser/open-session.ts'
import { passkeyInBrowser } from '../../factors/completed.ts'
import { readResponse } from '../../factors/fields.ts'
import type { Input } from '../../router/define.ts'
import type { HttpServices } from '../../services.ts'
import { SIGN_IN_NOTICES, type SignInNotice } from '../catalogue/messages.ts'
import {
  buttonLink,
  dataFor,
  field,
  form,
  linkList,
  notice,
  paragraph,
  passkeyForm,
} from '../components.ts'
import { answerOptions } from '../factor-parts.ts'
import { answerAgain, mayHideSession } from '../gate.ts'
import { pathIn, speechFor, type Speech } from '../language.ts'
import { answerPage, type Html } from '../layout.ts'
import { statusOf, wordsFor } from '../proof-page.ts'
import { destinationOf, type Destination } from '../return-to.ts'
import { upstreamButtons } from '../upstream-buttons.ts'
import { leaveSignIn } from './leave.ts'
import { SIGN_UP_PATH } from './sign-up-page.ts'
import { unknownPasskey, type UnknownPasskey } from './unknown-passkey.ts'
import { toSecondFactor } from './waiting.ts'

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

/** The fields of the form for a passkey. */
export interface PasskeyBody {
  readonly challenge?: string | undefined
  readonly response?: string | undefined
  readonly options?: string | undefined
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
  /** The refusal is about a passkey, not about a password. */
  readonly isPasskey?: boolean
  readonly unknown?: UnknownPasskey | undefined
}

const PATH = '/sign-in'

/** Where the form for a passkey goes. */
export const PASSKEY_PATH = '/sign-in/passkey'

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
  if (!done.ok && done.pending !== undefined) return toSecondFactor(services, done.pending, view)
  if (!done.ok) return answerForm({ ...view, refusal: done })
  return leaveSignIn(services, {
    account: done.signedIn.account,
    namesTenant: tenant !== undefined,
    destination,
    speech,
    cookies: done.cookies,
  })
}

/** Signs in with a passkey alone, or answers the script with the options for it. */
export async function submitPasskey(
  services: HttpServices,
  { request, caller, body }: Input<undefined, undefined, SignInQuery, PasskeyBody>,
): Promise<Response> {
  const { options, challenge = '', response = '', tenant, return_to: returnTo } = body
  if (options !== undefined) return answerOptions(await askForAnyPasskey(services.factors, caller))
  const speech = speechFor(request, services.site)
  const destination = destinationOf(services, returnTo)
  const sent = { challenge, response: readResponse(response), tenant }
  const done =
    response === ''
      ? refuse('passkey_refused')
      : await passkeyInBrowser(services, sent, { request, caller })
  if (done.ok) {
    const { signedIn, cookies } = done
    const namesTenant = tenant !== undefined
    return leaveSignIn(services, {
      account: signedIn.account,
      namesTenant,
      destination,
      speech,
      cookies,
    })
  }
  const view = { services, speech, destination, tenant }
  if (done.pending !== undefined) return toSecondFactor(services, done.pending, view)
  const unknown = await unknownPasskey(services, done, response)
  return answerForm({ ...view, refusal: done, isPasskey: true, unknown })
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

async function answerForm(view: SignInView): Promise<Response> {
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
      body: bodyOf(view, await hasPasskeys(services)),
    },
    { status, headers },
  )
}

function bodyOf(view: SignInView, withPasskeys: boolean): readonly Html[] {
  const { speech, destination, tenant, username, refusal, done, unknown } = view
  const { messages } = speech
  const { signIn } = messages
  const isWrong = refusal?.code === 'credentials_invalid' && view.isPasskey !== true
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
    ...(withPasskeys
      ? [
          passkeyForm(pathIn(speech, PASSKEY_PATH), {
            kind: 'get',
            hidden: { return_to: destination.given, tenant },
            fields: [],
            button: messages.factors.signInWithPasskey,
            tone: 'plain',
            isOffered: true,
            messages,
          }),
        ]
      : []),
    ...upstreamButtons(view.services, speech, { return_to: destination.given, tenant }),
    ...(unknown === undefined ? [] : [dataFor('unknown', unknown)]),
    linksOf(view),
  ]
}

/** Browsers of a server on which nobody has a passkey need not ask for a challenge. */
async function hasPasskeys({
  factors: { relyingParty, sessions },
}: HttpServices): Promise<boolean> {
  return relyingParty !== undefined && sessions.store.factors.hasAny('passkey')
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

/** The refusals of the form for a passkey, for the route table. */
export const PASSKEY_REFUSALS = [
  'passkey_refused',
  'passkey_unknown',
  'challenge_void',
  'credentials_invalid',
  'tenant_forbidden',
  'passkeys_off',
  'throttled',
] as const satisfies readonly (keyof typeof refusals)[]

/** The refusals of the form, for the route table. */
export const SIGN_IN_REFUSALS = [
  'credentials_invalid',
  'tenant_forbidden',
  'throttled',
  'password_queue_full',
] as const satisfies readonly (keyof typeof refusals)[]
