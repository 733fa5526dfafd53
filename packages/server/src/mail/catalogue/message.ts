import type { MailKind } from '../../store/rows.ts'
import type { ShownOf } from '../kinds.ts'

/** The words of one mail. Values in them are not escaped. */
export interface MailMessage {
  readonly subject: string
  /** Paragraphs before the link and the code. */
  readonly lead: readonly string[]
  /** The link's words. Only in mails with a link and a code. */
  readonly action?: string
  /** Paragraphs after the link and the code. */
  readonly end: readonly string[]
}

/** The words of all mails in one language. */
export interface Catalogue {
  readonly messages: { readonly [Kind in MailKind]: (values: ShownOf<Kind>) => MailMessage }
  /** Introduces the code. */
  readonly codeLabel: string
}
