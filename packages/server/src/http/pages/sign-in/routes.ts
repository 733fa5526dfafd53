import { z } from 'zod'

import type { ApiRoute } from '../../router/define.ts'
import { anyone } from '../../router/gate.ts'
import { PAGE, defineHtmlForm, defineHtmlPage } from '../../router/html-page.ts'
import { lazy } from '../../router/lazy.ts'
import { withPages } from '../features.ts'
import { ownForm } from '../gate.ts'
import { lang, returnTo } from '../parameters.ts'
import { SIGN_IN_REFUSALS, showSignIn, submitSignIn } from './sign-in-page.ts'

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

/** The sign-in page. */
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
]
