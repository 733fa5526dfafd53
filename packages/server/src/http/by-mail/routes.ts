import { z } from 'zod'

import { NEW_PASSWORD_REFUSALS } from '../account/password-refusals.ts'
import { limits } from '../../base/limits.ts'
import { askToChangeEmail, askToVerifyEmail, verifyEmail } from '../../by-mail/email.ts'
import { askForLoginCode } from '../../by-mail/log-in.ts'
import { askForReset, resetPassword } from '../../by-mail/reset-password.ts'
import { finishSignUp } from '../../by-mail/sign-up.ts'
import { loggedIn, maybeLoggedIn, noForeignPage } from '../account/gates.ts'
import { sessionAnswer } from '../browser/routes.ts'
import { browserWithCsrfToken } from '../browser/gates.ts'
import { FIELD_MEDIA } from '../browser/media.ts'
import { answerJson, describeSession } from '../browser/session-answers.ts'
import { problemFor } from '../problem.ts'
import { defineRoute, type ApiRoute } from '../router/define.ts'
import { lazy } from '../router/lazy.ts'
import type { Answer } from '../router/route.ts'
import { sentText } from '../router/texts.ts'
import { withMail, withMailLogin, withVerifiedSignUp } from './features.ts'
import { logInBrowserByMail } from './log-in-browser.ts'
import { CODE_REFUSALS, answerAsked, localeOf, presentedBy, requireMail } from './answers.ts'

const about = { tag: 'E-mail', style: 'problem' } as const

const ticket = lazy(() =>
  z.object({
    ticket: z.string().meta({
      description:
        'Send it with the code. It is also in a cookie, for browsers. It proves that you have asked.',
    }),
  }),
)

const TICKET_EXAMPLE = 'xXm4Sx5UuTW8TgS2dSkhFQ.4Hq7tCr0Jp9f2ZbVvE1sYw'
const CODE_EXAMPLE = { ticket: TICKET_EXAMPLE, code: 'WDJB-MJHT' }

const address = lazy(() =>
  z.object({ email: sentText().meta({ description: 'The e-mail address of the account.' }) }),
)

function proof() {
  return {
    link: sentText().optional().meta({
      description: 'The parameter `link` of the URL in the mail. Or send `ticket`.',
    }),
    ticket: sentText().optional().meta({
      description: 'The ticket of the request. Without it, the ticket in the cookie counts.',
    }),
    code: sentText().optional().meta({
      description:
        'The code in the mail. Browsers that open the link and have the ticket need none.',
    }),
  }
}

const proofFields = lazy(() => z.object(proof()))

const resetFields = lazy(() =>
  z.object({ ...proof(), password: sentText().meta({ description: 'The new password.' }) }),
)

const signUpFields = lazy(() =>
  z.object({
    ...proof(),
    password: sentText().optional().meta({ description: 'Replaces the password of the sign-up.' }),
  }),
)

const changeFields = lazy(() =>
  z.object({
    email: sentText().meta({ description: 'The new address.' }),
    password: sentText().meta({ description: 'The current password.' }),
  }),
)

const loginFields = lazy(() =>
  z.object({
    ...proof(),
    tenant: sentText().optional().meta({ description: 'The name of the tenant to log in to.' }),
  }),
)

const verified = lazy(() => z.object({ email: z.string(), email_verified: z.literal(true) }))

const created = lazy(() => z.object({ sub: z.string(), username: z.string() }))

/** The answer to every request for a mail, whether or not an account exists. */
function askedAnswers(): readonly Answer[] {
  return [
    {
      status: 202,
      description: 'Accepted. If the address belongs to an account, a mail is on its way.',
      media: 'application/json',
      schema: ticket(),
      example: { ticket: TICKET_EXAMPLE },
    },
  ]
}

const ATTEMPTS = `The code and the link work once, for ${limits.codeLifeMs / 60_000} minutes and ${limits.codeAttemptsMax} attempts.`

