import { z } from 'zod'

import { defineRoute, type ApiRoute } from '../router/define.ts'
import { lazy } from '../router/lazy.ts'
import type { BodyRule } from '../router/route.ts'
import { presentedClient, provenClient } from './client-request.ts'
import { answerIntrospect } from './introspect.ts'
import { answerRevoke } from './revoke.ts'
import { answerToken } from './token.ts'
import { withOwnTokens } from '../sso/own-tokens.ts'
import { withApplications } from '../sso/token.ts'

const about = {
  tag: 'Service accounts (OAuth 2.0)',
  style: 'oauth',
  method: 'POST',
} as const

const FORM_MEDIA: BodyRule['media'] = ['application/x-www-form-urlencoded']

// The error message of a field is a refusal code.
const clientFields = lazy(() => ({
  client_id: z
    .string()
    .optional()
    .meta({ description: 'Instead of a Basic header. Requires `client_secret`.' }),
  client_secret: z.string().optional(),
}))

const grantForm = lazy(() =>
  z.object({
    grant_type: z.literal('client_credentials', {
      error: ({ input }) => (input === undefined ? 'grant_type_missing' : 'grant_type_unsupported'),
    }),
    scope: z.never('scope_invalid').optional().meta({ description: 'Must be left out.' }),
    ...clientFields(),
  }),
)

const tokenForm = lazy(() =>
  z.object({
    token: z.string('token_missing').meta({ description: 'An access token or a refresh token.' }),
    token_type_hint: z
      .string()
      .optional()
      .meta({ description: 'Accepted and ignored (RFC 7009 §2.1).' }),
    ...clientFields(),
  }),
)

const granted = lazy(() =>
  z.object({
    access_token: z.string(),
    token_type: z.literal('Bearer'),
    expires_in: z.int().positive().meta({ description: 'Seconds from now.' }),
  }),
)

/** RFC 7662 §2.2, and all claims of the token, including claims that an application added. */
const introspection = lazy(() =>
  z.looseObject({
    active: z.boolean(),
    sub: z.string().optional(),
    iss: z.string().optional(),
    exp: z.int().optional().meta({ description: 'Seconds since 1970.' }),
    iat: z.int().optional().meta({ description: 'Seconds since 1970.' }),
    client_id: z.string().optional(),
    username: z.string().optional(),
    roles: z.array(z.string()).optional().meta({ description: 'The global roles.' }),
    tid: z.string().optional().meta({ description: 'The id of the tenant of the token.' }),
    tenant_name: z.string().optional().meta({ description: 'The name of that tenant.' }),
    tenant_roles: z.array(z.string()).optional().meta({ description: 'The roles in that tenant.' }),
    token_type: z.string().optional(),
  }),
)

/**
 * The OAuth 2.0 routes for service accounts. Each takes a form, and credentials in a Basic header or in the
 * form.
 */
export const oauthRoutes: readonly ApiRoute[] = [
  withApplications(
    defineRoute({
      ...about,
      id: 'issueToken',
      path: '/oauth2/token',
      summary: 'Get an access token for a service account',
      description:
        'The client credentials grant (RFC 6749 §4.4). There is no refresh token: request a new access token before the old one expires. With single sign-on, applications use the same path for `authorization_code`, `refresh_token` and the device grant ([guide](../sso.md)).',
      gate: presentedClient,
      body: {
        format: 'form',
        media: FORM_MEDIA,
        schema: grantForm,
        example: { grant_type: 'client_credentials' },
      },
      answers: () => [
        {
          status: 200,
          description: 'The access token.',
          media: 'application/json',
          schema: granted(),
          example: {
            access_token: 'eyJhbGciOiJFUzI1NiJ9...',
            token_type: 'Bearer',
            expires_in: 300,
          },
        },
      ],
      refusals: ['grant_type_missing', 'grant_type_unsupported', 'scope_invalid'],
      handle:
        ({ sessions }) =>
        ({ who, caller }) =>
          answerToken(sessions, who, caller),
    }),
  ),
  withOwnTokens(
    defineRoute({
      ...about,
      id: 'revokeToken',
      path: '/oauth2/revoke',
      summary: 'Revoke an access token, or end the session of a refresh token',
      description:
        'RFC 7009. An application may revoke its own tokens: a refresh token ends its grant. A service account may revoke its own tokens. Unless it is bound to a tenant, it may also revoke the tokens of people who logged in without a client. The answer is also 200 for a token that is not valid.',
      gate: provenClient,
      revokes: true,
      body: {
        format: 'form',
        media: FORM_MEDIA,
        schema: tokenForm,
        example: { token: 'eyJhbGciOiJFUzI1NiJ9...' },
      },
      answers: () => [
        {
          status: 200,
          description: 'The token was revoked, or there was nothing to revoke. No body.',
        },
      ],
      refusals: ['token_missing', 'token_of_another'],
      handle:
        ({ sessions }) =>
        ({ who, body, caller }) =>
          answerRevoke(sessions, who, body.token, caller),
    }),
    'revoke',
  ),
  withOwnTokens(
    defineRoute({
      ...about,
      id: 'introspectToken',
      path: '/oauth2/introspect',
      summary: 'Get the state and the claims of a token',
      description:
        'RFC 7662, for services that do not read the revocation feed. An application sees its own tokens only. A token that is not valid gets `active: false` without a reason. A service account that is bound to a tenant sees tokens of that tenant only.',
      gate: provenClient,
      body: {
        format: 'form',
        media: FORM_MEDIA,
        schema: tokenForm,
        example: { token: 'eyJhbGciOiJFUzI1NiJ9...' },
      },
      answers: () => [
        {
          status: 200,
          description: 'The claims of a valid token, or only `active: false`.',
          media: 'application/json',
          schema: introspection(),
          example: {
            active: true,
            sub: 'acct_0rZ2Rk0tQnq3b1bIY2Tq6g',
            iss: 'https://auth.example.com',
            exp: 1_795_000_300,
            iat: 1_795_000_000,
            client_id: 'first-party',
            username: 'alice',
            roles: ['editor'],
            token_type: 'Bearer',
          },
        },
      ],
      refusals: ['token_missing'],
      handle:
        ({ sessions }) =>
        ({ who, body }) =>
          answerIntrospect(sessions, who, body.token),
    }),
    'introspect',
  ),
]
