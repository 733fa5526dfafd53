import type { EpochMs } from '../base/clock.ts'
import type { NewMail } from './rows.ts'

/** The actor, time and address of a change, for its audit line. */
export interface AuditContext {
  readonly at: EpochMs
  /** See {@link AuditEntry.actor}. */
  readonly actor: string
  readonly address?: string | undefined
  /**
   * Mails about the change, for `MailStore`. They are written in its transaction with its audit line, so
   * only if the change happens.
   */
  readonly mails?: readonly NewMail[] | undefined
}
