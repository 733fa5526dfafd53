import { html } from 'hono/html'

import type { FieldName, Messages } from './catalogue/messages.ts'
import type { Html } from './layout.ts'

/** A paragraph. */
export function paragraph(text: string): Html {
  return html`<p>${text}</p>`
}

/** The title of a part of a page. */
export function subtitle(text: string): Html {
  return html`<h2>${text}</h2>`
}

/** A link to another page, as a paragraph. */
export function linkTo(path: string, text: string): Html {
  return html`<p><a href="${path}">${text}</a></p>`
}

/** A link that looks like a button. */
export function buttonLink(path: string, text: string): Html {
  return html`<a class="button" href="${path}">${text}</a>`
}

/** Links to other pages, one on each line. Undefined ones are left out. */
export function linkList(
  links: readonly (readonly [path: string, text: string] | undefined)[],
): Html {
  const shown = links.filter((each) => each !== undefined)
  return html`<ul class="links">
    ${shown.map(([path, text]) => html`<li><a href="${path}">${text}</a></li>`)}
  </ul>`
}

/** A list of rows. */
export function rows(items: readonly Html[]): Html {
  return html`<ul class="rows">
    ${items.map((item) => html`<li>${item}</li>`)}
  </ul>`
}

/**
 * A message that stands out. An error has the focus when the page opens, so that screen readers read it, and the tab
 * key goes on to the form.
 */
export function notice(text: string, { isError }: { readonly isError: boolean }): Html {
  return isError
    ? html`<p class="notice bad" role="alert" tabindex="-1" autofocus>${text}</p>`
    : html`<p class="notice" role="status">${text}</p>`
}

/** A time, in UTC for browsers without scripts. The script of the pages shows it in the browser's time zone. */
export function time(atMs: number, language: string): Html {
  const date = new Date(atMs)
  const format = new Intl.DateTimeFormat(language, {
    dateStyle: 'medium',
    timeStyle: 'short',
    timeZone: 'UTC',
  })
  return html`<time datetime="${date.toISOString()}">${format.format(date)} UTC</time>`
}

/** A form. Forms never put their values into a URL. */
export function form(
  action: string,
  { hidden, fields, button, tone, isRepeatable }: FormParts,
): Html {
  return html`<form method="post" action="${action}" ${isRepeatable === true ? 'data-again' : ''}>
    ${hiddenFields(hidden)} ${fields}
    ${tone === undefined
      ? html`<button type="submit">${button}</button>`
      : html`<button type="submit" class="${tone}">${button}</button>`}
  </form>`
}

/**
 * A form that the script of the pages fills in with a passkey. Browsers without scripts do not show it. The script sends
 * the form with `options=1` first, and gets the options as JSON; then it sends the answer of the passkey as a form.
 */
export function passkeyForm(
  action: string,
  { hidden, fields, button, tone, kind, isOffered, messages: { factors } }: PasskeyFormParts,
): Html {
  return html`<form
    method="post"
    action="${action}"
    hidden
    data-passkey="${kind}"
    data-failed="${factors.passkeyFailed}"
    data-exists="${factors.passkeyExists}"
    ${isOffered === true ? 'data-offered' : ''}
  >
    ${hiddenFields({ ...hidden, challenge: '', response: '' })} ${fields}
    <button type="submit" class="${tone ?? ''}">${button}</button>
    <p class="error" role="alert"></p>
  </form>`
}

/** A paragraph for browsers that run no scripts. */
export function noScripts(text: string): Html {
  return html`<noscript><p>${text}</p></noscript>`
}

/** A checkbox with its text. */
export function checkbox(name: string, text: string): Html {
  return html`<label class="check"
    ><input type="checkbox" name="${name}" value="on" />${text}</label
  >`
}

/** Values for the script of the pages, as JSON in an attribute. */
export function dataFor(name: 'accepted' | 'unknown', value: unknown): Html {
  const json = JSON.stringify(value)
  return name === 'accepted'
    ? html`<p hidden data-accepted="${json}"></p>`
    : html`<p hidden data-unknown="${json}"></p>`
}

