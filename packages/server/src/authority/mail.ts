import type { Logger } from 'pino'

import type { Clock } from '../base/clock.ts'
import type { Random } from '../base/random.ts'
import type { Sealer } from '../keys/sealing.ts'
import { createMailer, createMailSealer, type Mailer } from '../mail/compose.ts'
import { Delivery } from '../mail/deliver.ts'
import { createDevOutbox, type DevOutbox } from '../mail/dev-outbox.ts'
import type { MailRenderer } from '../mail/render.ts'
import { createSmtpTransport } from '../mail/smtp.ts'
import type { MailTransport } from '../mail/transport.ts'
import type { MailSettings, Settings } from '../settings.ts'
import type { Store } from '../store/store.ts'

/** The mails of an authority. */
export interface MailSide {
  /** Undefined if this server sends no mail. */
  readonly mailer: Mailer | undefined
  /** The mails of a server in development without SMTP. */
  readonly devOutbox: DevOutbox | undefined
  /**
   * Starts the worker of the outbox. Returns the function that stops it, which waits a few seconds for mails in
   * flight. Call that before the store is closed.
   */
  readonly start: () => () => Promise<void>
}

/**
 * Creates the mailer and the worker of the outbox. Throws a `SetupError` that names each mistake in the
 * templates.
 */
export async function openMail({
  settings,
  store,
  sealer: base,
  clock,
  random,
  logger,
}: {
  readonly settings: Pick<Settings, 'mail' | 'publicUrl'>
  readonly store: Store
  readonly sealer: Sealer
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}): Promise<MailSide> {
  const { mail, publicUrl } = settings
  if (mail === undefined) {
    return { mailer: undefined, devOutbox: undefined, start: () => async () => {} }
  }
  const render = await openRenderer(mail, publicUrl)
  const sealer = createMailSealer(base, random)
  const { transport, devOutbox } = openTransport(mail, logger)
  return {
    mailer: createMailer({ sealer, random, locale: mail.locale }),
    devOutbox,
    start: () => {
      const delivery = new Delivery({ store, sealer, render, transport, clock, random, logger })
      return () => delivery.close()
    },
  }
}

/** Checks the templates now. The built-in mails are loaded with the first mail: most starts send none soon. */
async function openRenderer(
  { templates: folder }: MailSettings,
  publicUrl: string,
): Promise<MailRenderer> {
  const templates =
    folder === undefined ? undefined : (await import('../mail/templates.ts')).loadTemplates(folder)
  let renderer: Promise<MailRenderer> | undefined
  const load = async (): Promise<MailRenderer> => {
    const { createRenderer } = await import('../mail/render.ts')
    return createRenderer({ publicUrl, templates })
  }
  return async (kind, values, head) => {
    renderer ??= load()
    return (await renderer)(kind, values, head)
  }
}

function openTransport(
  { smtp, from }: MailSettings,
  logger: Logger,
): { readonly transport: MailTransport; readonly devOutbox: DevOutbox | undefined } {
  if (smtp !== undefined) {
    return { transport: createSmtpTransport({ server: smtp, from }), devOutbox: undefined }
  }
  const devOutbox = createDevOutbox(logger)
  return { transport: devOutbox, devOutbox }
}
