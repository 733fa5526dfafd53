import { refuse, type Refusal } from '../../../sessions/services.ts'
import { askForMail } from '../../../with-factors/ask-mail.ts'
import type { Completed } from '../../../with-factors/complete.ts'
import { beginTotp } from '../../../with-factors/enrol.ts'
import { askForNewPasskey, askForPasskey } from '../../../with-factors/passkeys.ts'
import type { BrowserSignedIn } from '../../browser/open-session.ts'
import { completeInBrowser, type SentCompletion } from '../../factors/completed.ts'
import type { Input } from '../../router/define.ts'
import type { HttpServices } from '../../services.ts'
import { answerOptions, sentFor, shownMethod, type MethodBody } from '../factor-parts.ts'
import { redirectTo } from '../layout.ts'
import { answerCodes, answerEnrolment } from './enrol-page.ts'
import { leaveSignIn, nextAfterSignIn } from './leave.ts'
import { answerSecond } from './second-factor-page.ts'
import { unknownPasskey } from './unknown-passkey.ts'
import { pathOf, readWaiting, toSecondFactor, toSignIn, type Waiting } from './waiting.ts'

/** The parameters of the page. */
export interface SecondQuery {
  readonly return_to?: string | undefined
  readonly method?: string | undefined
  readonly challenge?: string | undefined
}

/** The fields of its forms. */
export interface SecondBody extends MethodBody {
  /** The id of the ticket, which is not secret: a form of another sign-in must not complete this one. */
  readonly login?: string | undefined
  readonly factor_name?: string | undefined
  readonly remember?: string | undefined
  /** With any value, the enrolment of an app begins. */
  readonly begin?: string | undefined
  readonly return_to?: string | undefined
}

type Show = Input<undefined, undefined, SecondQuery, undefined>
type Submit = Input<undefined, undefined, SecondQuery, SecondBody>

/** Shows the second step. It changes nothing. Without a waiting sign-in, the person begins again. */
export async function showSecond(services: HttpServices, input: Show): Promise<Response> {
  const { query } = input
  const waiting = await readWaiting(services, input, query.return_to)
  if (waiting instanceof Response) return waiting
  return waiting.enrol.length > 0
    ? answerEnrolment(waiting, { challenge: query.challenge })
    : answerSecond(waiting, { asked: query.method, challenge: query.challenge })
}

/** Completes the sign-in, sends a mail, or begins an enrolment. After a mistake, it shows the form again. */
export async function submitSecond(services: HttpServices, input: Submit): Promise<Response> {
  const { body } = input
  const waiting = await readWaiting(services, input, body.return_to)
  if (waiting instanceof Response) return waiting
  // A sign-in in another tab has replaced the one of this form: its page says for whom.
  if (body.login !== waiting.bearer.subject) return redirectTo(pathOf(waiting))
  return waiting.enrol.length > 0 ? submitEnrolment(waiting, input) : submitMethod(waiting, input)
}

async function submitMethod(waiting: Waiting, input: Submit): Promise<Response> {
  const { services, bearer, methods, caller } = waiting
  const { body } = input
  const method = shownMethod(methods, body.method)
  if (method === undefined || method !== body.method) return redirectTo(pathOf(waiting))
  if (body.options !== undefined) {
    return answerOptions(await askForPasskey(services.factors, bearer, caller))
  }
  const { challenge } = body
  if (method === 'mail' && body.send !== undefined) {
    const asked = await askForMail(services.factors, bearer, caller)
    return asked.ok
      ? redirectTo(pathOf(waiting, { method, challenge: asked.challenge }))
      : answerSecond(waiting, { asked: method, challenge, refusal: asked })
  }
  const sent = sentFor(method, body)
  const done = await finish(waiting, input, {
    method,
    ...(method === 'passkey' ? { response: sent } : { code: sent }),
    challenge,
    remember: body.remember !== undefined,
  })
  if (done instanceof Response) return done
  const unknown = await unknownPasskey(services, done, body.response)
  const isVoid = done.code === 'challenge_void'
  return answerSecond(waiting, {
    asked: method,
    challenge: isVoid ? undefined : challenge,
    refusal: method === 'passkey' && sent === undefined ? refuse('passkey_refused') : done,
    unknown,
  })
}

async function submitEnrolment(waiting: Waiting, input: Submit): Promise<Response> {
  const { services, bearer, caller } = waiting
  const { factors } = services
  const { begin, options, method, challenge, response, totp, factor_name: name } = input.body
  if (options !== undefined) {
    return answerOptions(await askForNewPasskey(factors, bearer, bearer.username, caller))
  }
  if (begin !== undefined) {
    const { challenge: begun } = await beginTotp(factors, bearer, bearer.username, caller)
    return redirectTo(pathOf(waiting, { challenge: begun }))
  }
  const kind = method === 'passkey' ? 'passkey' : 'totp'
  const given =
    kind === 'passkey' ? { response: response === '' ? undefined : response } : { code: totp }
  const done = await finish(waiting, input, {
    method: kind,
    ...given,
    challenge,
    name: name || waiting.speech.messages.factors.kinds[kind],
    enrol: true,
  })
  if (done instanceof Response) return done
  return answerEnrolment(waiting, {
    challenge: kind === 'totp' ? challenge : undefined,
    refusal: kind === 'passkey' && given.response === undefined ? refuse('passkey_refused') : done,
  })
}

async function finish(
  waiting: Waiting,
  { request, caller }: Submit,
  sent: Omit<SentCompletion, 'ticket'>,
): Promise<Response | Refusal> {
  const { services, ticket } = waiting
  const done = await completeInBrowser(services, { ...sent, ticket }, { request, caller })
  if (done.ok) return leave(waiting, done)
  if (done.code === 'ticket_void') return toSignIn(services, waiting)
  // The account must enrol a factor now, or has another one since: the page shows what is needed.
  return done.pending === undefined ? done : toSecondFactor(services, done.pending, waiting)
}

async function leave(
  { services, speech, destination, bearer }: Waiting,
  { signedIn, cookies }: BrowserSignedIn<Completed>,
): Promise<Response> {
  const leaving = {
    account: signedIn.account,
    namesTenant: bearer.pending.tenantName !== undefined,
    destination,
    speech,
    cookies: [...cookies, services.cookies.clear('pending')],
  }
  const { recoveryCodes } = signedIn
  return recoveryCodes.length === 0
    ? leaveSignIn(services, leaving)
    : answerCodes(leaving, services, recoveryCodes, await nextAfterSignIn(services, leaving))
}
