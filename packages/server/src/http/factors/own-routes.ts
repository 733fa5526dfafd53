import { z } from 'zod'

import { limits } from '../../base/limits.ts'
import { loadDescribeDevice } from '../../accounts/device.ts'
import {
  addOwnFactor,
  bearerOf,
  listOwnFactors,
  removeOwnFactor,
  renameOwnFactor,
  replaceOwnRecoveryCodes,
} from '../../with-factors/own-factors.ts'
import { refuseUnlessFresh } from '../../sessions/freshness.ts'
import { auditContextOf } from '../../sessions/own-sessions.ts'
import { refuse, type Caller } from '../../sessions/services.ts'
import { loggedIn, loggedInReader, type LoggedIn } from '../account/gates.ts'
import { FIELD_MEDIA } from '../browser/media.ts'
import { answerJson } from '../browser/session-answers.ts'
import { problemFor } from '../problem.ts'
import { defineRoute, type ApiRoute } from '../router/define.ts'
import { lazy } from '../router/lazy.ts'
import { sentText } from '../router/texts.ts'
import type { HttpServices } from '../services.ts'
import { FACTOR_REFUSALS, answerEnrolment, enrolmentAnswer } from './answers.ts'
import { enrolmentFields, readEnrolment, type SentFactor } from './fields.ts'
import { addedAnswers, answerAdded, answerRemoved, removedAnswers } from './own-answers.ts'

const about = { tag: 'Second factors', style: 'problem' } as const

const factor = lazy(() =>
  z.object({
    id: z.string(),
    kind: z.enum(['totp', 'passkey']),
    name: z.string(),
    created_at: z.int().meta({ description: 'Seconds since 1970.' }),
    last_used_at: z.int().nullable(),
    backed_up: z.boolean().optional().meta({
      description: 'Of a passkey: whether the person has it on several devices.',
    }),
    credential_id: z.string().optional().meta({
      description:
        'Of a passkey: for `PublicKeyCredential.signalAllAcceptedCredentials`, which removes deleted passkeys from password managers.',
    }),
  }),
)

const factorList = lazy(() =>
  z.object({
    factors: z.array(factor()),
    recovery_codes_left: z.int(),
    required: z.boolean().meta({ description: 'Whether the account needs a second factor.' }),
    due_at: z.int().nullable().meta({
      description: 'By when it must set one up: seconds since 1970. Null if it has one.',
    }),
  }),
)

const policy = lazy(() =>
  z.object({
    required: z.boolean(),
    due_at: z.int().nullable(),
    passkeys: z.boolean().meta({ description: 'Whether this server can use passkeys.' }),
    mail: z.boolean().meta({ description: 'Whether a mailed code can be the second factor.' }),
    remember_sec: z.int().nullable().meta({
      description: 'How long a browser can be remembered. Null: not at all.',
    }),
    step_up_sec: z.int().meta({ description: 'How old a proof may be for a change of factors.' }),
  }),
)

const deviceList = lazy(() =>
  z.object({
    devices: z.array(
      z.object({
        device: z.string(),
        address: z.string(),
        created_at: z.int(),
        expires_at: z.int(),
      }),
    ),
  }),
)

const factorId = lazy(() => z.object({ id: z.string() }))
const totpFields = lazy(() =>
  z.object({
    ...enrolmentFields(),
    code: sentText().meta({ description: 'The six digits that the app shows.' }),
  }),
)
const passkeyFields = lazy(() =>
  z.object({
    ...enrolmentFields(),
    response: z
      .unknown()
      .refine((value) => value !== undefined)
      .meta({
        description: 'The credential that the browser made, as JSON.',
      }),
  }),
)
const nameFields = lazy(() => z.object({ name: sentText() }))

const STALE = ['insufficient_user_authentication'] as const

/** Adds the factor that a body enrols. */
async function add(
  services: HttpServices,
  who: LoggedIn,
  sent: SentFactor,
  caller: Caller,
): Promise<Response> {
  const enrolment = readEnrolment(sent)
  return answerAdded(
    services,
    who,
    enrolment === undefined
      ? refuse('fields_invalid')
      : await addOwnFactor(services.factors, who, enrolment, caller),
  )
}

/** Begins an enrolment. The session must be fresh already, so that nobody sets up an app in vain. */
async function begin(
  { factors, sessions }: HttpServices,
  who: LoggedIn,
  method: 'totp' | 'passkey',
  caller: Caller,
): Promise<Response> {
  const stale = await refuseUnlessFresh(sessions, who, { hasProvenPassword: false })
  if (stale !== undefined) return problemFor(stale)
  const bearer = { ...bearerOf(who), username: who.state.username }
  return answerEnrolment(factors, bearer, method, caller)
}

