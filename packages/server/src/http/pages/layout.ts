import { html, raw } from 'hono/html'

import { LANGUAGES, nameOf, type Speech } from './language.ts'
import { POLICY, STYLE } from './style.ts'

/** A piece of a page. Every value in it was escaped. */
export type Html = ReturnType<typeof html>

/** One page. */
export interface Page {
  readonly speech: Speech
  readonly title: string
  /** The host of the public URL. Undefined where it is not known, as on the page of a failure. */
  readonly site?: string | undefined
  /** The form of the page has an error. */
  readonly isWrong?: boolean
  readonly body: readonly Html[]
  /** The parameters of the URL that the links to the other languages keep. */
  readonly query?: Readonly<Record<string, string | undefined>>
  /** The path of the page, for the links to the other languages. Without it there are no such links. */
  readonly path?: string
}

/** The status and the additional headers of an answer. */
export interface AnswerParts {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly cookies?: readonly string[]
}

/**
 * Makes the answer with a page. The page has no script, loads nothing, and is never stored or indexed. The router
 * adds the headers of all answers, with the `Referrer-Policy`: the URL of a page contains the secret of the link.
 */
export function answerPage(page: Page, parts: AnswerParts = {}): Response {
  const headers = pageHeaders(parts)
  headers.set('content-type', 'text/html; charset=utf-8')
  headers.set('content-language', page.speech.language)
  return new Response(render(page), { status: parts.status ?? 200, headers })
}

/** Sends the browser to another page of this server after a form. Reloading then sends the form no second time. */
export function redirectTo(path: string, cookies: readonly string[]): Response {
  const headers = pageHeaders({ cookies })
  headers.set('location', path)
  return new Response(null, { status: 303, headers })
}

function pageHeaders({ headers: more, cookies = [] }: AnswerParts): Headers {
  const headers = new Headers({
    'cache-control': 'no-store',
    'content-security-policy': POLICY,
    'cross-origin-opener-policy': 'same-origin',
    'x-robots-tag': 'noindex, nofollow',
    ...more,
  })
  for (const cookie of cookies) headers.append('set-cookie', cookie)
  return headers
}

function render({ speech, title, site, isWrong, body, query, path }: Page): string {
  const { language, messages } = speech
  const headTitle = isWrong === true ? `${messages.error}: ${title}` : title
  // Spaces in the element would change the hash of the style.
  const style = raw(`<style>${STYLE}</style>`)
  return textOf(
    html`<!doctype html>
      <html lang="${language}">
        <head>
          <meta charset="utf-8" />
          <meta name="viewport" content="width=device-width, initial-scale=1" />
          <meta name="robots" content="noindex, nofollow" />
          <title>${headTitle}</title>
          ${style}
        </head>
        <body>
          <main>
            ${site === undefined ? '' : html`<p class="site">${site}</p>`}
            <h1>${title}</h1>
            ${body}
          </main>
          ${path === undefined ? '' : footer(speech, path, query ?? {})}
        </body>
      </html> `,
  )
}

function footer({ language }: Speech, path: string, query: NonNullable<Page['query']>): Html {
  const links = LANGUAGES.filter((each) => each !== language).map((each) => {
    const parameters = new URLSearchParams()
    for (const [name, value] of Object.entries({ ...query, lang: each })) {
      if (value !== undefined) parameters.set(name, value)
    }
    return html`<a href="${path}?${parameters.toString()}" lang="${each}" hreflang="${each}"
      >${nameOf(each)}</a
    >`
  })
  return html`<footer>${links}</footer>`
}

function textOf(page: Html): string {
  // `hono/html` returns a promise only if a value is one.
  if (page instanceof Promise) throw new TypeError('A component of a page is asynchronous.')
  return page.toString()
}
