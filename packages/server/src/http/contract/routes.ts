import { z } from 'zod'

import { FIELD_MEDIA } from '../browser/media.ts'
import { defineRoute, type ApiRoute } from '../router/define.ts'
import { anyone } from '../router/gate.ts'
import { lazy } from '../router/lazy.ts'
import type { Answer } from '../router/route.ts'
import { answerBlacklist, answerObtain, answerRefresh, answerVerify } from './endpoints.ts'

const about = {
  tag: 'SimpleJWT tokens',
  style: 'contract',
  method: 'POST',
  gate: anyone,
} as const

/**
 * Describes a field as Django REST Framework reads it: outer white space is removed, and a number becomes
 * text. The handlers read these bodies themselves, because the error texts are part of the contract.
 */
function field(description: string): z.ZodType<string, string | number> {
  return z
    .union([z.string().min(1), z.number()])
    .transform(String)
    .meta({
      description: `${description} White space at both ends is removed.`,
    })
}

const credentials = lazy(() =>
  z.object({
    username: field('Upper and lower case are equivalent.'),
    password: field('The password.'),
  }),
)
const refreshBody = lazy(() => z.object({ refresh: field('A refresh token.') }))
const tokenBody = lazy(() => z.object({ token: field('An access token or a refresh token.') }))

const accessToken = lazy(() => z.string().meta({ description: 'The access token, a JWT.' }))

/** The body of a login that succeeded. */
export const pair = lazy(() =>
  z.object({
    refresh: z.string().meta({ description: 'The refresh token. Use it once.' }),
    access: accessToken(),
  }),
)
const nextPair = lazy(() =>
  z.object({
    access: accessToken(),
    refresh: z.string().optional().meta({
      description: 'The next refresh token. Missing with `COUNTERSIGN_ROTATE_REFRESH=false`.',
    }),
  }),
)
const empty = lazy(() => z.object({}))
const detail = lazy(() => z.object({ detail: z.string() }))
const notValid = lazy(() =>
  z.object({
    detail: z.string(),
    code: z
      .literal('token_not_valid')
      .optional()
      .meta({ description: 'Present if a token was refused.' }),
  }),
)
/** 400: the errors of each field, of the body, or of the JSON text. */
const badRequest = lazy(() =>
  z.union([detail(), z.record(z.string(), z.array(z.string())).meta({ minProperties: 1 })]),
)

const FIELD_ERROR = { refresh: ['This field is required.'] }

/** The errors that all endpoints share, in SimpleJWT's form. */
export function sharedAnswers(
  example: unknown,
  /** Further bodies of 400. */
  more: readonly z.ZodType[] = [],
): readonly Answer[] {
  const media = 'application/json'
  const failed = (status: number, description: string, text: string): Answer => ({
    status,
    description,
    media,
    schema: detail(),
    example: { detail: text },
  })
  return [
    {
      status: 400,
      description: 'The body cannot be read, or a field is missing or wrong.',
      media,
      schema: more.length === 0 ? badRequest() : z.union([badRequest(), ...more]),
      example,
    },
    failed(413, 'The body is larger than 16 KiB.', 'The body is larger than 16 KiB.'),
    failed(
      415,
      'The media type is not accepted, or the body is compressed.',
      'Unsupported media type "text/plain" in request.',
    ),
    failed(500, 'An internal error.', 'The server made a mistake. It has been logged.'),
    failed(
      503,
      'The server is overloaded or cannot reach its database. `Retry-After` is the number of seconds to wait.',
      'The database cannot be reached. Try again shortly.',
    ),
  ]
}

const pending = lazy(() =>
  z.object({
    detail: z.string(),
    code: z.string().optional(),
    ticket: z.string().optional().meta({
      description: 'With `second_factor_required`: send it with the factor. Keep it secret.',
    }),
    methods: z.array(z.string()).optional().meta({
      description: 'How the person can continue: `totp`, `passkey`, `recovery_code`, `mail`.',
    }),
    enrol: z.array(z.string()).optional().meta({
      description:
        'With `second_factor_enrolment_required`: the factors that the person can set up.',
    }),
    expires_in: z.int().optional().meta({ description: 'The lifetime of the ticket in seconds.' }),
  }),
)

/** A login that is refused, or that needs a second factor. */
export function pendingAnswer(): Answer {
  return {
    status: 401,
    description:
      'The username or the password is wrong, or the account is disabled. With `code` and `ticket`: the password is right, and the login needs a second factor.',
    media: 'application/json',
    schema: pending(),
    example: { detail: 'No active account found with the given credentials' },
  }
}

