import { z } from 'zod'

import { defineRoute, FAULTS, type ApiRoute } from '../router/define.ts'
import { anyone } from '../router/gate.ts'
import { PAGE, defineHtmlForm, defineHtmlPage } from '../router/html-page.ts'
import { lazy } from '../router/lazy.ts'
import type { Answer } from '../router/route.ts'
import { refusals } from '../../base/refusals.ts'
import { ssoPages } from '../pages/features.ts'
import { formWithSession, pageWithSession } from '../pages/gate.ts'
import { styles } from '../router/styles.ts'
import { answerAuthorize } from './authorize.ts'
import { askLibrary, ssoOf } from './ask-library.ts'
import { showDevice, submitDevice } from './device-page.ts'
import { withSso } from './features.ts'
import { answerFormAsLink } from './form-as-link.ts'
import { showInteraction, submitInteraction } from './interaction-page.ts'
import { showLogout, submitLogout } from './logout-page.ts'
import { answerUserinfo } from './userinfo.ts'

const TAG = 'Single sign-on (OpenID Connect)'

const ON: Answer = {
  status: 303,
  description: 'The application, or a page of this server on which the person goes on.',
}

/** The parameters of RFC 6749 §4.1.1, RFC 7636 §4.3, RFC 8707 §2 and OpenID Connect Core 1.0 §3.1.2.1. */
const authorizeQuery = lazy(() =>
  z.looseObject({
    client_id: z.string().optional(),
    redirect_uri: z.string().optional().meta({ description: 'One of the registered ones.' }),
    response_type: z.string().optional().meta({ description: '`code`.' }),
    response_mode: z.string().optional().meta({ description: '`query` or `form_post`.' }),
    scope: z
      .string()
      .optional()
      .meta({ description: '`openid`, `profile`, `email` and `offline_access`.' }),
    state: z.string().optional(),
    nonce: z.string().optional(),
    code_challenge: z.string().optional(),
    code_challenge_method: z.string().optional().meta({ description: '`S256`.' }),
    resource: z.string().optional().meta({ description: 'The audience of the access token.' }),
    prompt: z
      .string()
      .optional()
      .meta({ description: '`none`, `login`, `select_account` and `consent`.' }),
    max_age: z.string().optional().meta({ description: 'Seconds since the last proof.' }),
    acr_values: z.string().optional().meta({ description: '`aal2` asks for two factors.' }),
    claims: z.string().optional(),
    id_token_hint: z.string().optional(),
    request_uri: z.string().optional().meta({ description: 'A pushed request (RFC 9126).' }),
  }),
)

const authorizeBody = lazy(() => z.looseObject({ client_id: z.string().optional() }))

const logoutQuery = lazy(() =>
  z.object({
    id_token_hint: z.string().optional(),
    client_id: z.string().optional(),
    post_logout_redirect_uri: z
      .string()
      .optional()
      .meta({ description: 'One of the registered ones.' }),
    state: z.string().optional(),
  }),
)

const interactionQuery = lazy(() =>
  z.object({
    client_id: z.string().optional().meta({ description: 'The application.' }),
    chosen: z.string().optional().meta({ description: 'The person has chosen the account.' }),
  }),
)

const interactionFields = lazy(() =>
  z.object({
    csrf: z.string().optional(),
    allow: z.string().optional().meta({ description: 'With any value, the person allows it.' }),
    deny: z.string().optional().meta({ description: 'With any value, the person refuses.' }),
  }),
)

const deviceQuery = lazy(() =>
  z.object({ user_code: z.string().optional().meta({ description: 'The code of the device.' }) }),
)

const deviceFields = lazy(() =>
  z.object({
    csrf: z.string().optional(),
    user_code: z.string().optional(),
    allow: z.string().optional(),
    deny: z.string().optional(),
  }),
)

const userinfo = lazy(() =>
  z.looseObject({
    sub: z.string(),
    preferred_username: z.string().optional(),
    email: z.string().optional(),
    email_verified: z.boolean().optional(),
  }),
)

