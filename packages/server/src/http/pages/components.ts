import { html } from 'hono/html'

import type { FieldName, Messages } from './catalogue/messages.ts'
import type { Html } from './layout.ts'

/** A paragraph. */
export function paragraph(text: string): Html {
  return html`<p>${text}</p>`
}

/** A link to another page, as a paragraph. */
export function linkTo(path: string, text: string): Html {
  return html`<p><a href="${path}">${text}</a></p>`
}

/** A message that stands out. An error is read out when the page opens. */
export function notice(text: string, { isError }: { readonly isError: boolean }): Html {
  return isError
    ? html`<p class="notice bad" role="alert">${text}</p>`
    : html`<p class="notice">${text}</p>`
}

/** A form. Forms never put their values into a URL. */
export function form(action: string, { hidden, fields, button }: FormParts): Html {
  const values = Object.entries(hidden).filter(([, value]) => value !== undefined)
  return html`<form method="post" action="${action}">
    ${values.map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}" />`)}
    ${fields}
    <button type="submit">${button}</button>
  </form>`
}

/** The parts of a form. */
export interface FormParts {
  /** Values that the form sends and does not show. Undefined values are left out. */
  readonly hidden: Readonly<Record<string, string | undefined>>
  readonly fields: readonly Html[]
  readonly button: string
}

/** The state of a field. */
export interface FieldState {
  /** The value from the last time. A password is never sent back. */
  readonly value?: string | undefined
  readonly error?: string | undefined
}

const ATTRIBUTES = {
  email: { type: 'email', autocomplete: 'email', inputmode: 'email' },
  code: { type: 'text', autocomplete: 'one-time-code', inputmode: 'text' },
  password: { type: 'password', autocomplete: 'new-password', inputmode: 'text' },
} as const satisfies Readonly<Record<FieldName, object>>

/** A labelled field with its hint and its error. Screen readers read both with the field. */
export function field(
  name: FieldName,
  { labels, hints }: Messages,
  { value, error }: FieldState,
): Html {
  const { type, autocomplete, inputmode } = ATTRIBUTES[name]
  const hint = name === 'email' ? undefined : hints[name]
  const described = [
    ...(error === undefined ? [] : [`${name}-error`]),
    ...(hint === undefined ? [] : [`${name}-hint`]),
  ].join(' ')
  return html`<label for="${name}">${labels[name]}</label>
    ${hint === undefined ? '' : html`<p class="hint" id="${name}-hint">${hint}</p>`}
    ${error === undefined ? '' : html`<p class="error" id="${name}-error">${error}</p>`}
    <input
      id="${name}"
      name="${name}"
      type="${type}"
      autocomplete="${autocomplete}"
      inputmode="${inputmode}"
      value="${name === 'password' ? '' : (value ?? '')}"
      autocapitalize="${name === 'code' ? 'characters' : 'none'}"
      spellcheck="false"
      required
      ${described === '' ? '' : html`aria-describedby="${described}"`}
      ${error === undefined ? '' : html`aria-invalid="true" autofocus`}
    />`
}
