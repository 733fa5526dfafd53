import { z } from 'zod'

import type { RefusalCode } from '../../../base/refusals.ts'
import { FACTOR_REFUSALS } from '../../factors/answers.ts'
import { NEW_PASSWORD_REFUSALS } from '../../account/password-refusals.ts'
import type { ApiRoute, Input } from '../../router/define.ts'
import { PAGE, defineHtmlForm, defineHtmlPage } from '../../router/html-page.ts'
import { lazy } from '../../router/lazy.ts'
import type { Answer, Feature } from '../../router/route.ts'
import type { HttpServices } from '../../services.ts'
import { mailPages, ownAccountPages, ssoPages, withPages } from '../features.ts'
import { upstreamPages } from '../../upstream/features.ts'
import { formWithSession, pageWithSession } from '../gate.ts'
import { optionsAnswers } from '../options-answers.ts'
import { factorName, lang, methodFields, returnTo } from '../parameters.ts'
import type { PageSession } from '../page-session.ts'
import { showActivity } from './activity.ts'
import { showApplications, submitApplications } from './applications.ts'
import { showAddress, submitAddress, submitVerification } from './address.ts'
import {
  showApp,
  showCodes,
  showPasskey,
  submitApp,
  submitCodes,
  submitPasskey,
} from './add-factor.ts'
import { showConfirm, submitConfirm } from './confirm.ts'
import {
  showDelete,
  showPassword,
  showUsername,
  submitDelete,
  submitExport,
  submitPassword,
  submitUsername,
} from './credentials.ts'
import { showFactor, submitFactor } from './factor.ts'
import { showFactors, submitFactors } from './factors.ts'
import type { AccountQuery } from './frame.ts'
import { showIdentities, submitIdentities } from './identities.ts'
import { showOverview, signOut } from './overview.ts'
import { showDue, showReview } from './review.ts'
import { showSessions, submitSessions } from './sessions.ts'
import { showChoice, showTenants, submitChoice, submitTenants } from './tenants.ts'

const TAG = 'Account pages'

const query = lazy(() =>
  z.object({
    lang,
    return_to: returnTo,
    done: z
      .string()
      .optional()
      .meta({ description: 'The result of the form that was sent before.' }),
    id: z.string().optional().meta({ description: 'The id of a factor.' }),
    method: z.string().optional().meta({ description: 'The way to confirm who you are.' }),
    challenge: z.string().optional().meta({ description: 'The id of a challenge.' }),
    before: z.string().optional().meta({ description: 'Shows activity before this line.' }),
  }),
)

const text = (description: string) => z.string().optional().meta({ description })

const csrf = text('The CSRF token of the session, from the page with the form.')

const fields = lazy(() =>
  z.object({
    csrf,
    new_username: text('The new username.'),
    current_password: text('The current password.'),
    password: text('The new password.'),
    email: text('The new address.'),
  }),
)

const sessionFields = lazy(() =>
  z.object({ csrf, end: text('The id of a session, `others` or `all`.') }),
)

const applicationFields = lazy(() =>
  z.object({ csrf, revoke: text('The id of the application that loses its access.') }),
)

const tenantFields = lazy(() =>
  z.object({
    csrf,
    tenant: text('The name of the tenant to change to.'),
    none: text('With any value, the session leaves its tenant.'),
    accept: text('The id of an invitation.'),
    decline: text('The id of an invitation.'),
    return_to: returnTo,
  }),
)

const factorsFields = lazy(() =>
  z.object({ csrf, forget: text('With any value, all remembered browsers are forgotten.') }),
)

const factorFields = lazy(() =>
  z.object({
    csrf,
    id: text('The id of the factor.'),
    factor_name: factorName(),
    remove: text('With any value, the factor is removed.'),
  }),
)

const identitiesFields = lazy(() =>
  z.object({
    csrf,
    add: text('The name of a provider, to link an identity.'),
    remove: text('The id of an identity.'),
  }),
)

