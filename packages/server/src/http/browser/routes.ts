import { z } from 'zod'

import { me } from '../account/me-schema.ts'
import { defineRoute, type ApiRoute } from '../router/define.ts'
import { lazy } from '../router/lazy.ts'
import type { Answer } from '../router/route.ts'
import { sentText } from '../router/texts.ts'
import { answerCsrf, answerLogin, answerLogout, answerRefresh } from './endpoints.ts'
import {
  anyBrowser,
  browserWithCsrfToken,
  browserWithRefreshToken,
  browserWithSession,
  loggingOut,
} from './gates.ts'
import { FIELD_MEDIA } from './media.ts'
import { answerSession } from './read-session.ts'

const about = { tag: 'Browser sessions', style: 'problem' } as const

const csrfToken = lazy(() => z.object({ csrf_token: z.string() }))

const session = lazy(() =>
  z.object({
    sub: z.string().meta({ description: 'The id of the account.' }),
    user_id: z
      .string()
      .meta({ description: 'The imported Django id, otherwise the same as `sub`.' }),
    roles: z.array(z.string()).meta({ description: 'The global roles.' }),
    tid: z.string().optional().meta({ description: 'The id of the tenant of the session.' }),
    tenant_name: z.string().optional().meta({ description: 'The name of that tenant.' }),
    tenant_roles: z.array(z.string()).optional().meta({ description: 'The roles in that tenant.' }),
    sid: z.string().meta({ description: 'The id of the session.' }),
    csrf_token: z.string().meta({ description: 'Send it as `X-CSRF-Token`.' }),
    access_expires_in: z
      .int()
      .meta({ description: 'In how many seconds the access token expires.' }),
    access_expires_at: z
      .int()
      .meta({ description: 'When the access token expires: seconds since 1970.' }),
    refresh_expires_at: z
      .int()
      .meta({ description: 'When an unused refresh token expires: seconds since 1970.' }),
  }),
)

const currentSession = lazy(() =>
  me().extend({
    csrf_token: z.string().meta({ description: 'Send it as `X-CSRF-Token`.' }),
    access_expires_in: z.int().meta({
      description:
        'In how many seconds the access token in the cookie expires. 0 if the cookie has no valid access token.',
    }),
  }),
)

const SESSION_EXAMPLE = {
  sub: 'acct_0rZ2Rk0tQnq3b1bIY2Tq6g',
  user_id: '42',
  roles: ['editor'],
  sid: '8Lr0jlbXlTn3vN0xkKqYIw',
  csrf_token: 'wJbZ6d3yT0m1mFhX5iYxg5oT2y3m6m6fN8Qk2J5b9kE',
  access_expires_in: 300,
  access_expires_at: 1_795_000_300,
  refresh_expires_at: 1_796_209_600,
}

/** The answer of every route that logs a browser in. */
export function sessionAnswer(): Answer {
  return {
    status: 200,
    description: 'The new session. The tokens are in the cookies.',
    media: 'application/json',
    schema: session(),
    example: SESSION_EXAMPLE,
  }
}

const login = lazy(() =>
  z.object({
    username: sentText().meta({ description: 'Upper and lower case are equivalent.' }),
    password: sentText().meta({ description: 'The password, exactly as it was set.' }),
    tenant: sentText().optional().meta({ description: 'The name of the tenant to log in to.' }),
  }),
)

const refreshed = lazy(() =>
  z.object({
    tenant: sentText()
      .nullable()
      .optional()
      .meta({ description: 'The name of the tenant to change to. `null` leaves the tenant.' }),
  }),
)