/** The routes for everything that people do by mail. */
export const byMailRoutes: readonly ApiRoute[] = [
  defineRoute({
    ...about,
    id: 'forgotPassword',
    method: 'POST',
    path: '/auth/password/forgot',
    summary: 'Ask for a mail that resets the password',
    description: `The answer is the same whether or not an account has the address. ${ATTEMPTS}`,
    gate: noForeignPage,
    feature: withMail,
    body: {
      format: 'fields',
      media: FIELD_MEDIA,
      schema: address,
      example: { email: 'alice@example.com' },
    },
    answers: askedAnswers,
    refusals: ['email_invalid', 'throttled'],
    handle: (services) => async (input) => {
      const asking = { email: input.body.email, locale: localeOf(input.request) }
      return answerAsked(services, await askForReset(requireMail(services), asking, input.caller))
    },
  }),
  defineRoute({
    ...about,
    id: 'resetPassword',
    hashes: true,
    method: 'POST',
    path: '/auth/password/reset',
    summary: 'Set a new password with a mailed link or code',
    description:
      'Ends all sessions of the account and revokes their tokens. Opens no session: log in afterwards. Makes the address verified.',
    gate: noForeignPage,
    feature: withMail,
    revokes: true,
    body: {
      format: 'fields',
      media: FIELD_MEDIA,
      schema: resetFields,
      example: { ...CODE_EXAMPLE, password: 'staple and no donkey' },
    },
    answers: () => [{ status: 204, description: 'The password is set.' }],
    refusals: [...CODE_REFUSALS, ...NEW_PASSWORD_REFUSALS],
    handle: (services) => async (input) => {
      const presented = presentedBy(services, input.request, input.body)
      const reset = await resetPassword(
        requireMail(services),
        presented,
        input.body.password,
        input.caller,
      )
      return reset.ok
        ? answerJson(204, undefined, [services.cookies.clear('ticket')])
        : problemFor(reset)
    },
  }),
  defineRoute({
    ...about,
    id: 'finishSignUp',
    hashes: true,
    method: 'POST',
    path: '/auth/signup/finish',
    summary: 'Finish a sign-up with a mailed link or code',
    description:
      'Creates the account. Opens no session: log in afterwards. Without the ticket, the person must choose a password.',
    gate: noForeignPage,
    feature: withVerifiedSignUp,
    body: {
      format: 'fields',
      media: FIELD_MEDIA,
      schema: signUpFields,
      example: CODE_EXAMPLE,
    },
    answers: () => [
      {
        status: 201,
        description: 'The account was created.',
        media: 'application/json',
        schema: created(),
        example: { sub: 'acct_0rZ2Rk0tQnq3b1bIY2Tq6g', username: 'carol@example.com' },
      },
    ],
    refusals: [...CODE_REFUSALS, ...NEW_PASSWORD_REFUSALS, 'password_required', 'username_taken'],
    handle: (services) => async (input) => {
      const presented = presentedBy(services, input.request, input.body)
      const done = await finishSignUp(
        requireMail(services),
        presented,
        input.body.password,
        input.caller,
      )
      if (!done.ok) return problemFor(done)
      const { id, username } = done.account
      return answerJson(201, { sub: id, username }, [services.cookies.clear('ticket')])
    },
  }),
  defineRoute({
    ...about,
    id: 'askToVerifyEmail',
    method: 'POST',
    path: '/auth/email/verification',
    summary: 'Ask for a mail that verifies your address',
    description: `Sends it to the address of the account. ${ATTEMPTS}`,
    gate: loggedIn,
    feature: withMail,
    answers: askedAnswers,
    refusals: ['email_missing', 'throttled'],
    handle: (services) => async (input) =>
      answerAsked(
        services,
        await askToVerifyEmail(
          requireMail(services),
          input.who,
          localeOf(input.request),
          input.caller,
        ),
      ),
  }),
  defineRoute({
    ...about,
    id: 'askToChangeEmail',
    hashes: true,
    method: 'POST',
    path: '/auth/email/change',
    summary: 'Ask for a mail that changes your address',
    description: `Sends a mail to the new address. The account keeps its address until the new one is verified. ${ATTEMPTS}`,
    gate: loggedIn,
    feature: withMail,
    body: {
      format: 'fields',
      media: FIELD_MEDIA,
      schema: changeFields,
      example: { email: 'alice@example.org', password: 'correct horse battery' },
    },
    answers: askedAnswers,
    refusals: ['email_invalid', 'credentials_invalid', 'throttled', 'password_queue_full'],
    handle: (services) => async (input) => {
      const { email, password } = input.body
      const asking = { email, password, locale: localeOf(input.request) }
      return answerAsked(
        services,
        await askToChangeEmail(requireMail(services), input.who, asking, input.caller),
      )
    },
  }),
  defineRoute({
    ...about,
    id: 'verifyEmail',
    method: 'POST',
    path: '/auth/email/verify',
    summary: 'Verify an address with a mailed link or code',
    description:
      'Requires the ticket of the request, or a session of the account. A changed address ends all sessions but the one that asked. The old address gets a mail.',
    gate: maybeLoggedIn,
    feature: withMail,
    revokes: true,
    body: {
      format: 'fields',
      media: FIELD_MEDIA,
      schema: proofFields,
      example: CODE_EXAMPLE,
    },
    answers: () => [
      {
        status: 200,
        description: 'The address is verified.',
        media: 'application/json',
        schema: verified(),
        example: { email: 'alice@example.org', email_verified: true },
      },
    ],
    refusals: [...CODE_REFUSALS, 'code_elsewhere', 'email_taken'],
    handle: (services) => async (input) => {
      const presented = presentedBy(services, input.request, input.body)
      const proven = await verifyEmail(requireMail(services), presented, input.who, input.caller)
      if (!proven.ok) return problemFor(proven)
      const body = { email: proven.email.address, email_verified: true }
      return answerJson(200, body, [services.cookies.clear('ticket')])
    },
  }),
  defineRoute({
    ...about,
    id: 'askForLoginCode',
    method: 'POST',
    path: '/auth/login/code/send',
    summary: 'Ask for a mail that logs you in',
    description: `The answer is the same whether or not an account has the address. ${ATTEMPTS}`,
    gate: noForeignPage,
    feature: withMailLogin,
    body: {
      format: 'fields',
      media: FIELD_MEDIA,
      schema: address,
      example: { email: 'alice@example.com' },
    },
    answers: askedAnswers,
    refusals: ['email_invalid', 'throttled'],
    handle: (services) => async (input) => {
      const asking = { email: input.body.email, locale: localeOf(input.request) }
      return answerAsked(
        services,
        await askForLoginCode(requireMail(services), asking, input.caller),
      )
    },
  }),
  defineRoute({
    ...about,
    id: 'logInByMail',
    method: 'POST',
    path: '/auth/login/code',
    summary: 'Log in with a mailed link or code',
    description:
      'Sets the access and refresh cookies, like `POST /auth/login`. If nobody had verified the address of the account, its password is removed and its other sessions end.',
    gate: browserWithCsrfToken,
    feature: withMailLogin,
    body: {
      format: 'fields',
      media: FIELD_MEDIA,
      schema: loginFields,
      example: CODE_EXAMPLE,
    },
    answers: () => [sessionAnswer()],
    refusals: [...CODE_REFUSALS, 'credentials_invalid', 'tenant_forbidden'],
    handle: (services) => async (input) => {
      const presented = presentedBy(services, input.request, input.body)
      const done = await logInBrowserByMail(services, presented, {
        ...input,
        tenant: input.body.tenant,
      })
      return done.ok
        ? answerJson(200, describeSession(services.sessions, done.signedIn), done.cookies)
        : problemFor(done)
    },
  }),
]