const addFields = lazy(() =>
  z.object({
    csrf,
    begin: text('With any value, the enrolment of an app begins.'),
    options: text('With any value, the answer is the options of a passkey, as JSON.'),
    challenge: text('The id of the challenge.'),
    totp: text('The six digits that the app shows.'),
    response: text('The credential that the browser made, as JSON.'),
    factor_name: factorName(),
  }),
)

const confirmFields = lazy(() =>
  z.object({
    ...methodFields(),
    csrf,
    current_password: text('For `password`: the current password.'),
    return_to: returnTo,
  }),
)

const TO_SIGN_IN: Answer = {
  status: 303,
  description: 'There is no session. `Location` is the sign-in page.',
}

const DONE: Answer = { status: 303, description: 'Done. `Location` is the next page.' }

interface ShowSpec {
  readonly id: string
  readonly path: string
  readonly summary: string
  readonly feature: Feature
  readonly render: (
    services: HttpServices,
    input: Input<PageSession, undefined, AccountQuery, undefined>,
  ) => Promise<Response>
}

function page({ id, path, ...about }: ShowSpec): ApiRoute {
  return defineHtmlPage({
    ...about,
    tag: TAG,
    id: `show${id}Page`,
    path: `/auth/account${path}`,
    description:
      'For the session in the cookies. If the access token has expired, it is refreshed.',
    gate: pageWithSession,
    query,
    refusals: [],
    answers: [PAGE, TO_SIGN_IN],
  })
}

interface SubmitSpec<Body> extends Omit<ShowSpec, 'render'> {
  readonly fields: () => z.ZodType<Body>
  readonly example: Readonly<Record<string, string>>
  readonly refusals?: readonly RefusalCode[]
  readonly hashes?: boolean
  readonly answers?: readonly Answer[]
  readonly submit: (
    services: HttpServices,
    input: Input<PageSession, undefined, AccountQuery, Body>,
  ) => Promise<Response>
}

function action<Body extends { readonly csrf?: string | undefined }>({
  id,
  path,
  example,
  refusals = [],
  hashes = false,
  answers = [DONE],
  ...about
}: SubmitSpec<Body>): ApiRoute {
  return defineHtmlForm<PageSession, AccountQuery, Body>({
    ...about,
    tag: TAG,
    id: `submit${id}Page`,
    path: `/auth/account${path}`,
    description:
      'A form of the account pages. After a mistake, the answer is the page with the form. Without a session, it is the sign-in page.',
    gate: formWithSession,
    query,
    example: { csrf: 'wJbZ6d3yT0m1mFhX5iYxg5oT2y3m6m6fN8Qk2J5b9kE', ...example },
    hashes,
    // The session can end while the form is handled.
    refusals: ['session_ended', ...refusals],
    answers,
  })
}

