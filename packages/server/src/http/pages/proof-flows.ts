import { verifyEmail } from '../../by-mail/email.ts'
import { resetPassword } from '../../by-mail/reset-password.ts'
import type { Presented } from '../../by-mail/secrets.ts'
import { finishSignUp } from '../../by-mail/sign-up.ts'
import { checkCode } from '../../by-mail/use-code.ts'
import { refuse, type Caller, type Refusal } from '../../sessions/services.ts'
import { requireMail } from '../by-mail/answers.ts'
import { logInBrowserByMail } from '../by-mail/log-in-browser.ts'
import type { HttpServices } from '../services.ts'
import type { FieldName, ProofPage } from './catalogue/messages.ts'
import { answerDone } from './done-page.ts'
import type { Speech } from './language.ts'
import { answerProofPage } from './proof-page.ts'
import type { Site } from './look/site.ts'
import { readFormSession } from './read-session.ts'
import { rememberReturn, type Destination } from './return-to.ts'
import { leaveSignIn } from './sign-in/leave.ts'
import { toSecondFactor } from './sign-in/waiting.ts'
import type { PagePurposes, ProofState } from './proof-state.ts'

/** The fields of a form, and the values for its answer. */
export interface Submission {
  readonly presented: Presented
  readonly password: string | undefined
  readonly request: Request
  readonly caller: Caller
  readonly speech: Speech
  readonly site: Site
  /** Where people go afterwards. */
  readonly destination: Destination
}

/** One page for a link or a code: what it accepts, what it asks for, and what its form does. */
export interface ProofFlow {
  readonly page: ProofPage
  readonly purposes: PagePurposes
  readonly againPath: string
  /** The fields of the form. `isCodeRight`: the person has typed the right code before. */
  readonly fieldsFor: (state: ProofState['kind'], isCodeRight: boolean) => readonly FieldName[]
  readonly submit: (services: HttpServices, sent: Submission) => Promise<Response | Refusal>
}

const FORGOT = '/auth/account/forgot'

/** The page that sets a new password. A person who waits for the mail types the code first, then the password. */
export const resetFlow: ProofFlow = {
  page: 'reset',
  purposes: { withLink: ['reset_password'], whileWaiting: ['reset_password'] },
  againPath: FORGOT,
  fieldsFor: (state, isCodeRight) => {
    if (state === 'recipient') return ['code', 'password']
    return state === 'waiting' && !isCodeRight ? ['code'] : ['password']
  },
  submit: async (services, sent) => {
    const { presented, password, caller } = sent
    const mail = requireMail(services)
    if (password === undefined) {
      const right = await checkCode(mail, presented, ['reset_password'], caller)
      if (!right.ok) return right
      return presented.link === undefined
        ? answerChoosePassword(sent, sent.speech.messages.chooseNow)
        : refuse('password_required')
    }
    const reset = await resetPassword(mail, presented, password, caller)
    return reset.ok ? answerDone('reset', sent, forget(services)) : reset
  },
}

/** The page that finishes a sign-up. The password of the sign-up counts only in the browser that asked. */
export const signUpFlow: ProofFlow = {
  page: 'sign-up',
  // The ticket alone must not show whether the address has an account. In that case, the mail sets a new password.
  purposes: { withLink: ['sign_up'], whileWaiting: ['sign_up'] },
  againPath: '/auth/account/sign-up/start',
  fieldsFor: (state) => {
    if (state === 'asker') return []
    return state === 'recipient' ? ['code', 'password'] : ['code']
  },
  submit: async (services, sent) => {
    const { presented, password, caller } = sent
    const mail = requireMail(services)
    const done = await finishSignUp(mail, presented, password, caller)
    if (done.ok) return answerDone('sign-up', sent, forget(services))
    if (done.code !== 'code_void' || presented.link !== undefined) return done
    const right = await checkCode(mail, presented, ['reset_password'], caller)
    return right.ok ? answerChoosePassword(sent, sent.speech.messages.accountExists) : done
  },
}

/** The page that verifies an address. Only whoever asked may confirm, or a session of the account with the code. */
export const verifyFlow: ProofFlow = {
  page: 'verify',
  purposes: {
    withLink: ['verify_email', 'change_email'],
    whileWaiting: ['verify_email', 'change_email'],
  },
  againPath: '/auth/account/address',
  fieldsFor: (state) => (state === 'asker' ? [] : ['code']),
  submit: async (services, sent) => {
    const session = await readFormSession(services, sent.request)
    const verified = await verifyEmail(requireMail(services), sent.presented, session, sent.caller)
    return verified.ok ? answerDone('verify', sent, forget(services)) : verified
  },
}

/** The page that logs in. It sets the same cookies as `POST /auth/login`. */
export const logInFlow: ProofFlow = {
  page: 'log-in',
  purposes: { withLink: ['log_in'], whileWaiting: ['log_in'] },
  againPath: '/auth/account/log-in/start',
  fieldsFor: (state) => (state === 'asker' ? [] : ['code']),
  submit: async (services, sent) => {
    const { presented, request, caller } = sent
    const done = await logInBrowserByMail(services, presented, { request, caller })
    if (!done.ok && done.pending !== undefined) {
      return toSecondFactor(services, done.pending, sent, forget(services))
    }
    if (!done.ok) return done
    const { signedIn, cookies } = done
    return leaveSignIn(services, {
      ...sent,
      account: signedIn.account,
      namesTenant: false,
      cookies: [...cookies, rememberReturn(services.cookies, undefined)],
    })
  },
}

/** The ticket is of no more use. */
function forget({ cookies }: HttpServices): readonly string[] {
  return [cookies.clear('ticket'), rememberReturn(cookies, undefined)]
}

/** The second step of a reset: the code is right, but not used up. */
function answerChoosePassword(
  { speech, site, presented: { code } }: Submission,
  lead: string,
): Response {
  const { page, againPath } = resetFlow
  const frame = { page, againPath, speech, site, link: undefined, code }
  return answerProofPage({ ...frame, state: { kind: 'waiting' }, fields: ['password'], lead })
}