const page = { tag: TAG, feature: ssoPages, refusals: [] } as const
const CSRF = 'wJbZ6d3yT0m1mFhX5iYxg5oT2y3m6m6fN8Qk2J5b9kE'

/** A row that the OpenID Connect library answers. */
function byLibrary(about: {
  readonly id: string
  readonly path: string
  readonly summary: string
  readonly description: string
}): ApiRoute {
  return {
    ...about,
    method: 'POST',
    tag: TAG,
    isExact: false,
    style: 'oauth',
    authentication: 'none',
    csrf: 'none',
    permission: undefined,
    revokes: false,
    hashes: false,
    feature: ssoPages,
    kind: 'node',
    params: undefined,
    query: undefined,
    body: undefined,
    answers: () => [
      { status: 200, description: 'As the standard says.', media: 'application/json' },
    ],
    refusals: FAULTS.map((code) => ({
      code,
      status: refusals[code].status,
      text: refusals[code].text,
    })),
    bind: (services) => async (request, caller) => {
      const asked = { request, caller, sessionId: undefined }
      const answer = await askLibrary(services, ssoOf(services), asked)
      return answer?.response ?? styles.oauth.refuse('body_too_large', request)
    },
  }
}

/** A form with the parameters of a page that browsers open by a link. */
function asLink(about: {
  readonly id: string
  readonly path: string
  readonly summary: string
}): ApiRoute {
  return defineRoute({
    ...page,
    ...about,
    method: 'POST',
    style: 'html',
    description: 'The browser sends the same parameters once more as a link.',
    gate: anyone,
    body: {
      format: 'own',
      media: ['application/x-www-form-urlencoded'],
      schema: authorizeBody,
      example: { client_id: 'app_0rZ2Rk0tQnq3b1bIY2Tq6g' },
    },
    answers: () => [ON],
    handle:
      (services) =>
      ({ request }) =>
        answerFormAsLink(services, request),
  })
}

