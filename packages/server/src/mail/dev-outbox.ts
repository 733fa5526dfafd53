import type { Logger } from 'pino'

import type { MailTransport, OutgoingMail } from './transport.ts'

/** The last mails of a server in development, which sends none. They are lost when it stops. */
export interface DevOutbox {
  /** The newest first. */
  list(): readonly OutgoingMail[]
}

const KEPT = 100

/**
 * Keeps mails in memory and logs their links. Only for development: everyone who can read the log can use the
 * links.
 */
export function createDevOutbox(logger: Logger): DevOutbox & MailTransport {
  let mails: readonly OutgoingMail[] = []
  return {
    list: () => mails,
    send: (mail) => {
      mails = [mail, ...mails].slice(0, KEPT)
      const { id, kind, proof } = mail
      logger.info({ event: 'mail_in_dev_outbox', id, kind, ...proof })
      return Promise.resolve({ kind: 'sent' })
    },
  }
}
