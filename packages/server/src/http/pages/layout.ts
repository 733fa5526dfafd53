import { html } from 'hono/html'

import { SITE_LINK_NAMES } from '../../base/site-links.ts'
import { LANGUAGES, nameOf, pathIn, type Speech } from './language.ts'
import { policyFor } from './look/policy.ts'
import type { Site } from './look/site.ts'

/** A piece of a page. Every value in it was escaped. */
export type Html = ReturnType<typeof html>

/** One page. */
export interface Page {
  readonly speech: Speech
  readonly title: string
  /** Undefined where it is not known, as on the page of a failure. */
  readonly site?: Site | undefined
  /** The form of the page has an error. */
  readonly isWrong?: boolean
  /** Whether the page has lists, which need more room than a form. */
  readonly isWide?: boolean
  /** A link above the title that leads back to the account. */
  readonly hasBackLink?: boolean
  readonly body: readonly Html[]
  /** The parameters of the URL that the links to the other languages keep. */
  readonly query?: Readonly<Record<string, string | undefined>>
  /** The path of the page, for the links to the other languages. Without it there are no such links. */
  readonly path?: string
  /** The other origin at which the form of the page may end. */
  readonly formTarget?: string | undefined
  /** The path to which the browser goes at once, with a visible link for browsers that do not. */
  readonly goesTo?: string
}

/** The status and the additional headers of an answer. */
export interface AnswerParts {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly cookies?: readonly string[]
}

/**
 * Makes the answer with a page. The page has nothing inline, loads from its own host only, and is never stored or
 * indexed. The router adds the headers of all answers, with the `Referrer-Policy`: the URL of a page can contain the
 * secret of a link.
 *
 * The HTML is not compressed: it can contain a CSRF token beside text that the URL chooses (BREACH), and it is small.
 */
export function answerPage(page: Page, parts: AnswerParts = {}): Response {
  const headers = pageHeaders(parts, page.formTarget)
  headers.set('content-type', 'text/html; charset=utf-8')
  headers.set('content-language', page.speech.language)
  return new Response(render(page), { status: parts.status ?? 200, headers })
}

/** Sends the browser to another page after a form. Reloading then sends the form no second time. */
export function redirectTo(path: string, cookies: readonly string[] = []): Response {
  const headers = pageHeaders({ cookies })
  headers.set('location', path)
  return new Response(null, { status: 303, headers })
}

function pageHeaders({ headers: more, cookies = [] }: AnswerParts, formTarget?: string): Headers {
  const headers = new Headers({
    'cache-control': 'no-store',
    'content-security-policy': policyFor(formTarget === undefined ? [] : [formTarget]),
    'cross-origin-opener-policy': 'same-origin',
    'x-robots-tag': 'noindex, nofollow',
    ...more,
  })
  for (const cookie of cookies) headers.append('set-cookie', cookie)
  return headers
}

// In the page, because browsers otherwise ask for /favicon.ico.
const ICON =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Crect width='16' height='16' rx='4' fill='%232a6448'/%3E%3Cpath d='M4 8.5l3 3 5-7' fill='none' stroke='%23fff' stroke-width='2'/%3E%3C/svg%3E"

function render(page: Page): string {
  const { speech, title, site, isWrong, body, goesTo } = page
  const { language, messages } = speech
  const headTitle = isWrong === true ? `${messages.error}: ${title}` : title
  const version = site === undefined ? '' : `?v=${site.version}`
  return textOf(
    html`<!doctype html>
      <html lang="${language}">
        <head>
          <meta charset="utf-8" />
          <meta name="viewport" content="width=device-width, initial-scale=1" />
          <meta name="robots" content="noindex, nofollow" />
          ${goesTo === undefined ? '' : html`<meta http-equiv="refresh" content="0;url=${goesTo}" />`}
          <title>${headTitle}</title>
          <link rel="icon" href="${ICON}" />
          <script src="/auth/account/page.js${version}"></script>
          <noscript><link rel="stylesheet" href="/auth/account/page.css${version}" /></noscript>
        </head>
        <body>
          <main${page.isWide === true ? html` class="wide"` : ''}>
            ${site === undefined ? '' : siteName(site)} ${backLink(page)}
            <h1>${title}</h1>
            ${body}
          </main>
          ${footer(page)}
        </body>
      </html> `,
  )
}

function siteName({ name, hasLogo }: Site): Html {
  return html`<p class="site">${hasLogo ? html`<span class="logo"></span>` : ''}${name}</p>`
}

function backLink({ speech, hasBackLink }: Page): Html | '' {
  return hasBackLink === true
    ? html`<nav class="back">
        <a href="${pathIn(speech, '/auth/account')}">← ${speech.messages.account.title}</a>
      </nav>`
    : ''
}

function footer({ speech, path, query = {}, site }: Page): Html | '' {
  const languages = path === undefined ? [] : LANGUAGES.filter((each) => each !== speech.language)
  const links = SITE_LINK_NAMES.flatMap((name) => {
    const url = site?.links[name]
    return url === undefined ? [] : [html`<a href="${url}">${speech.messages.site[name]}</a>`]
  })
  if (languages.length + links.length === 0) return ''
  return html`<footer>
    ${languages.map(
      (each) =>
        html`<a
          href="${pathIn({ ...speech, isChosen: true, language: each }, path ?? '/', query)}"
          lang="${each}"
          hreflang="${each}"
          >${nameOf(each)}</a
        >`,
    )}
    ${links}
  </footer>`
}

function textOf(page: Html): string {
  // `hono/html` returns a promise only if a value is one.
  if (page instanceof Promise) throw new TypeError('A component of a page is asynchronous.')
  return page.toString()
}
