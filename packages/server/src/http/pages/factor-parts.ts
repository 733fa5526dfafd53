import { html } from 'hono/html'

import type { TotpSetup } from '../../factors/totp.ts'
import type { Refusal } from '../../sessions/services.ts'
import type { PasskeyAsked } from '../../with-factors/passkeys.ts'
import type { StepUpMethod } from '../../with-factors/step-up.ts'
import { answerJson, withCookies } from '../browser/session-answers.ts'
import { problemFor } from '../problem.ts'
import type { FieldName, Messages } from './catalogue/messages.ts'
import {
  buttonLink,
  field,
  form,
  linkList,
  noScripts,
  notice,
  paragraph,
  passkeyForm,
} from './components.ts'
import type { Html } from './layout.ts'
import { wordsFor } from './proof-page.ts'

/** One way to prove who somebody is, as a part of a page: at a sign-in, or to confirm a change. */
export interface MethodView {
  readonly messages: Messages
  readonly action: string
  readonly hidden: Readonly<Record<string, string | undefined>>
  readonly method: StepUpMethod
  /** The challenge of a mailed code. Undefined: no mail was sent yet. */
  readonly challenge?: string | undefined
  readonly refusal?: Refusal | undefined
  /** More fields of the form. */
  readonly more?: readonly Html[]
}

const FIELDS = {
  totp: 'totp',
  recovery_code: 'recovery_code',
  mail: 'code',
  password: 'current_password',
} as const satisfies Readonly<Record<Exclude<StepUpMethod, 'passkey'>, FieldName>>

/** The fields of the forms for a proof. */
export interface MethodBody {
  readonly method?: string | undefined
  readonly totp?: string | undefined
  readonly recovery_code?: string | undefined
  readonly code?: string | undefined
  readonly current_password?: string | undefined
  readonly challenge?: string | undefined
  readonly response?: string | undefined
  /** With any value, a mail with a code is sent. */
  readonly send?: string | undefined
  /** With any value, the answer is the options of a passkey, for the script of the pages. */
  readonly options?: string | undefined
}

/** Returns the code or password that a form has sent for a method. Undefined if it is empty. */
export function sentFor(method: StepUpMethod, body: MethodBody): string | undefined {
  const sent = method === 'passkey' ? body.response : body[FIELDS[method]]
  return sent === '' ? undefined : sent
}

/** Renders the form for one way, and what to do after a mistake. */
export function methodParts(view: MethodView): readonly Html[] {
  const { messages, method, action, hidden, refusal, more = [] } = view
  const { methods, needScripts } = messages.factors
  const lead = method === 'password' ? messages.factors.confirm.password : methods[method].lead
  const error = refusal && wordsOf(messages, refusal)
  const isOfField = refusal !== undefined && OF_FIELD.has(refusal.code) && method !== 'passkey'
  const above = [
    ...(error === undefined || isOfField ? [] : [notice(error, { isError: true })]),
    paragraph(lead),
  ]
  if (method === 'passkey') {
    const { button } = methods.passkey
    const parts = { kind: 'get', hidden: { ...hidden, method }, fields: more, button } as const
    return [...above, noScripts(needScripts), passkeyForm(action, { ...parts, messages })]
  }
  if (method === 'mail' && view.challenge === undefined) return [...above, mailForm(view, false)]
  const { challenge } = view
  return [
    ...above,
    form(action, {
      hidden: { ...hidden, method, challenge },
      fields: [
        field(FIELDS[method], messages, {
          isFirst: refusal === undefined,
          error: isOfField ? error : undefined,
          ...(method === 'password' ? { label: messages.signIn.password } : {}),
        }),
        ...more,
      ],
      button: method === 'password' ? messages.factors.confirm.button : methods[method].button,
    }),
    ...(method === 'mail' ? [mailForm(view, true)] : []),
  ]
}

/** The second button of a page that has a passkey, and the links to the other ways. */
export function otherMethods(
  { messages, method, action, hidden }: MethodView,
  methods: readonly StepUpMethod[],
  pathFor: (method: StepUpMethod) => string,
): readonly Html[] {
  const { methods: words } = messages.factors
  const hasPasskey = method !== 'passkey' && methods.includes('passkey')
  const others = methods.filter((each) => each !== method && each !== 'passkey')
  const links = others.map((each) => {
    const text = each === 'password' ? messages.signIn.password : words[each].choose
    return [pathFor(each), text] as const
  })
  return [
    ...(hasPasskey
      ? [
          passkeyForm(action, {
            kind: 'get',
            hidden: { ...hidden, method: 'passkey' },
            fields: [],
            button: words.passkey.button,
            tone: 'plain',
            messages,
          }),
        ]
      : []),
    ...(links.length === 0 ? [] : [linkList(links)]),
  ]
}

/** The way that a page shows: the one that was asked for, otherwise the first that needs no scripts, if it can. */
export function shownMethod<Method extends StepUpMethod>(
  methods: readonly Method[],
  asked: string | undefined,
): Method | undefined {
  return (
    methods.find((each) => each === asked) ??
    methods.find((each) => each !== 'passkey' && each !== 'recovery_code') ??
    methods[0]
  )
}

/** The words of a refusal about a factor, with the time to wait. */
export function wordsOf(messages: Messages, { code, retryAfterSec }: Refusal): string {
  if (code === 'throttled' && retryAfterSec !== undefined) {
    return messages.factors.wait(Math.ceil(retryAfterSec / 60))
  }
  return code === 'credentials_invalid' ? messages.account.wrongPassword : wordsFor(messages, code)
}

/** The QR code of an app, and its secret as text. */
export function appParts({ factors: { app } }: Messages, { qr, secret }: TotpSetup): Html {
  const image = `data:image/svg+xml;base64,${Buffer.from(qr).toString('base64')}`
  return html`<p>${app.scan}</p>
    <img class="qr" src="${image}" alt="${app.qr}" width="208" height="208" />
    <p class="soft">${app.secret}</p>
    <pre>${secret.replaceAll(/.{4}(?=.)/g, '$& ')}</pre>`
}

/** New recovery codes, which are shown once, and the link with which the person goes on. */
export function codesParts(
  { factors: { codes } }: Messages,
  list: readonly string[],
  next: string,
): readonly Html[] {
  return [
    paragraph(codes.shownLead),
    html`<pre aria-label="${codes.label}" role="group" tabindex="0">${list.join('\n')}</pre>`,
    html`<button type="button" class="plain" hidden data-copy="${codes.copied}">
      ${codes.copy}
    </button>`,
    buttonLink(next, codes.stored),
  ]
}

/** Answers the script with the options of a passkey. */
export function answerOptions(
  asked: PasskeyAsked<unknown> | Refusal,
  cookies: readonly string[] = [],
): Response {
  if (!asked.ok) return withCookies(problemFor(asked), cookies)
  const { challenge, options } = asked
  return answerJson(200, { challenge, options }, cookies)
}

const OF_FIELD: ReadonlySet<string> = new Set([
  'factor_wrong',
  'credentials_invalid',
  'fields_invalid',
])

function mailForm({ messages, action, hidden }: MethodView, isAgain: boolean): Html {
  const { sendMail, sendAgain } = messages.factors
  return form(action, {
    hidden: { ...hidden, method: 'mail', send: '1' },
    fields: [],
    button: isAgain ? sendAgain : sendMail,
    ...(isAgain ? { tone: 'plain' } : {}),
  })
}
