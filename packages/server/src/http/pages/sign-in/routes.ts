import { z } from 'zod'

import type { ApiRoute } from '../../router/define.ts'
import { anyone } from '../../router/gate.ts'
import { PAGE, defineHtmlForm, defineHtmlPage } from '../../router/html-page.ts'
import { lazy } from '../../router/lazy.ts'
import { NEW_PASSWORD_REFUSALS } from '../../account/password-refusals.ts'
import { plainSignUpPages, withPages } from '../features.ts'
import { ownForm } from '../gate.ts'
import { lang, returnTo } from '../parameters.ts'
import { SIGN_IN_REFUSALS, showSignIn, submitSignIn } from './sign-in-page.ts'
import { SIGN_UP_PATH, showSignUp, submitSignUp } from './sign-up-page.ts'

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
