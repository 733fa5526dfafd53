import type { EpochMs } from '../base/clock.ts'
import type { MailKind } from '../store/rows.ts'
import type { RenderedMail } from './render.ts'

/** A mail that is ready to be handed over. */
export interface OutgoingMail extends RenderedMail {
  readonly id: string
  readonly kind: MailKind
  readonly recipient: string
  /** The date in its header. It stays the same if the mail is sent again. */
  readonly createdAt: EpochMs
}

/**
 * The result of a hand-over. `sent` only if the receiver has acknowledged the mail. After `retry` it may have
 * the mail nevertheless, if the connection was lost before its answer. `reason` is a code such as `smtp_550`
 * or `timeout`. `error` is the message of a failed connection, for the log.
 */
export type HandOver =
  | { readonly kind: 'sent' }
  | { readonly kind: 'retry'; readonly reason: string; readonly error?: string }
  | { readonly kind: 'final'; readonly reason: string }

/** Hands mails over. It never rejects. */
export interface MailTransport {
  /** The signal ends the attempt. The result is then `retry`. */
  send(mail: OutgoingMail, signal: AbortSignal): Promise<HandOver>
}
