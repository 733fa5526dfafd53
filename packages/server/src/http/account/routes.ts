import { z } from 'zod'

import { limits } from '../../base/limits.ts'
import { NEW_PASSWORD_REFUSALS } from './password-refusals.ts'
import { FIELD_MEDIA } from '../browser/media.ts'
import { defineRoute, type ApiRoute } from '../router/define.ts'
import { lazy } from '../router/lazy.ts'
import type { Feature } from '../router/route.ts'
import { sentText } from '../router/texts.ts'
import { loggedIn, loggedInReader, noForeignPage } from './gates.ts'
import { me } from './me-schema.ts'
import { answerMe } from './me.ts'
import {
  answerChangePassword,
  answerEndSession,
  answerDelete,
  answerEndSessions,
  answerExport,
  answerRename,
  answerSessions,
} from './own-account.ts'
import { renewedAnswers } from './renewed.ts'
import { answerSignUp } from './sign-up.ts'

const about = { tag: 'Own account', style: 'problem' } as const

/** For routes that need the accounts of Countersign. */
export const ownAccounts: Feature = {
  isOn: (features) => features.ownAccounts,
  requires:
    'Exists when Countersign keeps the accounts. It does not exist when the application passes its own `accounts` to `createAuthority`.',
}

const signUpOn: Feature = {
  isOn: (features) => features.ownAccounts && features.signUp,
  requires:
    'Exists with `COUNTERSIGN_SIGN_UP=true` or `COUNTERSIGN_SIGN_UP_VERIFIED=true`, unless the application passes its own `accounts` to `createAuthority`.',
}

const sessionList = lazy(() =>
  z.object({
    sessions: z
      .array(
        z.object({
          id: z.string(),
          device: z.string().meta({ description: 'Browser and system, from the User-Agent.' }),
          address: z
            .string()
            .meta({ description: 'The address of the login or the last refresh. May be empty.' }),
          created_at: z.int().meta({ description: 'Seconds since 1970.' }),
          last_used_at: z.int().meta({ description: 'The last refresh, in seconds since 1970.' }),
          current: z.boolean().meta({ description: 'Whether it is the session of this request.' }),
        }),
      )
      .max(limits.sessionsListedMax),
  }),
)

const passwords = lazy(() =>
  z.object({
    old_password: sentText().meta({ description: 'The current password.' }),
    new_password: sentText().meta({ description: NEW_PASSWORD }),
  }),
)

const credentials = lazy(() =>
  z.object({
    username: sentText()
      .optional()
      .meta({
        description: `At most ${limits.usernameCharsMax} characters. With an address, it may be left out: the address is then the username.`,
      }),
    email: sentText().optional().meta({
      description:
        'The e-mail address. Required with `COUNTERSIGN_SIGN_UP_VERIFIED`, and refused without it.',
    }),
    password: sentText().meta({ description: NEW_PASSWORD }),
  }),
)

const NEW_PASSWORD = `At least ${limits.passwordCharsMin} characters and at most ${limits.passwordBytesMax} bytes; not a common password, and not made of the username.`

const sessionId = lazy(() =>
  z.object({ id: z.string().min(1).meta({ description: 'The id of the session.' }) }),
)

const ticket = lazy(() => z.object({ ticket: z.string() }))

const newName = lazy(() => z.object({ username: sentText() }))

const onlyPassword = lazy(() =>
  z.object({ password: sentText().meta({ description: 'The current password.' }) }),
)

const records = lazy(() => z.array(z.looseObject({})))

const ownData = lazy(() =>
  z.object({
    account: z.looseObject({ id: z.string(), username: z.string() }),
    memberships: records(),
    factors: records(),
    identities: records(),
    recoveryCodesLeft: z.int(),
    devices: records(),
    sessions: records(),
    audit: records(),
  }),
)

const created = lazy(() => z.object({ sub: z.string(), username: z.string() }))