/** The routes with which applications log people in. */
export const ssoRoutes: readonly ApiRoute[] = [
  defineRoute({
    ...page,
    id: 'authorize',
    method: 'GET',
    path: '/oauth2/authorize',
    style: 'html',
    summary: 'Log a person in to an application',
    description: 'The authorization endpoint, for the code flow with PKCE.',
    gate: anyone,
    query: authorizeQuery,
    answers: () => [ON, PAGE],
    handle:
      (services) =>
      ({ request, caller }) =>
        answerAuthorize(services, request, caller),
  }),
  asLink({
    id: 'authorizeByForm',
    path: '/oauth2/authorize',
    summary: 'Log a person in to an application, with the parameters as a form',
  }),
  defineRoute({
    ...page,
    id: 'resumeAuthorize',
    method: 'GET',
    path: '/oauth2/authorize/{uid}',
    style: 'html',
    summary: 'Continue a login after a page of this server',
    description: 'Only the browser that began the login has its cookie.',
    gate: anyone,
    answers: () => [ON, PAGE],
    handle:
      (services) =>
      ({ request, caller }) =>
        answerAuthorize(services, request, caller),
  }),
  byLibrary({
    id: 'pushAuthorizationRequest',
    path: '/oauth2/par',
    summary: 'Push the parameters of a login',
    description: 'RFC 9126. The answer has a `request_uri` that works once, for 60 seconds.',
  }),
  byLibrary({
    id: 'authorizeDevice',
    path: '/oauth2/device_authorization',
    summary: 'Begin the login of a device without a browser',
    description: 'RFC 8628. The codes work for 10 minutes.',
  }),
  defineHtmlPage({
    ...page,
    id: 'showInteractionPage',
    path: '/oauth2/interaction/{uid}',
    summary: 'Show what an application needs from you',
    description: 'For the session in the cookies. Without one, the answer is the sign-in page.',
    gate: pageWithSession,
    query: interactionQuery,
    answers: [PAGE, { status: 303, description: 'The sign-in page, or a page to confirm.' }],
    render: showInteraction,
  }),
  defineHtmlForm({
    ...page,
    id: 'submitInteractionPage',
    path: '/oauth2/interaction/{uid}',
    summary: 'Allow or refuse what an application wants',
    description: 'The form of the page.',
    gate: formWithSession,
    query: interactionQuery,
    fields: interactionFields,
    example: { csrf: CSRF, allow: '1' },
    hashes: false,
    answers: [PAGE, { status: 303, description: 'The sign-in page, or a page to confirm.' }],
    submit: submitInteraction,
  }),
  defineHtmlPage({
    ...page,
    id: 'showDevicePage',
    path: '/oauth2/device',
    summary: 'Show the field for the code of a device',
    description: 'For the session in the cookies. Without one, the answer is the sign-in page.',
    gate: pageWithSession,
    query: deviceQuery,
    answers: [PAGE, { status: 303, description: 'The sign-in page.' }],
    render: showDevice,
  }),
  defineHtmlForm({
    ...page,
    id: 'submitDevicePage',
    path: '/oauth2/device',
    summary: 'Connect a device',
    description: 'The forms of the page. A code belongs to the session that typed it first.',
    gate: formWithSession,
    query: deviceQuery,
    fields: deviceFields,
    example: { csrf: CSRF, user_code: 'BCDF-GHJK' },
    hashes: false,
    answers: [PAGE, { status: 303, description: 'The sign-in page.' }],
    submit: submitDevice,
  }),
  defineHtmlPage({
    ...page,
    id: 'showLogoutPage',
    path: '/oauth2/logout',
    summary: 'Log out for an application',
    description:
      'OpenID Connect RP-Initiated Logout 1.0. Without an ID token of the session, a page asks first.',
    gate: anyone,
    query: logoutQuery,
    answers: [PAGE, { status: 303, description: 'The sign-in page.' }],
    render: (services, { request, query, caller }) => showLogout(services, request, query, caller),
  }),
  asLink({
    id: 'logOutByForm',
    path: '/oauth2/logout',
    summary: 'Log out for an application, with the parameters as a form',
  }),
  defineHtmlForm({
    ...page,
    id: 'submitLogoutPage',
    path: '/oauth2/logout/confirm',
    summary: 'Confirm a logout for an application',
    description: 'The form of the page.',
    gate: formWithSession,
    query: lazy(() => z.object({})),
    fields: lazy(() => logoutQuery().extend({ csrf: z.string().optional() })),
    example: { csrf: CSRF },
    hashes: false,
    answers: [PAGE, { status: 303, description: 'The sign-in page.' }],
    submit: (services, { request, body, who, caller }) => {
      const { csrf: _, ...query } = body
      return submitLogout(services, request, query, { session: who, caller })
    },
  }),
  ...(['GET', 'POST'] as const).map((method) =>
    defineRoute({
      id: method === 'GET' ? 'getUserinfo' : 'getUserinfoByForm',
      method,
      path: '/oauth2/userinfo',
      tag: TAG,
      style: 'oauth',
      feature: withSso,
      summary: 'Get the claims about the person of an access token',
      description:
        'OpenID Connect Core 1.0 §5.3. The access token is in the `Authorization` header and has the scope `openid`.',
      gate: anyone,
      answers: () => [
        {
          status: 200,
          description: 'The claims that the scopes of the token allow.',
          media: 'application/json',
          schema: userinfo(),
          example: { sub: 'acct_0rZ2Rk0tQnq3b1bIY2Tq6g', preferred_username: 'alice' },
        },
        { status: 401, description: 'The access token is not valid.', media: 'application/json' },
        {
          status: 403,
          description: 'The access token has not the scope `openid`.',
          media: 'application/json',
        },
      ],
      handle:
        (services) =>
        ({ request }) =>
          answerUserinfo(services, request),
    }),
  ),
]
