import { z } from 'zod'

import { NEW_PASSWORD_REFUSALS } from '../account/password-refusals.ts'
import { CODE_REFUSALS } from '../by-mail/answers.ts'
import type { ApiRoute } from '../router/define.ts'
import { anyone } from '../router/gate.ts'
import { PAGE, defineHtmlForm, defineHtmlPage, type HtmlFormSpec } from '../router/html-page.ts'
import { lazy } from '../router/lazy.ts'
import type { Answer } from '../router/route.ts'
import {
  forgotFlow,
  logInStartFlow,
  showAsk,
  signUpStartFlow,
  submitAsk,
  type AskFlow,
} from './ask-flows.ts'
import { mailLoginPages, mailPages, signUpPages } from './features.ts'
import { ownForm } from './gate.ts'
import { showInvite, submitInvite } from './invite-page.ts'
import { logInFlow, resetFlow, signUpFlow, verifyFlow, type ProofFlow } from './proof-flows.ts'
import { lang, returnTo } from './parameters.ts'
import { showProof, submitProof, type PageQuery } from './proof-handlers.ts'
import { accountPageRoutes } from './account/routes.ts'
import { assetRoutes } from './look/assets.ts'
import { signInRoutes } from './sign-in/routes.ts'

type Spec = HtmlFormSpec<undefined, PageQuery, unknown>

const pageQuery = lazy(() => z.object({ lang, return_to: returnTo }))

const linkQuery = lazy(() =>
  z.object({ link: z.string().optional().meta({ description: 'The secret of the link.' }), lang }),
)

const proofFields = lazy(() =>
  z.object({
    link: z.string().optional().meta({ description: 'The secret of the link.' }),
    code: z.string().optional().meta({ description: 'The code from the mail.' }),
    password: z.string().optional().meta({ description: 'The new password.' }),
  }),
)

const askFields = lazy(() =>
  z.object({
    email: z.string().optional().meta({ description: 'The address of the account.' }),
    password: z.string().optional().meta({ description: 'The password of a sign-up.' }),
    return_to: returnTo,
  }),
)

const LINK = 'xXm4Sx5UuTW8TgS2dSkhFQ.4Hq7tCr0Jp9f2ZbVvE1sYw'

const REDIRECT = { status: 303, description: 'Done. `Location` is the next page.' } as const

interface Words extends Pick<Spec, 'feature' | 'refusals'> {
  /** The ids of the two rows end with it. */
  readonly id: string
  readonly hashes: boolean
  readonly show: string
  readonly submit: string
  readonly done: readonly Answer[]
}

function proofRows(flow: ProofFlow, { id, show, submit, done, ...about }: Words): ApiRoute[] {
  const row = {
    tag: 'Account pages',
    path: `/auth/account/${flow.page}`,
    query: linkQuery,
  } as const
  return [
    defineHtmlPage({
      ...row,
      id: `show${id}`,
      summary: show,
      description:
        'The page behind the link of a mail. It uses nothing up, because programs open links. Without a link, it is the page on which people type the code.',
      feature: about.feature,
      refusals: ['code_void'],
      gate: anyone,
      render: (services, input) => showProof(flow, services, input),
    }),
    defineHtmlForm({
      ...row,
      ...about,
      id: `submit${id}`,
      summary: submit,
      description:
        'The form of the page. It needs the ticket cookie of the browser that asked for the mail, otherwise the code. After a mistake, the answer is the page with the form.',
      gate: ownForm,
      fields: proofFields,
      example: { link: LINK, code: 'WDJB-MJHT' },
      answers: done,
      submit: (services, input) => submitProof(flow, services, input),
    }),
  ]
}

function askRows(flow: AskFlow, { id, show, submit, ...about }: Omit<Words, 'done'>): ApiRoute[] {
  const row = { tag: 'Account pages', path: flow.path, query: pageQuery } as const
  return [
    defineHtmlPage({
      ...row,
      id: `show${id}`,
      summary: show,
      description: 'A form.',
      feature: about.feature,
      refusals: [],
      gate: anyone,
      render: async (services, input) => showAsk(flow, services, input),
    }),
    defineHtmlForm({
      ...row,
      ...about,
      id: `submit${id}`,
      summary: submit,
      description:
        'The form of the page. The answer sets the ticket cookie and is the same whether or not an account has the address.',
      gate: ownForm,
      fields: askFields,
      example: { email: 'alice@example.com' },
      answers: [REDIRECT],
      submit: (services, input) => submitAsk(flow, services, input),
    }),
  ]
}

