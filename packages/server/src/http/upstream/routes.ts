import { z } from 'zod'

import { anyone } from '../router/gate.ts'
import { defineRoute, type ApiRoute } from '../router/define.ts'
import { PAGE } from '../router/html-page.ts'
import { lazy } from '../router/lazy.ts'
import { sentText } from '../router/texts.ts'
import { noForeignPage } from '../account/gates.ts'
import { FIELD_MEDIA } from '../browser/media.ts'
import { answerJson } from '../browser/session-answers.ts'
import { lang, returnTo } from '../pages/parameters.ts'
import { finishUpstream, forwardUpstream } from './callback.ts'
import { exchangeCode } from './exchange.ts'
import { requireUpstream, withUpstreams } from './features.ts'
import { startUpstream } from './start.ts'

const about = { tag: 'Other identities', feature: withUpstreams } as const

const text = (description: string) => z.string().optional().meta({ description })

const nameParams = lazy(() => z.object({ name: z.string() }))

const startQuery = lazy(() =>
  z.object({
    return_to: returnTo,
    lang,
    tenant: text('The name of the tenant to log in to.'),
    redirect_uri: text(
      'For applications without cookies: where the code goes. At an origin in `COUNTERSIGN_ORIGINS`, or one of `COUNTERSIGN_UPSTREAM_REDIRECTS`.',
    ),
    code_challenge: text('With `redirect_uri`: the SHA-256 of the code verifier, as base64url.'),
    code_challenge_method: text('With `redirect_uri`: `S256`.'),
    state: text('With `redirect_uri`: any text, which comes back with the code.'),
    link: text('With any value, the code links the identity at `POST /auth/identities`.'),
  }),
)

const answerFields = lazy(() =>
  z.object({
    state: text('The log-in.'),
    code: text('The code of the provider.'),
    iss: text('The provider (RFC 9207).'),
    error: text('Why there is no code.'),
  }),
)

/** The fields with which an application exchanges a code. */
export const exchangeFields = lazy(() =>
  z.object({
    code: sentText().meta({ description: 'The code, within 60 seconds. It works once.' }),
    code_verifier: sentText().meta({ description: 'The text whose SHA-256 was `code_challenge`.' }),
  }),
)

const providers = lazy(() =>
  z.object({
    providers: z.array(z.object({ name: z.string(), title: z.string(), url: z.string() })),
  }),
)

const tokens = lazy(() => z.object({ refresh: z.string(), access: z.string() }))

const TO_NEXT = { status: 303, description: '`Location` is where the browser goes on.' } as const

const FAILURES = ['not_found', 'upstream_unavailable', 'upstream_redirect_invalid'] as const

const SIGN_IN_REFUSALS = [
  'upstream_void',
  'upstream_refused',
  'upstream_unavailable',
  'identity_unknown',
  'identity_address_taken',
  'identity_taken',
  'username_taken',
  'credentials_invalid',
  'tenant_forbidden',
  'second_factor_required',
  'second_factor_enrolment_required',
  'session_ended',
  'throttled',
] as const

/** The routes of log-in with identities of other issuers. */
export const upstreamRoutes: readonly ApiRoute[] = [
  defineRoute({
    ...about,
    id: 'listProviders',
    method: 'GET',
    path: '/auth/upstream',
    style: 'problem',
    summary: 'List the providers whose identities can log in',
    description: 'For applications that show their own buttons.',
    gate: anyone,
    answers: () => [
      {
        status: 200,
        description: 'The providers, in the order of their buttons.',
        media: 'application/json',
        schema: providers(),
        example: {
          providers: [{ name: 'google', title: 'Google', url: '/auth/upstream/google' }],
        },
      },
    ],
    handle: (services) => () =>
      answerJson(200, {
        providers: [...requireUpstream(services).providers.values()].map(({ name, title }) => ({
          name,
          title,
          url: `/auth/upstream/${name}`,
        })),
      }),
  }),
  defineRoute({
    ...about,
    id: 'exchangeUpstreamCode',
    method: 'POST',
    path: '/auth/upstream/exchange',
    style: 'problem',
    summary: 'Exchange the code of a log-in with another identity for tokens',
    description:
      'For applications without cookies, such as mobile ones. After a 401 with `second_factor_required`, continue at `/api/token/second-factor/`.',
    gate: noForeignPage,
    body: {
      format: 'fields',
      media: FIELD_MEDIA,
      schema: exchangeFields,
      example: { code: 'Af3k...', code_verifier: 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk' },
    },
    answers: () => [
      {
        status: 200,
        description: 'The tokens of a new session.',
        media: 'application/json',
        schema: tokens(),
        example: { refresh: 'eyJhbGciOiJIUzI1NiJ9...', access: 'eyJhbGciOiJFUzI1NiJ9...' },
      },
    ],
    refusals: [
      'upstream_void',
      'credentials_invalid',
      'tenant_forbidden',
      'second_factor_required',
      'second_factor_enrolment_required',
    ],
    handle: (services) => (input) => exchangeCode(services, input),
  }),
  {
    ...defineRoute({
      ...about,
      id: 'startUpstream',
      method: 'GET',
      path: '/auth/upstream/{name}',
      style: 'html',
      summary: 'Log in with another identity',
      description:
        'Sends the browser to the provider. Without `redirect_uri`, the browser gets the session as cookies afterwards, and goes to `return_to`. With it, the application gets a code for `/auth/upstream/exchange`.',
      gate: anyone,
      params: nameParams,
      query: startQuery,
      answers: () => [TO_NEXT],
      refusals: FAILURES,
      handle: (services) => (input) => startUpstream(services, input),
    }),
    kind: 'page',
  },
  {
    ...defineRoute({
      ...about,
      id: 'finishUpstream',
      method: 'GET',
      path: '/auth/upstream/{name}/callback',
      style: 'html',
      summary: 'Come back from a provider',
      description:
        'The redirect URI of this server at the provider. It works once, in the browser that began, within ten minutes.',
      gate: anyone,
      params: nameParams,
      query: answerFields,
      answers: () => [PAGE, TO_NEXT],
      refusals: ['not_found', ...SIGN_IN_REFUSALS],
      handle: (services) => (input) => finishUpstream(services, input),
    }),
    kind: 'page',
  },
  {
    ...defineRoute({
      ...about,
      id: 'forwardUpstream',
      method: 'POST',
      path: '/auth/upstream/{name}/callback',
      style: 'html',
      summary: 'Come back from a provider that answers with a form',
      description: 'As Apple does. The browser goes on to the same path with `GET`.',
      gate: anyone,
      params: nameParams,
      body: {
        format: 'form',
        media: ['application/x-www-form-urlencoded'],
        schema: answerFields,
        example: { state: 't5hx2k-8Lr0jlbXlTn3vN0xkKqYIw', code: 'c8a1...' },
      },
      answers: () => [TO_NEXT],
      handle: () => (input) => forwardUpstream(input),
    }),
    kind: 'page',
  },
]
