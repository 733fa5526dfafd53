import { z } from 'zod'

import { defineRoute, type ApiRoute } from '../router/define.ts'
import { anyone } from '../router/gate.ts'
import { lazy } from '../router/lazy.ts'
import { definePage } from '../router/pages.ts'
import type { Answer } from '../router/route.ts'
import { ssoPages } from '../pages/features.ts'
import { docsRoutes } from './docs-page.ts'
import { answerHealth, createReadinessAnswer } from './health.ts'
import { renderStartPage, startPagePolicy } from './page.ts'
import { createJwksAnswer, createServerMetadataAnswer } from './well-known.ts'

// The paths are exact, so a proxy that blocks one of them has no second spelling to block.
const about = { style: 'problem', method: 'GET', gate: anyone, isExact: true } as const
const discovery = { ...about, tag: 'Discovery' } as const
const operations = { ...about, tag: 'Operations' } as const

const jwks = lazy(() =>
  z.object({
    keys: z.array(
      z.looseObject({ kty: z.string(), kid: z.string(), alg: z.string(), use: z.literal('sig') }),
    ),
  }),
)

const metadata = lazy(() =>
  z.looseObject({
    issuer: z.string(),
    token_endpoint: z.string(),
    jwks_uri: z.string(),
    revocation_endpoint: z.string(),
    introspection_endpoint: z.string(),
    grant_types_supported: z.array(z.string()),
    response_types_supported: z.array(z.string()),
    token_endpoint_auth_methods_supported: z.array(z.string()),
    revocation_endpoint_auth_methods_supported: z.array(z.string()),
    introspection_endpoint_auth_methods_supported: z.array(z.string()),
  }),
)

const ok = lazy(() => z.object({ status: z.literal('ok') }))
const notReady = lazy(() => z.object({ status: z.enum(['store_unavailable', 'stopping']) }))
const openApi = lazy(() => z.looseObject({ openapi: z.string() }))

const WITH_SSO = {
  authorization_endpoint: 'https://auth.example.com/oauth2/authorize',
  userinfo_endpoint: 'https://auth.example.com/oauth2/userinfo',
  grant_types_supported: ['client_credentials', 'authorization_code', 'refresh_token'],
  response_types_supported: ['code'],
  code_challenge_methods_supported: ['S256'],
}

/** The answers of both metadata documents. `more` is what the example has with single sign-on. */
const metadataAnswers = (more: object = {}): readonly Answer[] => [
  {
    status: 200,
    description: 'The metadata.',
    media: 'application/json',
    schema: metadata(),
    example: {
      issuer: 'https://auth.example.com',
      token_endpoint: 'https://auth.example.com/oauth2/token',
      jwks_uri: 'https://auth.example.com/.well-known/jwks.json',
      revocation_endpoint: 'https://auth.example.com/oauth2/revoke',
      introspection_endpoint: 'https://auth.example.com/oauth2/introspect',
      grant_types_supported: ['client_credentials'],
      response_types_supported: [],
      token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
      revocation_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
      introspection_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
      ...more,
    },
  },
]

/** The routes without authentication: the start page, discovery, health and documentation. */
export const publicRoutes: readonly ApiRoute[] = [
  definePage({
    id: 'getStartPage',
    path: '/',
    tag: 'Documentation',
    summary: 'Read what runs here and what to do next',
    description: 'A page for people, without scripts.',
    policy: startPagePolicy,
    render: ({ sessions, routes }) => renderStartPage(sessions.access, routes),
  }),
  defineRoute({
    ...discovery,
    id: 'getKeys',
    path: '/.well-known/jwks.json',
    summary: 'Get the public keys that verify access tokens',
    description:
      'A JWK set (RFC 7517 §5). It may be cached for 5 minutes: a new key is published at least 10 minutes before it signs. Empty if a shared secret signs the tokens.',
    answers: () => [
      {
        status: 200,
        description: 'The keys.',
        media: 'application/jwk-set+json',
        schema: jwks(),
        example: {
          keys: [
            {
              kty: 'EC',
              crv: 'P-256',
              x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
              y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
              kid: 'kv5eR1Zl4zUQZ1yO4Jw0N8mJm1r1Hn3yWm7T1sPq0dA',
              alg: 'ES256',
              use: 'sig',
            },
          ],
        },
      },
      { status: 304, description: 'The copy that `If-None-Match` names is current.' },
    ],
    handle: ({ sessions }) => {
      const answer = createJwksAnswer(sessions.ring)
      return ({ request }) => answer(request)
    },
  }),
  defineRoute({
    ...discovery,
    id: 'getServerMetadata',
    path: '/.well-known/oauth-authorization-server',
    summary: 'Find the OAuth endpoints',
    description: 'RFC 8414.',
    answers: () => metadataAnswers(),
    handle: ({ sessions, routes }) => createServerMetadataAnswer(sessions, routes),
  }),
  defineRoute({
    ...discovery,
    id: 'getOpenIdMetadata',
    feature: ssoPages,
    path: '/.well-known/openid-configuration',
    summary: 'Find the OpenID Connect endpoints',
    description: 'OpenID Connect Discovery 1.0 §4. The same answer as for OAuth.',
    answers: () => metadataAnswers(WITH_SSO),
    handle: ({ sessions, routes }) => createServerMetadataAnswer(sessions, routes),
  }),
  defineRoute({
    ...operations,
    id: 'getHealth',
    path: '/healthz',
    summary: 'Check whether the process answers',
    description: 'For liveness probes. Reads neither the database nor the keys.',
    answers: () => [
      {
        status: 200,
        description: 'The process answers.',
        media: 'application/json',
        schema: ok(),
        example: { status: 'ok' },
      },
    ],
    handle: () => answerHealth,
  }),
  defineRoute({
    ...operations,
    id: 'getReadiness',
    path: '/readyz',
    summary: 'Check whether the database can be read and written',
    description: 'For readiness probes. The result is kept for a second.',
    answers: () => [
      {
        status: 200,
        description: 'The database can be read and written.',
        media: 'application/json',
        schema: ok(),
        example: { status: 'ok' },
      },
      {
        status: 503,
        description: 'The database cannot be read or written, or the server stops.',
        media: 'application/json',
        schema: notReady(),
        example: { status: 'store_unavailable' },
      },
    ],
    handle: ({ isReady }) => createReadinessAnswer(isReady),
  }),
  defineRoute({
    ...about,
    tag: 'Documentation',
    id: 'getOpenApi',
    path: '/openapi.json',
    summary: 'Get this API as an OpenAPI document',
    description: 'OpenAPI 3.1, of the routes that this server has turned on.',
    answers: () => [
      {
        status: 200,
        description: 'The document.',
        media: 'application/json',
        schema: openApi(),
        example: { openapi: '3.1.1', info: { title: 'Countersign' }, paths: {} },
      },
    ],
    handle: ({ sessions, routes, cookies }) => {
      let text: string | undefined
      return async () => {
        // Loaded at the first request, because the module makes all schemas.
        const { createOpenApiDocument } = await import('../openapi/document.ts')
        text ??= JSON.stringify(
          createOpenApiDocument(routes, {
            issuer: sessions.access.issuer,
            cookieName: (kind) => cookies.name(kind),
          }),
        )
        return new Response(text, {
          headers: { 'content-type': 'application/json', 'cache-control': 'no-cache' },
        })
      }
    },
  }),
  ...docsRoutes,
]
