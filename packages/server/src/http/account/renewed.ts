import { z } from 'zod'

import type { Renewed } from '../../sessions/own-sessions.ts'
import type { SessionServices } from '../../sessions/services.ts'
import { answerJson, sessionCookies } from '../browser/session-answers.ts'
import { lazy } from '../router/lazy.ts'
import type { Answer } from '../router/route.ts'
import type { LoggedIn } from './gates.ts'

const renewedBody = lazy(() =>
  z.object({
    access: z.string().meta({ description: 'A new access token. Services refuse the old one.' }),
  }),
)

/** The answers to a request that ends all other sessions of the account. */
export function renewedAnswers(): readonly Answer[] {
  return [
    {
      status: 200,
      description:
        'Done. The access token came in the header, so the next access token is in the body.',
      media: 'application/json',
      schema: renewedBody(),
      example: { access: 'eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9...' },
    },
    {
      status: 204,
      description:
        'Done. If the access token came in the cookie, the cookie now has the next access token. Otherwise refresh.',
    },
  ]
}

/**
 * Answers with the new access token: in a cookie if the old token came in a cookie, otherwise in the body.
 */
export function answerRenewed(
  services: SessionServices,
  { isCookie, cookies }: LoggedIn,
  { renewed }: Renewed,
): Response {
  if (renewed === undefined) return answerJson(204, undefined)
  return isCookie
    ? answerJson(204, undefined, sessionCookies(services, cookies, renewed))
    : answerJson(200, { access: renewed.access })
}
