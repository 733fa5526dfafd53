import { z } from 'zod'

import { readTicket } from '../../with-factors/complete.ts'
import { askForAnyPasskey } from '../../with-factors/passkey-login.ts'
import { limits } from '../../base/limits.ts'
import { noForeignPage } from '../account/gates.ts'
import { browserWithCsrfToken } from '../browser/gates.ts'
import { FIELD_MEDIA } from '../browser/media.ts'
import { sessionAnswer } from '../browser/routes.ts'
import { answerJson, describeSession } from '../browser/session-answers.ts'
import { problemFor } from '../problem.ts'
import { defineRoute, type ApiRoute } from '../router/define.ts'
import { lazy } from '../router/lazy.ts'
import { sentText } from '../router/texts.ts'
import {
  FACTOR_REFUSALS,
  answerChallenge,
  answerEnrolment,
  challengeAnswer,
  enrolmentAnswer,
} from './answers.ts'
import { completeInBrowser, passkeyInBrowser } from './completed.ts'
import { factorFields, ticketField } from './fields.ts'

const about = { tag: 'Second factors', style: 'problem' } as const

const TICKET = 'xXm4Sx5UuTW8TgS2dSkhFQ.wJbZ6d3yT0m1mFhX5iYxg5oT2y3m6m6fN8Qk2J5b9kE'

/** The fields that complete a sign-in. */
export const completionFields = lazy(() =>
  z.object({
    ticket: ticketField(),
    ...factorFields(),
    enrol: flag().meta({
      description:
        'After `second_factor_enrolment_required`: the factor is set up with this request.',
    }),
    name: z.string().max(limits.factorNameCharsMax).optional().meta({
      description: 'With `enrol`: a name by which the person recognises the factor.',
    }),
    remember: flag().meta({
      description:
        'Whether this browser is not asked again for a while. Needs `COUNTERSIGN_REMEMBER_DEVICE`.',
    }),
  }),
)

/** Forms send texts. */
function flag(): z.ZodType<boolean | undefined> {
  return z.preprocess(
    (value) => (value === 'true' || value === 'on' ? true : value === 'false' ? false : value),
    z.boolean().optional(),
  )
}

const challengeFields = lazy(() =>
  z.object({ ticket: ticketField(), method: z.enum(['passkey', 'mail']) }),
)

const enrolFields = lazy(() =>
  z.object({ ticket: ticketField(), method: z.enum(['totp', 'passkey']) }),
)

/** The fields of a log-in with a passkey. */
export const passkeyFields = lazy(() =>
  z.object({
    challenge: sentText().meta({ description: 'The id of the challenge.' }),
    response: z
      .unknown()
      .refine((value) => value !== undefined)
      .meta({
        description: 'The credential that the browser returned, as JSON.',
      }),
    tenant: sentText().optional().meta({ description: 'The name of the tenant to log in to.' }),
  }),
)