/** The routes with which people manage their second factors. */
export const ownFactorRoutes: readonly ApiRoute[] = [
  defineRoute({
    ...about,
    id: 'listFactors',
    method: 'GET',
    path: '/auth/factors',
    summary: 'List your own second factors',
    description: 'The oldest first.',
    gate: loggedInReader,
    answers: () => [
      {
        status: 200,
        description: 'The factors.',
        media: 'application/json',
        schema: factorList(),
        example: {
          factors: [
            {
              id: 'fac_0rZ2Rk0tQnq3b1bIY2Tq6g',
              kind: 'totp',
              name: 'Phone',
              created_at: 1_795_000_000,
              last_used_at: null,
            },
          ],
          recovery_codes_left: 10,
          required: false,
          due_at: null,
        },
      },
    ],
    handle:
      ({ factors }) =>
      async ({ who }) => {
        const own = await listOwnFactors(factors, who)
        return answerJson(200, {
          factors: own.factors.map((each) => ({
            id: each.id,
            kind: each.kind,
            name: each.name,
            created_at: toSec(each.createdAt),
            last_used_at: each.lastUsedAt === undefined ? null : toSec(each.lastUsedAt),
            ...(each.kind === 'passkey'
              ? { backed_up: each.isBackedUp, credential_id: each.credentialId }
              : {}),
          })),
          recovery_codes_left: own.recoveryCodesLeft,
          required: own.isRequired,
          due_at: own.dueAt === undefined ? null : toSec(own.dueAt),
        })
      },
  }),
  defineRoute({
    ...about,
    id: 'getFactorPolicy',
    method: 'GET',
    path: '/auth/factors/policy',
    summary: 'Show what this server asks of your account',
    description: 'For pages that offer second factors.',
    gate: loggedInReader,
    answers: () => [
      {
        status: 200,
        description: 'The policy.',
        media: 'application/json',
        schema: policy(),
        example: {
          required: true,
          due_at: 1_795_600_000,
          passkeys: true,
          mail: false,
          remember_sec: null,
          step_up_sec: 600,
        },
      },
    ],
    handle:
      ({ factors, sessions }) =>
      async ({ who }) => {
        const { isRequired, dueAt } = await listOwnFactors(factors, who)
        const { mailed, rememberMs, freshMs } = sessions.factors
        return answerJson(200, {
          required: isRequired,
          due_at: dueAt === undefined ? null : toSec(dueAt),
          passkeys: factors.relyingParty !== undefined,
          mail: mailed && factors.byMail !== undefined,
          remember_sec: rememberMs === undefined ? null : toSec(rememberMs),
          step_up_sec: toSec(freshMs),
        })
      },
  }),
  ...(['totp', 'passkey'] as const).map((method) =>
    defineRoute({
      ...about,
      id: method === 'totp' ? 'beginTotp' : 'beginPasskey',
      method: 'POST',
      path: method === 'totp' ? '/auth/factors/totp/challenge' : '/auth/factors/passkeys/challenge',
      summary:
        method === 'totp' ? 'Begin to set up an authenticator app' : 'Begin to set up a passkey',
      description: 'Nothing changes before the factor is proved. Needs a recent sign-in.',
      gate: loggedIn,
      answers: () => [enrolmentAnswer()],
      refusals: [...STALE, 'factors_full', 'passkeys_off'],
      handle:
        (services) =>
        ({ who, caller }) =>
          begin(services, who, method, caller),
    }),
  ),
  defineRoute({
    ...about,
    id: 'addTotp',
    method: 'POST',
    path: '/auth/factors/totp',
    summary: 'Set up an authenticator app',
    description:
      'It counts from now on, at every way to log in. It replaces an older app. Needs a recent sign-in.',
    gate: loggedIn,
    revokes: true,
    body: {
      format: 'fields',
      media: FIELD_MEDIA,
      schema: totpFields,
      example: { challenge: '8Lr0jlbXlTn3vN0xkKqYIw', code: '123456', name: 'Phone' },
    },
    answers: addedAnswers,
    refusals: [...STALE, ...FACTOR_REFUSALS],
    handle:
      (services) =>
      ({ who, body, caller }) =>
        add(services, who, { method: 'totp', ...body }, caller),
  }),
  defineRoute({
    ...about,
    id: 'addPasskey',
    method: 'POST',
    path: '/auth/factors/passkeys',
    summary: 'Set up a passkey',
    description: `It counts from now on, and logs in without a password. At most ${limits.passkeysMax}. Needs a recent sign-in.`,
    gate: loggedIn,
    revokes: true,
    body: {
      format: 'fields',
      media: FIELD_MEDIA,
      schema: passkeyFields,
      example: { challenge: '8Lr0jlbXlTn3vN0xkKqYIw', response: {}, name: 'Laptop' },
    },
    answers: addedAnswers,
    refusals: [...STALE, 'passkey_taken', ...FACTOR_REFUSALS],
    handle:
      (services) =>
      ({ who, body, caller }) =>
        add(services, who, { method: 'passkey', ...body }, caller),
  }),
  defineRoute({
    ...about,
    id: 'replaceRecoveryCodes',
    method: 'POST',
    path: '/auth/factors/recovery-codes',
    summary: 'Get new recovery codes',
    description: `${limits.recoveryCodes} codes, each for one use. The old ones stop working. Needs a recent sign-in.`,
    gate: loggedIn,
    revokes: true,
    answers: addedAnswers,
    refusals: [...STALE, 'factor_unavailable'],
    handle:
      (services) =>
      async ({ who, caller }) =>
        answerAdded(services, who, await replaceOwnRecoveryCodes(services.factors, who, caller)),
  }),
  defineRoute({
    ...about,
    id: 'renameFactor',
    method: 'PATCH',
    path: '/auth/factors/{id}',
    summary: 'Rename one of your factors',
    description: 'The name is shown to you only.',
    gate: loggedIn,
    params: factorId,
    body: {
      format: 'fields',
      media: FIELD_MEDIA,
      schema: nameFields,
      example: { name: 'Old phone' },
    },
    answers: () => [{ status: 204, description: 'Renamed.' }],
    refusals: ['not_found'],
    handle:
      ({ factors }) =>
      async ({ who, params, body, caller }) => {
        const renamed = await renameOwnFactor(
          factors,
          who,
          { id: params.id, name: body.name },
          caller,
        )
        return renamed.ok ? answerJson(204, undefined) : problemFor(renamed)
      },
  }),
  defineRoute({
    ...about,
    id: 'removeFactor',
    method: 'DELETE',
    path: '/auth/factors/{id}',
    summary: 'Remove one of your factors',
    description:
      'Ends all other sessions. The recovery codes go with the last factor. Needs a recent sign-in.',
    gate: loggedIn,
    revokes: true,
    params: factorId,
    answers: removedAnswers,
    refusals: [...STALE, 'not_found'],
    handle:
      (services) =>
      async ({ who, params, caller }) => {
        const done = await removeOwnFactor(services.factors, who, params.id, caller)
        return done.ok ? answerRemoved(services, who, done) : problemFor(done)
      },
  }),
  defineRoute({
    ...about,
    id: 'listTrustedDevices',
    method: 'GET',
    path: '/auth/devices',
    summary: 'List the browsers that are not asked for a second factor',
    description: 'The newest first.',
    gate: loggedInReader,
    answers: () => [
      {
        status: 200,
        description: 'The remembered browsers.',
        media: 'application/json',
        schema: deviceList(),
        example: { devices: [] },
      },
    ],
    handle:
      ({ sessions }) =>
      async ({ who }) => {
        const devices = await sessions.store.factors.trusted(who.state.account.id)
        const describe = await loadDescribeDevice()
        return answerJson(200, {
          devices: devices.map(({ userAgent, address, createdAt, expiresAt }) => ({
            device: describe(userAgent),
            address,
            created_at: toSec(createdAt),
            expires_at: toSec(expiresAt),
          })),
        })
      },
  }),
  defineRoute({
    ...about,
    id: 'forgetTrustedDevices',
    method: 'DELETE',
    path: '/auth/devices',
    summary: 'Forget all remembered browsers',
    description: 'Each of them is asked for a second factor at its next login.',
    gate: loggedIn,
    answers: () => [{ status: 204, description: 'Forgotten.' }],
    handle:
      ({ sessions }) =>
      async ({ who, caller }) => {
        const { id } = who.state.account
        await sessions.store.factors.forgetDevices(id, auditContextOf(sessions, id, caller))
        return answerJson(204, undefined, [who.cookies.clear('trusted')])
      },
  }),
]

function toSec(ms: number): number {
  return Math.floor(ms / 1000)
}
