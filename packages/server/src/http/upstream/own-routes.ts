import { z } from 'zod'

import { loggedIn, loggedInReader } from '../account/gates.ts'
import { FIELD_MEDIA } from '../browser/media.ts'
import { returnTo } from '../pages/parameters.ts'
import { defineRoute, type ApiRoute } from '../router/define.ts'
import { lazy } from '../router/lazy.ts'
import { sentText } from '../router/texts.ts'
import { linkByCode } from './exchange.ts'
import { withUpstreams } from './features.ts'
import { answerBeginLink, answerIdentities, answerUnlink } from './own-answers.ts'
import { exchangeFields } from './routes.ts'

const about = { tag: 'Other identities', feature: withUpstreams, style: 'problem' } as const

const STALE = 'insufficient_user_authentication'

const identities = lazy(() =>
  z.object({
    identities: z.array(
      z.object({
        id: z.string(),
        provider: z.string().meta({ description: 'The name of the provider in the settings.' }),
        title: z.string(),
        label: z.string().meta({ description: 'The name or address that the provider gives.' }),
        linked_at: z.int().meta({ description: 'Seconds since 1970.' }),
        last_used_at: z.int().nullable(),
      }),
    ),
  }),
)

const identityId = lazy(() => z.object({ id: z.string() }))

const linkFields = lazy(() =>
  z.object({
    provider: sentText().meta({ description: 'The name of the provider.' }),
    return_to: returnTo,
  }),
)

const begun = lazy(() =>
  z.object({ url: z.string().meta({ description: 'Send the browser there.' }) }),
)

const unlinked = lazy(() =>
  z.object({
    access: z.string().optional().meta({
      description: 'A new access token, if the old one came in the header.',
    }),
  }),
)

/** The routes with which people manage the identities of their own account. */
export const ownIdentityRoutes: readonly ApiRoute[] = [
  defineRoute({
    ...about,
    id: 'listIdentities',
    method: 'GET',
    path: '/auth/identities',
    summary: 'List the identities that can log in to your account',
    description: 'The oldest first.',
    gate: loggedInReader,
    answers: () => [
      {
        status: 200,
        description: 'The identities.',
        media: 'application/json',
        schema: identities(),
        example: {
          identities: [
            {
              id: 'idn_0rZ2Rk0tQnq3b1bIY2Tq6g',
              provider: 'google',
              title: 'Google',
              label: 'alice@example.com',
              linked_at: 1_795_000_000,
              last_used_at: null,
            },
          ],
        },
      },
    ],
    handle: (services) => (input) => answerIdentities(services, input),
  }),
  defineRoute({
    ...about,
    id: 'linkIdentity',
    method: 'POST',
    path: '/auth/identities',
    summary: 'Link an identity with the code of an application',
    description:
      'For applications without cookies. The code comes from `/auth/upstream/{name}` with `link` and `redirect_uri`. Needs a recent sign-in.',
    gate: loggedIn,
    body: {
      format: 'fields',
      media: FIELD_MEDIA,
      schema: exchangeFields,
      example: { code: 'Af3k...', code_verifier: 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk' },
    },
    answers: () => [{ status: 204, description: 'Linked.' }],
    refusals: [STALE, 'upstream_void', 'identity_taken'],
    handle: (services) => (input) => linkByCode(services, input),
  }),
  defineRoute({
    ...about,
    id: 'beginLink',
    method: 'POST',
    path: '/auth/identities/link',
    summary: 'Begin to link an identity in this browser',
    description:
      'For pages with cookies. Send the browser to `url`. It comes back to `return_to` when the identity is linked. Needs a recent sign-in.',
    gate: loggedIn,
    body: {
      format: 'fields',
      media: FIELD_MEDIA,
      schema: linkFields,
      example: { provider: 'google', return_to: 'https://app.example.com/settings' },
    },
    answers: () => [
      {
        status: 200,
        description: 'Where the browser goes. A cookie binds the log-in to it.',
        media: 'application/json',
        schema: begun(),
        example: { url: 'https://accounts.google.com/o/oauth2/v2/auth?client_id=...' },
      },
    ],
    refusals: [STALE, 'cookie_missing', 'not_found', 'upstream_unavailable'],
    handle: (services) => (input) => answerBeginLink(services, input),
  }),
  defineRoute({
    ...about,
    id: 'unlinkIdentity',
    method: 'DELETE',
    path: '/auth/identities/{id}',
    summary: 'Remove an identity from your account',
    description:
      'It can no longer log in. The last way to log in to the account stays. Needs a recent sign-in.',
    gate: loggedIn,
    revokes: true,
    params: identityId,
    answers: () => [
      {
        status: 200,
        description:
          'Removed. Your session may get a new access token, in the cookie or in the body.',
        media: 'application/json',
        schema: unlinked(),
        example: {},
      },
    ],
    refusals: [STALE, 'not_found', 'identity_last'],
    handle: (services) => (input) => answerUnlink(services, input),
  }),
]