/** The routes between a first factor and the session, and those of passkeys without a password. */
export const factorSignInRoutes: readonly ApiRoute[] = [
  defineRoute({
    ...about,
    id: 'logInWithFactor',
    method: 'POST',
    path: '/auth/login/second-factor',
    summary: 'Complete a login with a second factor, and get the session as cookies',
    description: `The ticket works once, for ${limits.ticketLifeMs / 60_000} minutes. A wrong factor leaves it valid. With \`enrol\`, the answer may contain \`recovery_codes\`, which are shown once.`,
    gate: browserWithCsrfToken,
    body: {
      format: 'fields',
      media: FIELD_MEDIA,
      schema: completionFields,
      example: { ticket: TICKET, method: 'totp', code: '123456' },
    },
    answers: () => [sessionAnswer()],
    refusals: ['ticket_void', 'tenant_forbidden', ...FACTOR_REFUSALS],
    handle: (services) => async (input) => {
      const done = await completeInBrowser(services, input.body, input)
      if (!done.ok) return problemFor(done)
      const { recoveryCodes } = done.signedIn
      const more = recoveryCodes.length === 0 ? {} : { recovery_codes: recoveryCodes }
      const session = describeSession(services.sessions, done.signedIn)
      return answerJson(200, { ...session, ...more }, done.cookies)
    },
  }),
  defineRoute({
    ...about,
    id: 'challengeFactor',
    method: 'POST',
    path: '/auth/second-factor/challenge',
    summary: 'Get the options of a passkey, or a mailed code, for a login',
    description: 'For logins at `/api/token/` and at `/auth/login`.',
    gate: noForeignPage,
    body: {
      format: 'fields',
      media: FIELD_MEDIA,
      schema: challengeFields,
      example: { ticket: TICKET, method: 'passkey' },
    },
    answers: () => [challengeAnswer()],
    refusals: ['ticket_void', 'factor_unavailable', 'passkeys_off', 'throttled'],
    handle:
      ({ factors }) =>
      async ({ body, caller }) => {
        const bearer = await readTicket(factors, body.ticket)
        return bearer.ok
          ? answerChallenge(factors, bearer, body.method, caller)
          : problemFor(bearer)
      },
  }),
  defineRoute({
    ...about,
    id: 'enrolAtLogin',
    method: 'POST',
    path: '/auth/second-factor/enrol',
    summary: 'Begin to set up the second factor that a login needs',
    description:
      'After `second_factor_enrolment_required`. Then complete the login with `enrol: true` and the challenge.',
    gate: noForeignPage,
    body: {
      format: 'fields',
      media: FIELD_MEDIA,
      schema: enrolFields,
      example: { ticket: TICKET, method: 'totp' },
    },
    answers: () => [enrolmentAnswer()],
    refusals: ['ticket_void', 'factors_full', 'passkeys_off'],
    handle:
      ({ factors }) =>
      async ({ body, caller }) => {
        const bearer = await readTicket(factors, body.ticket)
        return bearer.ok
          ? answerEnrolment(factors, bearer, body.method, caller)
          : problemFor(bearer)
      },
  }),
  defineRoute({
    ...about,
    id: 'challengePasskey',
    method: 'POST',
    path: '/auth/passkey/challenge',
    summary: 'Get the options for a login with a passkey alone',
    description: 'The same for everybody: the person chooses the account on their device.',
    gate: noForeignPage,
    answers: () => [challengeAnswer()],
    refusals: ['passkeys_off', 'throttled'],
    handle:
      ({ factors }) =>
      async ({ caller }) => {
        const asked = await askForAnyPasskey(factors, caller)
        if (!asked.ok) return problemFor(asked)
        const { challenge, options } = asked
        return answerJson(200, {
          challenge,
          expires_in: limits.challengeLifeMs / 1000,
          options,
        })
      },
  }),
  defineRoute({
    ...about,
    id: 'logInWithPasskey',
    method: 'POST',
    path: '/auth/login/passkey',
    summary: 'Log in with a passkey alone, and get the session as cookies',
    description:
      'A passkey is two factors: the device, and the PIN or biometric of its owner. So nothing else is asked for.',
    gate: browserWithCsrfToken,
    body: {
      format: 'fields',
      media: FIELD_MEDIA,
      schema: passkeyFields,
      example: { challenge: '8Lr0jlbXlTn3vN0xkKqYIw', response: {} },
    },
    answers: () => [sessionAnswer()],
    refusals: [
      'passkey_refused',
      'passkey_unknown',
      'challenge_void',
      'credentials_invalid',
      'tenant_forbidden',
      'passkeys_off',
    ],
    handle: (services) => async (input) => {
      const { challenge, response, tenant } = input.body
      const done = await passkeyInBrowser(services, { challenge, response, tenant }, input)
      return done.ok
        ? answerJson(200, describeSession(services.sessions, done.signedIn), done.cookies)
        : problemFor(done)
    },
  }),
]