/** Too many attempts. */
export function throttledAnswer(): Answer {
  return {
    status: 429,
    description: 'Too many attempts. `Retry-After` is the number of seconds to wait.',
    media: 'application/json',
    schema: detail(),
    example: { detail: 'Request was throttled. Expected available in 60 seconds.' },
  }
}

function unauthorized(description: string, example: unknown): Answer {
  return { status: 401, description, media: 'application/json', schema: notValid(), example }
}

const INVALID = { detail: 'Token is invalid', code: 'token_not_valid' }

/** The SimpleJWT contract. An `Authorization` header on these paths is ignored, as in SimpleJWT. */
export const contractRoutes: readonly ApiRoute[] = [
  defineRoute({
    ...about,
    id: 'obtainTokens',
    hashes: true,
    path: '/api/token/',
    summary: 'Log in: get an access token and a refresh token',
    description:
      'The same answer for an unknown username, a wrong password and a disabled account. `COUNTERSIGN_USERNAME_FIELD` can give the field `username` another name.',
    body: {
      format: 'own',
      media: FIELD_MEDIA,
      schema: credentials,
      example: { username: 'alice', password: 'correct horse battery' },
    },
    answers: () => [
      {
        status: 200,
        description: 'The tokens of a new session.',
        media: 'application/json',
        schema: pair(),
        example: { refresh: 'eyJhbGciOiJIUzI1NiJ9...', access: 'eyJhbGciOiJFUzI1NiJ9...' },
      },
      ...sharedAnswers({ password: ['This field is required.'] }),
      pendingAnswer(),
      throttledAnswer(),
    ],
    handle:
      ({ sessions, http }) =>
      (input) =>
        answerObtain(sessions, http.usernameField, input),
  }),
  defineRoute({
    ...about,
    id: 'refreshTokens',
    path: '/api/token/refresh/',
    summary: 'Refresh: get the next pair of tokens',
    description:
      'Each refresh token works once. Within the grace (`COUNTERSIGN_ROTATION_GRACE`, 10 s), a token that was used returns the newest refresh token of its session again. From another address and another user agent it is refused, and the session continues. After the grace, its use ends the session.',
    body: {
      format: 'own',
      media: FIELD_MEDIA,
      schema: refreshBody,
      example: { refresh: 'eyJhbGciOiJIUzI1NiJ9...' },
    },
    answers: () => [
      {
        status: 200,
        description: 'The next tokens.',
        media: 'application/json',
        schema: nextPair(),
        example: { access: 'eyJhbGciOiJFUzI1NiJ9...', refresh: 'eyJhbGciOiJIUzI1NiJ9...' },
      },
      ...sharedAnswers(FIELD_ERROR),
      unauthorized('The token is not valid, has expired, or its session has ended.', INVALID),
    ],
    handle:
      ({ sessions, refresh }) =>
      (input) =>
        answerRefresh(sessions, refresh, input),
  }),
  defineRoute({
    ...about,
    id: 'verifyToken',
    path: '/api/token/verify/',
    summary: 'Check whether a token would be accepted now',
    description: 'Accepts access tokens and refresh tokens. Changes nothing.',
    body: {
      format: 'own',
      media: FIELD_MEDIA,
      schema: tokenBody,
      example: { token: 'eyJhbGciOiJFUzI1NiJ9...' },
    },
    answers: () => [
      {
        status: 200,
        description: 'The token would be accepted.',
        media: 'application/json',
        schema: empty(),
        example: {},
      },
      ...sharedAnswers({ non_field_errors: ['Token is blacklisted'] }),
      unauthorized('The token is not valid or has expired.', INVALID),
    ],
    handle:
      ({ sessions }) =>
      (input) =>
        answerVerify(sessions, input),
  }),
  defineRoute({
    ...about,
    id: 'blacklistToken',
    path: '/api/token/blacklist/',
    summary: 'Log out: end the session of a refresh token',
    description: 'Revokes the session and all of its access tokens.',
    revokes: true,
    body: {
      format: 'own',
      media: FIELD_MEDIA,
      schema: refreshBody,
      example: { refresh: 'eyJhbGciOiJIUzI1NiJ9...' },
    },
    answers: () => [
      {
        status: 200,
        description: 'The session has ended.',
        media: 'application/json',
        schema: empty(),
        example: {},
      },
      ...sharedAnswers(FIELD_ERROR),
      unauthorized('The token is not valid, has expired, or its session has ended.', INVALID),
    ],
    handle:
      ({ sessions }) =>
      (input) =>
        answerBlacklist(sessions, input),
  }),
]