/** Values that a form sends and does not show. Undefined values are left out. */
export function hiddenFields(
  hidden: Readonly<Record<string, string | undefined>>,
): readonly Html[] {
  return Object.entries(hidden).flatMap(([name, value]) =>
    value === undefined ? [] : [html`<input type="hidden" name="${name}" value="${value}" />`],
  )
}

/** The name of the account for password managers, which otherwise would store a new password without it. */
export function managed(username: string): Html {
  return html`<input name="username" autocomplete="username" value="${username}" hidden readonly />`
}

/** The look of a button: `plain` for a second choice, `bad` for what cannot be undone. */
export type Tone = 'plain' | 'bad'

/** The parts of a form. */
export interface FormParts {
  readonly hidden: Readonly<Record<string, string | undefined>>
  readonly fields: readonly Html[]
  readonly button: string
  readonly tone?: Tone
  /** The form may be sent again on the same page, such as one that saves a file. */
  readonly isRepeatable?: boolean
}

/** The parts of a form for a passkey. */
export interface PasskeyFormParts extends Omit<FormParts, 'isRepeatable'> {
  /** Whether a passkey is used or made. */
  readonly kind: 'get' | 'create'
  /** Whether browsers offer passkeys in the field for the username, too. */
  readonly isOffered?: boolean
  readonly messages: Messages
}

/** The state of a field. */
export interface FieldState {
  /** The value from the last time. A password is never sent back. */
  readonly value?: string | undefined
  readonly error?: string | undefined
  /** Replaces the label of the catalogue. */
  readonly label?: string
  /** Whether the page begins in this field. */
  readonly isFirst?: boolean
}

const ATTRIBUTES = {
  email: { type: 'email', autocomplete: 'email', inputmode: 'email' },
  code: { type: 'text', autocomplete: 'one-time-code', inputmode: 'text' },
  password: { type: 'password', autocomplete: 'new-password', inputmode: 'text' },
  // `webauthn` lets browsers offer passkeys in this field.
  username: { type: 'text', autocomplete: 'username webauthn', inputmode: 'text' },
  current_password: { type: 'password', autocomplete: 'current-password', inputmode: 'text' },
  new_username: { type: 'text', autocomplete: 'username', inputmode: 'text' },
  totp: { type: 'text', autocomplete: 'one-time-code', inputmode: 'numeric' },
  recovery_code: { type: 'text', autocomplete: 'off', inputmode: 'text' },
  factor_name: { type: 'text', autocomplete: 'off', inputmode: 'text' },
} as const satisfies Readonly<Record<FieldName, object>>

/** A labelled field with its hint and its error. Screen readers read both with the field. */
export function field(
  name: FieldName,
  { labels, hints }: Messages,
  { value, error, label = labels[name], isFirst = false }: FieldState,
): Html {
  const { type, autocomplete, inputmode } = ATTRIBUTES[name]
  const hint = name in hints ? hints[name as keyof typeof hints] : undefined // `in` has checked it.
  const described = [
    ...(error === undefined ? [] : [`${name}-error`]),
    ...(hint === undefined ? [] : [`${name}-hint`]),
  ].join(' ')
  const isFocused = error !== undefined || isFirst
  return html`<label for="${name}">${label}</label>
    ${hint === undefined ? '' : html`<p class="hint" id="${name}-hint">${hint}</p>`}
    ${error === undefined ? '' : html`<p class="error" id="${name}-error">${error}</p>`}
    <input
      id="${name}"
      name="${name}"
      type="${type}"
      autocomplete="${autocomplete}"
      inputmode="${inputmode}"
      value="${type === 'password' ? '' : (value ?? '')}"
      autocapitalize="${name === 'code' || name === 'recovery_code' ? 'characters' : 'none'}"
      spellcheck="false"
      ${name === 'factor_name' ? '' : 'required'}
      ${described === '' ? '' : html`aria-describedby="${described}"`}
      ${error === undefined ? '' : html`aria-invalid="true"`}
      ${isFocused ? html`autofocus` : ''}
    />`
}