/** All pages for people. */
export const pageRoutes: readonly ApiRoute[] = [
  ...signInRoutes,
  ...assetRoutes,
  ...accountPageRoutes,
  ...askRows(forgotFlow, {
    id: 'ForgotPage',
    show: 'Show the form for a forgotten password',
    submit: 'Ask for a mail that resets the password',
    feature: mailPages,
    hashes: false,
    refusals: ['email_invalid', 'throttled'],
  }),
  ...proofRows(resetFlow, {
    id: 'ResetPage',
    show: 'Show the form for a new password',
    submit: 'Set a new password',
    feature: mailPages,
    hashes: true,
    refusals: [...CODE_REFUSALS, ...NEW_PASSWORD_REFUSALS, 'password_required'],
    done: [PAGE],
  }),
  ...askRows(signUpStartFlow, {
    id: 'SignUpStartPage',
    show: 'Show the form for a sign-up',
    submit: 'Sign up with an address',
    feature: signUpPages,
    hashes: true,
    refusals: [
      'email_invalid',
      'username_invalid',
      'username_confusable',
      'username_too_long',
      ...NEW_PASSWORD_REFUSALS,
      'throttled',
    ],
  }),
  ...proofRows(signUpFlow, {
    id: 'SignUpPage',
    show: 'Show the form that finishes a sign-up',
    submit: 'Finish a sign-up',
    feature: signUpPages,
    hashes: true,
    refusals: [...CODE_REFUSALS, ...NEW_PASSWORD_REFUSALS, 'password_required', 'username_taken'],
    done: [PAGE],
  }),
  ...proofRows(verifyFlow, {
    id: 'VerifyPage',
    show: 'Show the button that verifies an address',
    submit: 'Verify an address',
    feature: mailPages,
    hashes: false,
    refusals: [...CODE_REFUSALS, 'code_elsewhere', 'email_taken'],
    done: [PAGE],
  }),
  ...askRows(logInStartFlow, {
    id: 'LogInStartPage',
    show: 'Show the form for a login by mail',
    submit: 'Ask for a mail that logs in',
    feature: mailLoginPages,
    hashes: false,
    refusals: ['email_invalid', 'throttled'],
  }),
  defineHtmlPage({
    tag: 'Account pages',
    path: '/auth/account/invite',
    query: linkQuery,
    id: 'showInvitePage',
    summary: 'Show the button that accepts an invitation',
    description:
      'The page behind the link of an invitation. It uses nothing up. Without a link, people type the code.',
    feature: mailPages,
    refusals: [],
    gate: anyone,
    render: async (services, input) => showInvite(services, input),
  }),
  defineHtmlForm({
    tag: 'Account pages',
    path: '/auth/account/invite',
    query: linkQuery,
    id: 'submitInvitePage',
    summary: 'Accept an invitation',
    description:
      'The form of the page. It needs the session of this browser, whose account has verified the invited address. Without a session, the answer is a page that says so.',
    gate: ownForm,
    feature: mailPages,
    hashes: false,
    fields: proofFields,
    example: { link: LINK },
    answers: [PAGE, { status: 401, description: 'Nobody is logged in.', media: 'text/html' }],
    refusals: [
      'email_unverified',
      'invitation_void',
      'invitation_for_another',
      'code_wrong',
      'roles_invalid',
      'tenant_disabled',
      'throttled',
    ],
    submit: (services, input) => submitInvite(services, input),
  }),
  ...proofRows(logInFlow, {
    id: 'LogInPage',
    show: 'Show the button that logs in',
    submit: 'Log in with a mailed link or code',
    feature: mailLoginPages,
    hashes: false,
    refusals: [...CODE_REFUSALS, 'credentials_invalid', 'tenant_forbidden'],
    done: [REDIRECT],
  }),
]
