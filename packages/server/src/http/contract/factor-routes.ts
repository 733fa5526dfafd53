import { z } from 'zod'

import { logInByPasskey } from '../../with-factors/passkey-login.ts'
import { FIELD_MEDIA } from '../browser/media.ts'
import { complete } from '../factors/completed.ts'
import { completionFields, passkeyFields } from '../factors/sign-in-routes.ts'
import { defineRoute, type ApiRoute } from '../router/define.ts'
import { anyone } from '../router/gate.ts'
import { lazy } from '../router/lazy.ts'
import type { Answer } from '../router/route.ts'
import { answerFactor } from './endpoints.ts'
import { pair, pendingAnswer, sharedAnswers, throttledAnswer } from './routes.ts'

const about = { tag: 'SimpleJWT tokens', style: 'contract', method: 'POST', gate: anyone } as const

const refused = lazy(() => z.object({ detail: z.string(), code: z.string().optional() }))

/** The tokens of the new session. The first factor of an account comes with recovery codes. */
function tokens(): Answer {
  return {
    status: 200,
    description: 'The tokens of a new session. `recovery_codes` are shown once.',
    media: 'application/json',
    schema: pair().extend({ recovery_codes: z.array(z.string()).optional() }),
    example: { refresh: 'eyJhbGciOiJIUzI1NiJ9...', access: 'eyJhbGciOiJFUzI1NiJ9...' },
  }
}

function refusal(status: number, description: string, code: string, detail: string): Answer {
  return {
    status,
    description,
    media: 'application/json',
    schema: refused(),
    example: { detail, code },
  }
}

const TICKET = 'xXm4Sx5UuTW8TgS2dSkhFQ.wJbZ6d3yT0m1mFhX5iYxg5oT2y3m6m6fN8Qk2J5b9kE'

/** The second step of a login by the SimpleJWT contract, and the login with a passkey alone. */
export const contractFactorRoutes: readonly ApiRoute[] = [
  defineRoute({
    ...about,
    id: 'obtainTokensWithFactor',
    path: '/api/token/second-factor/',
    summary: 'Complete a login with a second factor: get an access token and a refresh token',
    description:
      'Follows a 401 with `second_factor_required` from `/api/token/`. The ticket works once; a wrong factor leaves it valid. `/auth/second-factor/challenge` has the options of a passkey.',
    body: {
      format: 'own',
      media: FIELD_MEDIA,
      schema: completionFields,
      example: { ticket: TICKET, method: 'totp', code: '123456' },
    },
    answers: () => [
      tokens(),
      ...sharedAnswers({ ticket: ['This field is required.'] }, [refused()]),
      pendingAnswer(),
      refusal(
        403,
        'There were too many wrong codes.',
        'factor_locked',
        'There were too many wrong codes. Use another method, or ask the operator to reset the authenticator app.',
      ),
      throttledAnswer(),
    ],
    handle: (services) => (input) =>
      answerFactor(services.sessions, input, completionFields(), (fields, caller) =>
        complete(services, fields, caller, { forCookies: false }),
      ),
  }),
  defineRoute({
    ...about,
    id: 'obtainTokensWithPasskey',
    path: '/api/token/passkey/',
    summary: 'Log in with a passkey: get an access token and a refresh token',
    description: '`/auth/passkey/challenge` has the options for the device.',
    body: {
      format: 'own',
      media: FIELD_MEDIA,
      schema: passkeyFields,
      example: { challenge: '8Lr0jlbXlTn3vN0xkKqYIw', response: {} },
    },
    answers: () => [
      tokens(),
      ...sharedAnswers({ challenge: ['This field is required.'] }, [refused()]),
      refusal(
        401,
        'The passkey was not accepted.',
        'passkey_refused',
        'The passkey was not accepted. Try again, or use another method.',
      ),
    ],
    handle:
      ({ factors, sessions }) =>
      (input) =>
        answerFactor(sessions, input, passkeyFields(), ({ challenge, response, tenant }, caller) =>
          logInByPasskey(factors, { challenge, response, tenant, forCookies: false }, caller),
        ),
  }),
]
