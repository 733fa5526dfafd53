import type { MailKind, MailLocale, NewMail } from '../store/rows.ts'
import { de } from './catalogue/de.ts'
import { en } from './catalogue/en.ts'
import type { Catalogue, MailMessage } from './catalogue/message.ts'
import type { MailValues, ShownOf } from './kinds.ts'
import { layOutHtml, layOutText, type Proof } from './layout.ts'
import { showValues } from './show.ts'
import type { MailTemplates } from './templates.ts'

/** A mail as its reader sees it. */
export interface RenderedMail {
  /** One line. */
  readonly subject: string
  readonly text: string
  readonly html: string
  /** The link and the code, if it has them. */
  readonly proof: Proof | undefined
}

/** The facts of a mail that its rendering needs. */
export type MailHead = Pick<NewMail, 'locale' | 'createdAt'> & { readonly recipient: string }

/** Renders mails. */
export type MailRenderer = <Kind extends MailKind>(
  kind: Kind,
  values: MailValues[Kind],
  head: MailHead,
) => Promise<RenderedMail>

const CATALOGUES: Readonly<Record<MailLocale, Catalogue>> = { en, de }

/** Creates the renderer. Templates take precedence over the built-in mails, for each part of a mail. */
export function createRenderer({
  publicUrl,
  templates,
}: {
  readonly publicUrl: string
  /** Undefined: only the built-in mails. */
  readonly templates: MailTemplates | undefined
}): MailRenderer {
  const site = new URL(publicUrl).host
  return async (kind, values, head) => {
    const { locale } = head
    const shown = showValues(kind, values, { ...head, site })
    const { messages, codeLabel } = CATALOGUES[locale]
    const message = writeMessage(messages[kind], shown)
    const proof =
      'code' in values
        ? { code: values.code, url: 'url' in values ? values.url : undefined }
        : undefined
    const content = { locale, message, codeLabel, proof, site }
    return {
      subject: templates?.fill(kind, locale, 'subject', shown) ?? message.subject,
      text: templates?.fill(kind, locale, 'txt', shown) ?? layOutText(content),
      html: templates?.fill(kind, locale, 'html', shown) ?? (await layOutHtml(content)),
      proof,
    }
  }
}

function writeMessage<Kind extends MailKind>(
  write: (values: ShownOf<Kind>) => MailMessage,
  values: ShownOf<Kind>,
): MailMessage {
  return write(values)
}
