import { signUp } from '../../../sessions/sign-up.ts'
import type { Refusal } from '../../../sessions/services.ts'
import type { Input } from '../../router/define.ts'
import type { HttpServices } from '../../services.ts'
import { field, form, linkList, notice, paragraph } from '../components.ts'
import { pathIn, speechFor, type Speech } from '../language.ts'
import { answerPage, redirectTo, type Html } from '../layout.ts'
import { fieldOf, statusOf, wordsFor } from '../proof-page.ts'
import { destinationOf } from '../return-to.ts'
import { upstreamButtons } from '../upstream-buttons.ts'

/** The page of a sign-up without a mail. */
export const SIGN_UP_PATH = '/auth/account/sign-up/new'

/** The fields of its form. */
export interface SignUpBody {
  readonly new_username?: string | undefined
  readonly password?: string | undefined
  readonly return_to?: string | undefined
}

interface SignUpView {
  readonly services: HttpServices
  readonly speech: Speech
  readonly returnTo: string | undefined
  readonly username?: string
  readonly refusal?: Refusal
}

/** Shows the form. */
export async function showSignUp(
  services: HttpServices,
  { request, query }: Input<undefined, undefined, Pick<SignUpBody, 'return_to'>, undefined>,
): Promise<Response> {
  const speech = speechFor(request, services.site)
  const { given } = destinationOf(services, query.return_to)
  return answerForm({ services, speech, returnTo: given })
}

/** Creates the account, as `POST /auth/signup` does. It opens no session: the person logs in next. */
export async function submitSignUp(
  services: HttpServices,
  { request, caller, body }: Input<undefined, undefined, unknown, SignUpBody>,
): Promise<Response> {
  const { sessions, accounts, site } = services
  const { new_username: username = '', password = '', return_to: returnTo } = body
  const speech = speechFor(request, site)
  const { given } = destinationOf(services, returnTo)
  // The feature of the route guarantees that `accounts` exists.
  if (accounts === undefined) throw new TypeError('Sign-up requires the accounts of Countersign.')
  const done =
    username === '' || password === ''
      ? ({ ok: false, code: 'fields_invalid' } as const)
      : await signUp(sessions, accounts, { username, password }, caller)
  return done.ok
    ? redirectTo(pathIn(speech, '/sign-in', { return_to: given, done: 'signed-up' }))
    : answerForm({ services, speech, returnTo: given, username, refusal: done })
}

function answerForm(view: SignUpView): Response {
  const { services, speech, returnTo, refusal } = view
  const { status, headers } = statusOf(refusal)
  return answerPage(
    {
      speech,
      site: services.site,
      path: SIGN_UP_PATH,
      query: { return_to: returnTo },
      title: speech.messages.signUp.title,
      isWrong: refusal !== undefined,
      body: bodyOf(view),
    },
    { status, headers },
  )
}

function bodyOf({ services, speech, returnTo, username, refusal }: SignUpView): readonly Html[] {
  const { messages } = speech
  const { signUp: words, signIn, account } = messages
  const wrongField = refusal && fieldOf(refusal.code, ['new_username', 'password'])
  const own: Readonly<Record<string, string>> = account.usernameRefusals
  const error = refusal && (own[refusal.code] ?? wordsFor(messages, refusal.code))
  const errorAt = (name: string): string | undefined => (name === wrongField ? error : undefined)
  return [
    ...(error === undefined || wrongField !== undefined ? [] : [notice(error, { isError: true })]),
    paragraph(words.lead),
    form(pathIn(speech, SIGN_UP_PATH), {
      hidden: { return_to: returnTo },
      fields: [
        field('new_username', messages, {
          value: username,
          label: words.username,
          error: errorAt('new_username'),
          isFirst: refusal === undefined,
        }),
        field('password', messages, { label: signIn.password, error: errorAt('password') }),
      ],
      button: words.title,
    }),
    ...upstreamButtons(services, speech, { return_to: returnTo }),
    linkList([[pathIn(speech, '/sign-in', { return_to: returnTo }), signIn.title]]),
  ]
}
