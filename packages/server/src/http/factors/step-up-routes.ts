import { z } from 'zod'

import { listStepUpMethods, stepUp, type PresentedStepUp } from '../../with-factors/step-up.ts'
import { bearerOf } from '../../with-factors/own-factors.ts'
import { refuse } from '../../sessions/services.ts'
import { loggedIn, loggedInReader } from '../account/gates.ts'
import { answerRenewed, renewedAnswers } from '../account/renewed.ts'
import { FIELD_MEDIA } from '../browser/media.ts'
import { answerJson } from '../browser/session-answers.ts'
import { problemFor } from '../problem.ts'
import { defineRoute, type ApiRoute } from '../router/define.ts'
import { lazy } from '../router/lazy.ts'
import { sentText } from '../router/texts.ts'
import { FACTOR_REFUSALS, answerChallenge, challengeAnswer } from './answers.ts'
import { factorFields, readFactor, type SentFactor } from './fields.ts'

const about = { tag: 'Second factors', style: 'problem' } as const

const METHODS = ['passkey', 'totp', 'recovery_code', 'mail', 'password'] as const

const methods = lazy(() => z.object({ methods: z.array(z.enum(METHODS)) }))

const stepUpFields = lazy(() =>
  z.object({
    ...factorFields(),
    method: z.enum(METHODS),
    password: sentText().optional().meta({ description: 'For `password`: the current password.' }),
  }),
)

const challengeFields = lazy(() => z.object({ method: z.enum(['passkey', 'mail']) }))

type SentStepUp = Omit<SentFactor, 'method'> & {
  readonly method: PresentedStepUp['method']
  readonly password?: string | undefined
}

function read({ method, password, ...sent }: SentStepUp): PresentedStepUp | undefined {
  if (method !== 'password') return readFactor({ ...sent, method })
  return password === undefined ? undefined : { method, password }
}

/** The routes with which the person of a session confirms who they are (RFC 9470). */
export const stepUpRoutes: readonly ApiRoute[] = [
  defineRoute({
    ...about,
    id: 'listStepUpMethods',
    method: 'GET',
    path: '/auth/step-up',
    summary: 'List how you can confirm who you are',
    description: 'An account with a second factor must use it. Other accounts use their password.',
    gate: loggedInReader,
    answers: () => [
      {
        status: 200,
        description: 'The methods, the strongest first.',
        media: 'application/json',
        schema: methods(),
        example: { methods: ['passkey', 'totp'] },
      },
    ],
    handle:
      ({ factors }) =>
      async ({ who }) =>
        answerJson(200, { methods: await listStepUpMethods(factors, who) }),
  }),
  defineRoute({
    ...about,
    id: 'challengeStepUp',
    method: 'POST',
    path: '/auth/step-up/challenge',
    summary: 'Get the options of a passkey, or a mailed code, to confirm who you are',
    description: 'Only your session can use them.',
    gate: loggedIn,
    body: {
      format: 'fields',
      media: FIELD_MEDIA,
      schema: challengeFields,
      example: { method: 'passkey' },
    },
    answers: () => [challengeAnswer()],
    refusals: ['factor_unavailable', 'passkeys_off', 'throttled'],
    handle:
      ({ factors }) =>
      async ({ who, body, caller }) => {
        const possible = await listStepUpMethods(factors, who)
        return possible.includes(body.method)
          ? answerChallenge(factors, bearerOf(who), body.method, caller)
          : problemFor(refuse('factor_unavailable'))
      },
  }),
  defineRoute({
    ...about,
    id: 'stepUp',
    hashes: true,
    method: 'POST',
    path: '/auth/step-up',
    summary: 'Confirm who you are',
    description:
      'Raises your session: its next tokens have a new `auth_time`, `amr` and `acr`, in every service. Its old access tokens become stale. The session and its refresh token stay.',
    gate: loggedIn,
    revokes: true,
    body: {
      format: 'fields',
      media: FIELD_MEDIA,
      schema: stepUpFields,
      example: { method: 'totp', code: '123456' },
    },
    answers: renewedAnswers,
    refusals: [...FACTOR_REFUSALS, 'credentials_invalid', 'password_queue_full'],
    handle:
      ({ factors, sessions }) =>
      async ({ who, body, caller }) => {
        const presented = read(body)
        if (presented === undefined) return problemFor(refuse('fields_invalid'))
        const raised = await stepUp(factors, who, presented, caller)
        return raised.ok ? answerRenewed(sessions, who, raised) : problemFor(raised)
      },
  }),
]