/** The pages on which people manage their own account. */
export const accountPageRoutes: readonly ApiRoute[] = [
  page({
    id: 'Account',
    path: '',
    summary: 'Show your account',
    feature: withPages,
    render: showOverview,
  }),
  action({
    id: 'SignOut',
    path: '/sign-out',
    summary: 'Log out on the account page',
    feature: withPages,
    fields,
    example: {},
    submit: signOut,
  }),
  page({
    id: 'Username',
    path: '/username',
    summary: 'Show the form for a new username',
    feature: ownAccountPages,
    render: showUsername,
  }),
  action({
    id: 'Username',
    path: '/username',
    summary: 'Change your username on the account page',
    feature: ownAccountPages,
    fields,
    example: { new_username: 'alicia' },
    refusals: ['username_invalid', 'username_confusable', 'username_too_long', 'username_taken'],
    submit: submitUsername,
  }),
  page({
    id: 'Password',
    path: '/password',
    summary: 'Show the form for another password',
    feature: ownAccountPages,
    render: showPassword,
  }),
  action({
    id: 'Password',
    path: '/password',
    summary: 'Change your password on the account page',
    feature: ownAccountPages,
    fields,
    example: { current_password: 'correct horse battery', password: 'staple and no donkey' },
    refusals: ['credentials_invalid', ...NEW_PASSWORD_REFUSALS, 'throttled'],
    hashes: true,
    submit: submitPassword,
  }),
  page({
    id: 'Address',
    path: '/address',
    summary: 'Show your address',
    feature: mailPages,
    render: showAddress,
  }),
  action({
    id: 'Address',
    path: '/address',
    summary: 'Ask for a mail that changes your address',
    feature: mailPages,
    fields,
    example: { email: 'alice@example.org', current_password: 'correct horse battery' },
    refusals: ['email_invalid', 'credentials_invalid', 'throttled', 'password_queue_full'],
    hashes: true,
    submit: submitAddress,
  }),
  action({
    id: 'AddressVerification',
    path: '/address/verify',
    summary: 'Ask for a mail that verifies your address',
    feature: mailPages,
    fields,
    example: {},
    refusals: ['email_missing', 'throttled'],
    submit: submitVerification,
  }),
  page({
    id: 'Factors',
    path: '/factors',
    summary: 'Show your second factors',
    feature: withPages,
    render: showFactors,
  }),
  action({
    id: 'Factors',
    path: '/factors',
    summary: 'Forget remembered browsers on the account page',
    feature: withPages,
    fields: factorsFields,
    example: { forget: '1' },
    answers: [PAGE, DONE],
    submit: submitFactors,
  }),
  page({
    id: 'Factor',
    path: '/factor',
    summary: 'Show one of your second factors',
    feature: withPages,
    render: showFactor,
  }),
  action({
    id: 'Factor',
    path: '/factor',
    summary: 'Rename or remove a second factor on the account page',
    feature: withPages,
    fields: factorFields,
    example: { id: 'fac_0rZ2Rk0tQnq3b1bIY2Tq6g', factor_name: 'Phone' },
    answers: [PAGE, DONE],
    refusals: ['fields_invalid'],
    submit: submitFactor,
  }),
  page({
    id: 'App',
    path: '/app',
    summary: 'Show the form for an authenticator app',
    feature: withPages,
    render: showApp,
  }),
  action({
    id: 'App',
    path: '/app',
    summary: 'Add an authenticator app on the account page',
    feature: withPages,
    fields: addFields,
    example: { challenge: '8Lr0jlbXlTn3vN0xkKqYIw', totp: '123456' },
    answers: [PAGE, DONE],
    refusals: FACTOR_REFUSALS,
    submit: submitApp,
  }),
  page({
    id: 'Passkey',
    path: '/passkey',
    summary: 'Show the form for a passkey',
    feature: withPages,
    render: showPasskey,
  }),
  action({
    id: 'Passkey',
    path: '/passkey',
    summary: 'Add a passkey on the account page',
    feature: withPages,
    fields: addFields,
    example: { challenge: '8Lr0jlbXlTn3vN0xkKqYIw', response: '{"id":"..."}' },
    answers: [PAGE, DONE, ...optionsAnswers()],
    refusals: ['passkey_taken', 'factors_full', ...FACTOR_REFUSALS],
    submit: submitPasskey,
  }),
  page({
    id: 'RecoveryCodes',
    path: '/recovery-codes',
    summary: 'Show the button for new recovery codes',
    feature: withPages,
    render: showCodes,
  }),
  action({
    id: 'RecoveryCodes',
    path: '/recovery-codes',
    summary: 'Make new recovery codes on the account page',
    feature: withPages,
    fields: addFields,
    example: {},
    answers: [PAGE, DONE],
    refusals: ['factor_unavailable'],
    submit: submitCodes,
  }),
  page({
    id: 'Confirm',
    path: '/confirm',
    summary: 'Show how you can confirm who you are',
    feature: withPages,
    render: showConfirm,
  }),
  action({
    id: 'Confirm',
    path: '/confirm',
    summary: 'Confirm who you are on the account page',
    feature: withPages,
    fields: confirmFields,
    example: { method: 'totp', totp: '123456', return_to: '/auth/account/factors' },
    answers: [PAGE, DONE, ...optionsAnswers()],
    refusals: ['credentials_invalid', 'password_queue_full', ...FACTOR_REFUSALS],
    hashes: true,
    submit: submitConfirm,
  }),
  page({
    id: 'Review',
    path: '/review',
    summary: 'Show what can log in to your account, after a reset of the password',
    feature: withPages,
    render: showReview,
  }),
  page({
    id: 'Due',
    path: '/due',
    summary: 'Show by when you need a second factor',
    feature: withPages,
    render: showDue,
  }),
  page({
    id: 'Identities',
    path: '/identities',
    summary: 'Show the identities that can log in to your account',
    feature: upstreamPages,
    render: showIdentities,
  }),
  action({
    id: 'Identities',
    path: '/identities',
    summary: 'Link or remove an identity on the account page',
    feature: upstreamPages,
    fields: identitiesFields,
    example: { add: 'google' },
    refusals: [
      'insufficient_user_authentication',
      'identity_last',
      'upstream_unavailable',
      'challenge_void',
    ],
    answers: [PAGE, DONE],
    submit: submitIdentities,
  }),
  page({
    id: 'Sessions',
    path: '/sessions',
    summary: 'Show your sessions as devices',
    feature: withPages,
    render: showSessions,
  }),
  action({
    id: 'Sessions',
    path: '/sessions',
    summary: 'End sessions on the account page',
    feature: withPages,
    fields: sessionFields,
    example: { end: 'others' },
    refusals: ['throttled'],
    submit: submitSessions,
  }),
  page({
    id: 'Applications',
    path: '/applications',
    summary: 'Show the applications that may use your account',
    feature: ssoPages,
    render: showApplications,
  }),
  action({
    id: 'Applications',
    path: '/applications',
    summary: 'Remove the access of an application on the account page',
    feature: ssoPages,
    fields: applicationFields,
    example: { revoke: 'app_0rZ2Rk0tQnq3b1bIY2Tq6g' },
    submit: submitApplications,
  }),
  page({
    id: 'Activity',
    path: '/activity',
    summary: 'Show what happened to your account',
    feature: withPages,
    render: showActivity,
  }),
  page({
    id: 'Tenants',
    path: '/tenants',
    summary: 'Show your tenants and invitations',
    feature: withPages,
    render: showTenants,
  }),
  action({
    id: 'Tenants',
    path: '/tenants',
    summary: 'Change the tenant, or answer an invitation',
    feature: withPages,
    fields: tenantFields,
    example: { tenant: 'acme' },
    refusals: ['tenant_forbidden', 'invitation_void', 'invitation_for_another', 'throttled'],
    submit: submitTenants,
  }),
  page({
    id: 'ChooseTenant',
    path: '/choose-tenant',
    summary: 'Show the tenants after a login',
    feature: withPages,
    render: showChoice,
  }),
  action({
    id: 'ChooseTenant',
    path: '/choose-tenant',
    summary: 'Choose a tenant after a login',
    feature: withPages,
    fields: tenantFields,
    example: { tenant: 'acme', return_to: 'https://app.example.com/inbox' },
    refusals: ['tenant_forbidden'],
    submit: submitChoice,
  }),
  page({
    id: 'Delete',
    path: '/delete',
    summary: 'Show the forms that save your data and delete your account',
    feature: ownAccountPages,
    render: showDelete,
  }),
  action({
    id: 'Delete',
    path: '/delete',
    summary: 'Delete your account on the account page',
    feature: ownAccountPages,
    fields,
    example: { current_password: 'correct horse battery' },
    refusals: ['credentials_invalid', 'throttled', 'password_queue_full'],
    hashes: true,
    submit: submitDelete,
  }),
  action({
    id: 'Export',
    path: '/export',
    summary: 'Save your data from the account page',
    feature: ownAccountPages,
    fields,
    example: {},
    answers: [
      { status: 200, description: 'The data, as a file.', media: 'application/json' },
      TO_SIGN_IN,
    ],
    submit: submitExport,
  }),
]
