import { html } from 'hono/html'

import type { OutgoingMail } from '../../mail/transport.ts'

const STYLE = `
:root { color-scheme: light dark }
body { max-width: 46rem; margin: 0 auto; padding: 2rem 1.25rem; font: 16px/1.55 system-ui, sans-serif }
article { margin: 2rem 0; padding-top: 1rem; border-top: 1px solid #8888 }
h2 { margin: 0; font-size: 1.1rem } pre { white-space: pre-wrap; overflow-wrap: anywhere }
iframe { width: 100%; height: 28rem; border: 1px solid #8888; border-radius: 8px; background: #fff }
code { font-size: 1.2rem } a { overflow-wrap: anywhere }
`

/** Renders the mails of a server in development. Their HTML is shown in frames without scripts. */
export async function renderOutboxPage(mails: readonly OutgoingMail[]): Promise<string> {
  const empty = html`<p>
    There are no mails yet. Reload this page after an action that sends one.
  </p>`
  const page = await html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>Outbox · Countersign</title>
        <style>
          ${STYLE}
        </style>
      </head>
      <body>
        <main>
          <h1>Outbox</h1>
          <p>
            This server sends no mail. It keeps the last 100 mails in memory until it stops. Set
            COUNTERSIGN_SMTP_URL to send them.
          </p>
          ${mails.length === 0 ? empty : mails.map(renderMail)}
        </main>
      </body>
    </html> `
  return page.toString()
}

function renderMail({
  kind,
  recipient,
  createdAt,
  subject,
  proof,
  text,
  html: body,
}: OutgoingMail): unknown {
  const links =
    proof === undefined
      ? ''
      : html`<p><a href="${proof.url}" rel="noreferrer">${proof.url}</a></p>
          <p>Code: <code>${proof.code}</code></p>`
  return html`<article>
    <h2>${subject}</h2>
    <p>To ${recipient} · ${kind} · ${new Date(createdAt).toISOString()}</p>
    ${links}
    <iframe sandbox="" title="${subject}" srcdoc="${body}"></iframe>
    <details>
      <summary>Text</summary>
      <pre>${text}</pre>
    </details>
  </article>`
}
