import { z } from 'zod'

import type { ApiRoute } from '../../router/define.ts'
import { anyone } from '../../router/gate.ts'
import { PAGE, defineHtmlForm, defineHtmlPage } from '../../router/html-page.ts'
import { lazy } from '../../router/lazy.ts'
import { FACTOR_REFUSALS } from '../../factors/answers.ts'
import { NEW_PASSWORD_REFUSALS } from '../../account/password-refusals.ts'
import { plainSignUpPages, withPages } from '../features.ts'
import { ownForm } from '../gate.ts'
import { optionsAnswers } from '../options-answers.ts'
import { factorName, lang, methodFields, returnTo } from '../parameters.ts'
import { showSecond, submitSecond } from './second-factor.ts'
import {
  PASSKEY_PATH,
  PASSKEY_REFUSALS,
  SIGN_IN_REFUSALS,
  showSignIn,
  submitPasskey,
  submitSignIn,
} from './sign-in-page.ts'
import { SIGN_UP_PATH, showSignUp, submitSignUp } from './sign-up-page.ts'
import { SECOND_PATH } from './waiting.ts'

const about = { tag: 'Account pages', path: '/sign-in', feature: withPages } as const

const tenant = z.string().optional().meta({ description: 'The name of the tenant to log in to.' })

const query = lazy(() =>
  z.object({
    return_to: returnTo,
    tenant,
    lang,
    other: z
      .string()
      .optional()
      .meta({ description: 'With any value, the page shows the form to a signed-in person too.' }),
    done: z.string().optional().meta({ description: 'What a page before has done.' }),
  }),
)

const fields = lazy(() =>
  z.object({
    username: z.string().optional().meta({ description: 'The username or the verified address.' }),
    current_password: z.string().optional().meta({ description: 'The password.' }),
    return_to: returnTo,
    tenant,
  }),
)

const text = (description: string) => z.string().optional().meta({ description })

const passkeyFields = lazy(() =>
  z.object({
    challenge: text('The id of the challenge.'),
    response: text('The credential that the browser returned, as JSON.'),
    options: text('With any value, the answer is the options for the browser.'),
    return_to: returnTo,
    tenant,
  }),
)

const secondAbout = { tag: 'Account pages', path: SECOND_PATH, feature: withPages } as const

const secondQuery = lazy(() =>
  z.object({
    lang,
    return_to: returnTo,
    method: text('The way that the page shows.'),
    challenge: text('The id of the challenge of a mailed code, or of an app that is being set up.'),
  }),
)

const secondFields = lazy(() =>
  z.object({
    ...methodFields(),
    login: text('Which sign-in the form is for.'),
    remember: text('With any value, the browser is remembered, if the settings allow it.'),
    begin: text('With any value, the enrolment of an authenticator app begins.'),
    factor_name: factorName(),
    return_to: returnTo,
  }),
)

const signUpAbout = {
  tag: 'Account pages',
  path: SIGN_UP_PATH,
  feature: plainSignUpPages,
} as const

const signUpQuery = lazy(() => z.object({ lang, return_to: returnTo }))

const signUpFields = lazy(() =>
  z.object({
    new_username: z.string().optional().meta({ description: 'The username.' }),
    password: z.string().optional().meta({ description: 'The password.' }),
    return_to: returnTo,
  }),
)

/** The sign-in page, and the page of a sign-up without a mail. */
export const signInRoutes: readonly ApiRoute[] = [
  defineHtmlPage({
    ...about,
    id: 'showSignInPage',
    summary: 'Show the form for a sign-in',
    description:
      'Applications link to it: `/sign-in?return_to=https://app.example.com/inbox`. For a person who is signed in, it shows who that is, and leads on.',
    gate: anyone,
    query,
    refusals: [],
    render: showSignIn,
  }),
  defineHtmlForm({
    ...about,
    id: 'submitSignInPage',
    summary: 'Sign in with a password',
    description:
      'The form of the page. It sets the same cookies as `POST /auth/login`. After a mistake, the answer is the page with the form.',
    gate: ownForm,
    query,
    fields,
    example: { username: 'alice', current_password: 'correct horse battery' },
    hashes: true,
    answers: [
      PAGE,
      { status: 303, description: 'Signed in. `Location` is where the person goes on.' },
    ],
    refusals: SIGN_IN_REFUSALS,
    submit: submitSignIn,
  }),
  defineHtmlForm({
    tag: 'Account pages',
    path: PASSKEY_PATH,
    feature: withPages,
    id: 'submitPasskeySignInPage',
    summary: 'Sign in with a passkey',
    description:
      'The form that the script of the sign-in page sends. With `options`, the answer is JSON: the challenge and the options for the browser.',
    gate: ownForm,
    query,
    fields: passkeyFields,
    example: { challenge: '8Lr0jlbXlTn3vN0xkKqYIw', response: '{"id":"..."}' },
    hashes: false,
    answers: [
      PAGE,
      { status: 303, description: 'Signed in. `Location` is where the person goes on.' },
      ...optionsAnswers(),
    ],
    refusals: PASSKEY_REFUSALS,
    submit: submitPasskey,
  }),
  defineHtmlPage({
    ...secondAbout,
    id: 'showSecondFactorPage',
    summary: 'Show the second step of a sign-in',
    description:
      'For the sign-in that waits in this browser. It asks for the second factor, or for the enrolment of one. Without such a sign-in, the answer leads to the sign-in page.',
    gate: anyone,
    query: secondQuery,
    refusals: [],
    answers: [
      PAGE,
      { status: 303, description: 'No sign-in waits. `Location` is the sign-in page.' },
    ],
    render: showSecond,
  }),
  defineHtmlForm({
    ...secondAbout,
    id: 'submitSecondFactorPage',
    summary: 'Complete a sign-in with its second factor',
    description:
      'The forms of the page. The ticket of the sign-in is in a cookie. After an enrolment, the answer is the page with the recovery codes. With `options`, the answer is JSON: the challenge and the options for the browser.',
    gate: ownForm,
    query: secondQuery,
    fields: secondFields,
    example: { login: 'xXm4Sx5UuTW8TgS2dSkhFQ', method: 'totp', totp: '123456' },
    hashes: false,
    answers: [
      PAGE,
      { status: 303, description: 'Signed in. `Location` is where the person goes on.' },
      ...optionsAnswers(),
    ],
    refusals: ['tenant_forbidden', 'passkey_taken', 'factors_full', ...FACTOR_REFUSALS],
    submit: submitSecond,
  }),
  defineHtmlPage({
    ...signUpAbout,
    id: 'showPlainSignUpPage',
    summary: 'Show the form for a sign-up without a mail',
    description: 'A form.',
    gate: anyone,
    query: signUpQuery,
    refusals: [],
    render: showSignUp,
  }),
  defineHtmlForm({
    ...signUpAbout,
    id: 'submitPlainSignUpPage',
    summary: 'Sign up with a username',
    description:
      'The form of the page. Each attempt counts against the throttle of the address. The person logs in afterwards.',
    gate: ownForm,
    query: signUpQuery,
    fields: signUpFields,
    example: { new_username: 'carol', password: 'staple and no donkey' },
    hashes: true,
    answers: [{ status: 303, description: 'Done. `Location` is the sign-in page.' }],
    refusals: [
      'username_invalid',
      'username_confusable',
      'username_too_long',
      'username_taken',
      ...NEW_PASSWORD_REFUSALS,
      'throttled',
    ],
    submit: submitSignUp,
  }),
]
