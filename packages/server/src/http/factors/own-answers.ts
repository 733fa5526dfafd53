import { z } from 'zod'

import type { Refusal } from '../../sessions/services.ts'
import type { FactorAdded, FactorRemoved } from '../../with-factors/own-factors.ts'
import type { LoggedIn } from '../account/gates.ts'
import { answerJson, sessionCookies } from '../browser/session-answers.ts'
import { problemFor } from '../problem.ts'
import { lazy } from '../router/lazy.ts'
import type { Answer } from '../router/route.ts'
import type { HttpServices } from '../services.ts'

const added = lazy(() =>
  z.object({
    access: z.string().optional().meta({
      description: 'A new access token, if the old one came in the header.',
    }),
    recovery_codes: z.array(z.string()).optional().meta({
      description: 'New recovery codes. They are shown once.',
    }),
  }),
)

const removed = lazy(() =>
  added()
    .omit({ recovery_codes: true })
    .extend({
      passkeys: z
        .object({ rp_id: z.string(), user_id: z.string(), credential_ids: z.array(z.string()) })
        .optional()
        .meta({
          description:
            'After the removal of a passkey: for `PublicKeyCredential.signalAllAcceptedCredentials`, which removes it from password managers.',
        }),
    }),
)

/** The documentation of the answer to a change of the factors. */
export function addedAnswers(): readonly Answer[] {
  return [
    {
      status: 200,
      description:
        'Done. Your session gets a new access token, in the cookie or in the body. The first factor comes with recovery codes.',
      media: 'application/json',
      schema: added(),
      example: { recovery_codes: ['BCDF-GHJK-LMNP-QRST'] },
    },
  ]
}

/** Answers a change that may come with recovery codes. */
export function answerAdded(
  services: HttpServices,
  who: LoggedIn,
  result: FactorAdded | Refusal,
): Response {
  if (!result.ok) return problemFor(result)
  const { renewed, recoveryCodes } = result
  const codes = recoveryCodes.length === 0 ? {} : { recovery_codes: recoveryCodes }
  return answerWithToken(services, who, renewed, codes)
}

/** The documentation of the answer to the removal of a factor. */
export function removedAnswers(): readonly Answer[] {
  return [
    {
      status: 200,
      description:
        'Done. Your session gets a new access token, in the cookie or in the body. `passkeys` are those that are left.',
      media: 'application/json',
      schema: removed(),
      example: {
        passkeys: { rp_id: 'example.com', user_id: 'WzJtUvK0', credential_ids: [] },
      },
    },
  ]
}

/** Answers the removal of a factor. */
export function answerRemoved(
  services: HttpServices,
  who: LoggedIn,
  { renewed, passkeys }: FactorRemoved,
): Response {
  const left =
    passkeys === undefined
      ? {}
      : {
          passkeys: {
            rp_id: passkeys.rpId,
            user_id: passkeys.userId,
            credential_ids: passkeys.credentialIds,
          },
        }
  return answerWithToken(services, who, renewed, left)
}

/** Answers with the next access token of the session: in the cookie, or in the body. */
function answerWithToken(
  { sessions }: HttpServices,
  { isCookie, cookies }: LoggedIn,
  renewed: FactorAdded['renewed'],
  body: object,
): Response {
  if (renewed === undefined) return answerJson(200, body)
  return isCookie
    ? answerJson(200, body, sessionCookies(sessions, cookies, renewed))
    : answerJson(200, { access: renewed.access, ...body })
}
