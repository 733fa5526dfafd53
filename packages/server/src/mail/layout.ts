import { html } from 'hono/html'

import type { MailLocale } from '../store/rows.ts'
import type { Catalogue, MailMessage } from './catalogue/message.ts'

/** The link and the code of a mail that has them. */
export interface Proof {
  readonly code: string
  /** Undefined if the code works without a link. */
  readonly url: string | undefined
}

/** Everything that both bodies of a built-in mail contain. */
export interface MailContent {
  readonly locale: MailLocale
  readonly message: MailMessage
  readonly codeLabel: Catalogue['codeLabel']
  readonly proof: Proof | undefined
  readonly site: string
}

/** Writes the text body. */
export function layOutText({ message, codeLabel, proof, site }: MailContent): string {
  const { lead, action, end } = message
  const link = proof?.url === undefined ? [] : [`${action}:\n${proof.url}`, codeLabel]
  const code = proof === undefined ? [] : [`    ${proof.code}`]
  const parts = [...lead, ...link, ...code, ...end]
  return `${parts.join('\n\n')}\n\n-- \n${site}\n`
}

/** Writes the HTML body. It loads nothing, and mail programs may ignore its styles. */
export async function layOutHtml({
  locale,
  message,
  codeLabel,
  proof,
  site,
}: MailContent): Promise<string> {
  const paragraph = (text: string): unknown => html`<p style="margin:0 0 16px">${text}</p>`
  const button =
    proof?.url === undefined
      ? ''
      : html`<p style="margin:0 0 16px">
            <a href="${proof.url}" style="${BUTTON}">${message.action}</a>
          </p>
          <p style="margin:0 0 16px;font-size:13px;word-break:break-all">
            <a href="${proof.url}" style="color:#2f6f4f">${proof.url}</a>
          </p>
          <p style="margin:0 0 8px">${codeLabel}</p>`
  const code = proof === undefined ? '' : html`<p style="${CODE}">${proof.code}</p>`
  const page = await html`<!doctype html>
    <html lang="${locale}">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${message.subject}</title>
      </head>
      <body style="margin:0;padding:24px 12px;background:#f7f8fb">
        <div style="${CARD}">
          ${message.lead.map(paragraph)} ${button} ${code} ${message.end.map(paragraph)}
          <p style="margin:24px 0 0;font-size:13px;color:#5a6577">${site}</p>
        </div>
      </body>
    </html> `
  return page.toString()
}

const CARD =
  'max-width:560px;margin:0 auto;padding:24px;background:#ffffff;border:1px solid #d9dee7;border-radius:8px;color:#1c2330;font:16px/1.5 Arial,Helvetica,sans-serif'
const BUTTON =
  'display:inline-block;padding:10px 18px;background:#2f6f4f;border-radius:6px;color:#ffffff;text-decoration:none'
const CODE =
  'margin:0 0 16px;font:bold 24px/1.3 Menlo,Consolas,monospace;letter-spacing:2px;white-space:nowrap'
