import { z } from 'zod'

import { limits } from '../../base/limits.ts'
import type { StepUpMethod } from '../../with-factors/step-up.ts'
import { askForMail } from '../../with-factors/ask-mail.ts'
import type { Bearer } from '../../with-factors/challenges.ts'
import { beginTotp } from '../../with-factors/enrol.ts'
import { askForNewPasskey, askForPasskey } from '../../with-factors/passkeys.ts'
import type { FactorServices } from '../../with-factors/services.ts'
import type { Caller } from '../../sessions/services.ts'
import { answerJson } from '../browser/session-answers.ts'
import { problemFor } from '../problem.ts'
import { lazy } from '../router/lazy.ts'
import type { Answer } from '../router/route.ts'

/** Answers a request for the challenge of a factor: the options of a passkey, or a mailed code. */
export async function answerChallenge(
  services: FactorServices,
  bearer: Bearer,
  method: StepUpMethod & ('passkey' | 'mail'),
  caller: Caller,
): Promise<Response> {
  const asked =
    method === 'passkey'
      ? await askForPasskey(services, bearer, caller)
      : await askForMail(services, bearer, caller)
  if (!asked.ok) return problemFor(asked)
  const { challenge } = asked
  const options = 'options' in asked ? { options: asked.options } : {}
  return answerJson(200, { challenge, expires_in: CHALLENGE_SEC, ...options })
}

/** Answers the beginning of an enrolment: the QR code of an authenticator app, or the options of a passkey. */
export async function answerEnrolment(
  services: FactorServices,
  bearer: Bearer & { readonly username: string },
  method: 'totp' | 'passkey',
  caller: Caller,
): Promise<Response> {
  if (method === 'totp') {
    const { challenge, secret, uri, qr } = await beginTotp(
      services,
      bearer,
      bearer.username,
      caller,
    )
    return answerJson(200, { challenge, expires_in: CHALLENGE_SEC, secret, uri, qr })
  }
  const asked = await askForNewPasskey(services, bearer, bearer.username, caller)
  if (!asked.ok) return problemFor(asked)
  const { challenge, options } = asked
  return answerJson(200, { challenge, expires_in: CHALLENGE_SEC, options })
}

const CHALLENGE_SEC = limits.challengeLifeMs / 1000

const challengeId = lazy(() =>
  z.string().meta({ description: 'Send it back with the answer. It works once.' }),
)

const expiresIn = lazy(() => z.int().meta({ description: 'In seconds.' }))

const options = lazy(() =>
  z.looseObject({}).meta({
    description:
      'The options for the browser: `PublicKeyCredential.parseRequestOptionsFromJSON` or `parseCreationOptionsFromJSON`.',
  }),
)

const challenged = lazy(() =>
  z.object({
    challenge: challengeId(),
    expires_in: expiresIn(),
    options: options().optional(),
  }),
)

const enrolling = lazy(() =>
  z.object({
    challenge: challengeId(),
    expires_in: expiresIn(),
    options: options().optional(),
    secret: z.string().optional().meta({ description: 'The secret in Base32. Show it once.' }),
    uri: z.string().optional().meta({ description: 'The `otpauth:` URI of the secret.' }),
    qr: z.string().optional().meta({ description: 'The URI as a QR code: an SVG image.' }),
  }),
)

/** The documentation of the answer to a request for a challenge. */
export function challengeAnswer(): Answer {
  return {
    status: 200,
    description: 'The challenge. With `passkey`, `options` are for the browser.',
    media: 'application/json',
    schema: challenged(),
    example: { challenge: '8Lr0jlbXlTn3vN0xkKqYIw', expires_in: CHALLENGE_SEC },
  }
}

/** The documentation of the answer to the beginning of an enrolment. */
export function enrolmentAnswer(): Answer {
  return {
    status: 200,
    description: 'With `totp`, the secret of the app. With `passkey`, the options for the browser.',
    media: 'application/json',
    schema: enrolling(),
    example: {
      challenge: '8Lr0jlbXlTn3vN0xkKqYIw',
      expires_in: CHALLENGE_SEC,
      secret: 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ',
      uri: 'otpauth://totp/localhost:alice?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=localhost',
      qr: '<svg xmlns="http://www.w3.org/2000/svg">...</svg>',
    },
  }
}

/** The refusals of every route that takes a factor. */
export const FACTOR_REFUSALS = [
  'factor_wrong',
  'passkey_refused',
  'challenge_void',
  'factor_unavailable',
  'factor_locked',
  'passkeys_off',
  'throttled',
  'fields_invalid',
] as const