/** The routes for browsers: tokens travel in HttpOnly cookies, and scripts cannot read them. */
export const browserRoutes: readonly ApiRoute[] = [
  defineRoute({
    ...about,
    id: 'getCsrfToken',
    method: 'GET',
    path: '/auth/csrf',
    summary: 'Get the CSRF token that a page sends back',
    description:
      'The token belongs to the session in the cookies. Without a session it belongs to a cookie that this answer sets, and it is valid for a login.',
    gate: anyBrowser,
    answers: () => [
      {
        status: 200,
        description: 'The token.',
        media: 'application/json',
        schema: csrfToken(),
        example: { csrf_token: SESSION_EXAMPLE.csrf_token },
      },
    ],
    handle: (services) => (input) => answerCsrf(services, input.who),
  }),
  defineRoute({
    ...about,
    id: 'logInBrowser',
    hashes: true,
    method: 'POST',
    path: '/auth/login',
    summary: 'Log in and get the session as cookies',
    description:
      'Sets the access and refresh cookies. A session that the browser had before ends. A failed login gets the same answer for an unknown username, a wrong password and a disabled account.',
    gate: browserWithCsrfToken,
    body: {
      format: 'fields',
      media: FIELD_MEDIA,
      schema: login,
      example: { username: 'alice', password: 'correct horse battery' },
    },
    answers: () => [sessionAnswer()],
    refusals: ['credentials_invalid', 'tenant_forbidden', 'throttled', 'password_queue_full'],
    handle: (services) => (input) => answerLogin(services, input.who, input.body, input),
  }),
  defineRoute({
    ...about,
    id: 'refreshBrowser',
    method: 'POST',
    path: '/auth/refresh',
    summary: 'Refresh the session in the cookies',
    description:
      'Rotates the refresh token and sets both cookies. An empty body keeps the tenant of the session. When the session is over, the answer removes the cookies. After `refresh_elsewhere` it keeps them: the session continues.',
    gate: browserWithSession,
    body: {
      format: 'fields',
      media: FIELD_MEDIA,
      schema: refreshed,
      isOptional: true,
      example: { tenant: 'acme' },
    },
    answers: () => [
      {
        status: 200,
        description: 'The session. The new tokens are in the cookies.',
        media: 'application/json',
        schema: session(),
        example: SESSION_EXAMPLE,
      },
    ],
    refusals: [
      'session_ended',
      'session_expired',
      'session_unknown',
      'account_disabled',
      'refresh_reused',
      'refresh_elsewhere',
      'refresh_ahead',
      'token_expired',
      'token_stale',
      'tenant_forbidden',
      'insufficient_user_authentication',
      'refresh_queue_full',
    ],
    handle: (services) => (input) => answerRefresh(services, input.who, input.body, input.caller),
  }),
  defineRoute({
    ...about,
    id: 'getSession',
    method: 'GET',
    path: '/auth/session',
    summary: 'Show the session in the cookies, without refreshing it',
    description:
      'For a page that opens: who is logged in, the CSRF token, and whether the access token must be refreshed before the first call. Changes nothing and sets no cookie. The access token may be missing or expired.',
    gate: browserWithRefreshToken,
    answers: () => [
      {
        status: 200,
        description: 'The session, and its account.',
        media: 'application/json',
        schema: currentSession(),
        example: {
          sub: SESSION_EXAMPLE.sub,
          username: 'alice',
          user_id: '42',
          roles: ['editor'],
          permissions: ['articles.write'],
          tenant: null,
          tenants: [],
          sid: SESSION_EXAMPLE.sid,
          auth_time: 1_795_000_000,
          amr: ['pwd'],
          csrf_token: SESSION_EXAMPLE.csrf_token,
          access_expires_in: 212,
        },
      },
    ],
    refusals: [
      'session_ended',
      'session_expired',
      'session_unknown',
      'account_disabled',
      'refresh_reused',
      'refresh_ahead',
      'token_expired',
    ],
    handle: (services) => (input) => answerSession(services, input.who, input.request),
  }),
  defineRoute({
    ...about,
    id: 'logOut',
    method: 'POST',
    path: '/auth/logout',
    summary: 'Log out: end the session',
    description:
      'With an access token in the header, ends the session of that token. Otherwise ends the session of the refresh cookie, and removes the cookies. With cookies, it succeeds even if the session is over.',
    gate: loggingOut,
    revokes: true,
    answers: () => [{ status: 204, description: 'Logged out.' }],
    handle: (services) => (input) => answerLogout(services, input.who, input.caller),
  }),
]