/** The routes for a person's own account, sessions and password. */
export const accountRoutes: readonly ApiRoute[] = [
  defineRoute({
    ...about,
    id: 'getOwnAccount',
    method: 'GET',
    path: '/auth/me',
    summary: 'Get the account behind an access token',
    description: 'Reads the account from the database, so roles and tenants are current.',
    gate: loggedInReader,
    answers: () => [
      {
        status: 200,
        description: 'The account and its session.',
        media: 'application/json',
        schema: me(),
        example: {
          sub: 'acct_0rZ2Rk0tQnq3b1bIY2Tq6g',
          username: 'alice',
          email: 'alice@example.com',
          email_verified: true,
          user_id: '42',
          roles: ['editor'],
          permissions: ['articles.edit'],
          tenant_roles: ['billing'],
          tenant_permissions: ['invoices.read'],
          tenant: { id: 'ten_c2l4dGVlbiBieXRlcw', name: 'acme' },
          tenants: [{ id: 'ten_c2l4dGVlbiBieXRlcw', name: 'acme' }],
          sid: '8Lr0jlbXlTn3vN0xkKqYIw',
          auth_time: 1_795_000_000,
          amr: ['pwd'],
        },
      },
    ],
    handle:
      ({ sessions }) =>
      ({ who }) =>
        answerMe(sessions, who.state),
  }),
  defineRoute({
    ...about,
    id: 'listOwnSessions',
    method: 'GET',
    path: '/auth/sessions',
    summary: 'List your own live sessions',
    description: `The newest first, at most ${limits.sessionsListedMax}.`,
    gate: loggedInReader,
    answers: () => [
      {
        status: 200,
        description: 'The sessions.',
        media: 'application/json',
        schema: sessionList(),
        example: {
          sessions: [
            {
              id: '8Lr0jlbXlTn3vN0xkKqYIw',
              device: 'Firefox on Windows',
              address: '203.0.113.7',
              created_at: 1_795_000_000,
              last_used_at: 1_795_000_200,
              current: true,
            },
          ],
        },
      },
    ],
    handle:
      ({ sessions }) =>
      ({ who }) =>
        answerSessions(sessions, who),
  }),
  defineRoute({
    ...about,
    id: 'endOtherSessions',
    method: 'POST',
    path: '/auth/sessions/end-others',
    summary: 'End all of your other sessions',
    description: 'Revokes their tokens everywhere. Your session gets a new access token.',
    gate: loggedIn,
    revokes: true,
    answers: renewedAnswers,
    refusals: ['throttled'],
    handle:
      ({ sessions }) =>
      ({ who, caller }) =>
        answerEndSessions(sessions, who, 'others', caller),
  }),
  defineRoute({
    ...about,
    id: 'endAllSessions',
    method: 'POST',
    path: '/auth/sessions/end-all',
    summary: 'End all of your sessions, including this one',
    description: 'Logs out everywhere. Revokes the tokens of all sessions of the account.',
    gate: loggedIn,
    revokes: true,
    answers: () => [{ status: 204, description: 'Done.' }],
    refusals: ['throttled'],
    handle:
      ({ sessions }) =>
      ({ who, caller }) =>
        answerEndSessions(sessions, who, 'all', caller),
  }),
  defineRoute({
    ...about,
    id: 'endSession',
    method: 'DELETE',
    path: '/auth/sessions/{id}',
    summary: 'End one of your own sessions',
    description: 'Also succeeds if the session has already ended.',
    gate: loggedIn,
    revokes: true,
    params: sessionId,
    answers: () => [{ status: 204, description: 'Ended.' }],
    refusals: ['not_found'],
    handle:
      ({ sessions }) =>
      ({ who, params, caller }) =>
        answerEndSession(sessions, who, params.id, caller),
  }),
  defineRoute({
    ...about,
    id: 'changePassword',
    hashes: true,
    method: 'POST',
    path: '/auth/password',
    summary: 'Change your own password',
    description:
      'Requires the old password. Ends all other sessions. Your session gets a new access token.',
    gate: loggedIn,
    feature: ownAccounts,
    revokes: true,
    body: {
      format: 'fields',
      media: FIELD_MEDIA,
      schema: passwords,
      example: { old_password: 'correct horse battery', new_password: 'staple and no donkey' },
    },
    answers: renewedAnswers,
    refusals: ['credentials_invalid', ...NEW_PASSWORD_REFUSALS, 'throttled'],
    handle:
      ({ sessions }) =>
      ({ who, body, caller }) =>
        answerChangePassword(
          sessions,
          who,
          { oldPassword: body.old_password, newPassword: body.new_password },
          caller,
        ),
  }),
  defineRoute({
    ...about,
    id: 'signUp',
    hashes: true,
    method: 'POST',
    path: '/auth/signup',
    summary: 'Create an account for yourself',
    description:
      'The account has no roles. Signing up opens no session: log in afterwards. Each attempt counts against the throttle of the address. With `COUNTERSIGN_SIGN_UP_VERIFIED`, the account exists after `POST /auth/signup/finish`, and the answer does not reveal whether an account has the address.',
    gate: noForeignPage,
    feature: signUpOn,
    body: {
      format: 'fields',
      media: FIELD_MEDIA,
      schema: credentials,
      example: { username: 'carol', password: 'staple and no donkey' },
    },
    answers: () => [
      {
        status: 201,
        description: 'The account was created.',
        media: 'application/json',
        schema: created(),
        example: { sub: 'acct_0rZ2Rk0tQnq3b1bIY2Tq6g', username: 'carol' },
      },
      {
        status: 202,
        description: 'With `COUNTERSIGN_SIGN_UP_VERIFIED`: a mail is on its way.',
        media: 'application/json',
        schema: ticket(),
        example: { ticket: 'xXm4Sx5UuTW8TgS2dSkhFQ.4Hq7tCr0Jp9f2ZbVvE1sYw' },
      },
    ],
    refusals: [
      'fields_invalid',
      'email_invalid',
      'email_unproved',
      'username_invalid',
      'username_confusable',
      'username_too_long',
      'username_taken',
      ...NEW_PASSWORD_REFUSALS,
      'throttled',
    ],
    handle: (services) => (input) => answerSignUp(services, input),
  }),
  defineRoute({
    ...about,
    id: 'renameOwnAccount',
    method: 'PATCH',
    path: '/auth/me',
    summary: 'Change your username',
    description:
      'A username that is an e-mail address must be the verified address of the account.',
    gate: loggedIn,
    feature: ownAccounts,
    body: {
      format: 'fields',
      media: FIELD_MEDIA,
      schema: newName,
      example: { username: 'alicia' },
    },
    answers: () => [
      {
        status: 200,
        description: 'The new username.',
        media: 'application/json',
        schema: newName(),
        example: { username: 'alicia' },
      },
    ],
    refusals: ['username_invalid', 'username_confusable', 'username_too_long', 'username_taken'],
    handle:
      ({ sessions }) =>
      ({ who, body, caller }) =>
        answerRename(sessions, who, body.username, caller),
  }),
  defineRoute({
    ...about,
    id: 'exportOwnAccount',
    method: 'GET',
    path: '/auth/me/export',
    summary: 'Get everything that is stored about you',
    description: `The account, its memberships, second factors and remembered browsers, and its newest ${limits.auditExportedMax} sessions and audit lines, without secrets.`,
    gate: loggedInReader,
    feature: ownAccounts,
    answers: () => [
      {
        status: 200,
        description: 'The data. `Content-Disposition` makes browsers save it.',
        media: 'application/json',
        schema: ownData(),
        example: {
          account: { id: 'acct_0rZ2Rk0tQnq3b1bIY2Tq6g', username: 'alice' },
          memberships: [],
          factors: [],
          identities: [],
          recoveryCodesLeft: 0,
          devices: [],
          sessions: [],
          audit: [],
        },
      },
    ],
    handle:
      ({ sessions }) =>
      ({ who, caller }) =>
        answerExport(sessions, who, caller),
  }),
  defineRoute({
    ...about,
    id: 'deleteOwnAccount',
    hashes: true,
    method: 'POST',
    path: '/auth/me/delete',
    summary: 'Delete your account',
    description:
      'Requires the password. Ends all sessions and revokes their tokens. This cannot be undone.',
    gate: loggedIn,
    feature: ownAccounts,
    revokes: true,
    body: {
      format: 'fields',
      media: FIELD_MEDIA,
      schema: onlyPassword,
      example: { password: 'correct horse battery' },
    },
    answers: () => [{ status: 204, description: 'Deleted.' }],
    refusals: ['credentials_invalid', 'throttled', 'password_queue_full'],
    handle:
      ({ sessions }) =>
      ({ who, body, caller }) =>
        answerDelete(sessions, who, body.password, caller),
  }),
]
