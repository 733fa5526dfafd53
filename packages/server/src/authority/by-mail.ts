import { setTimeout } from 'node:timers/promises'

import { linkUrl } from '../by-mail/links.ts'
import { createCodeHasher } from '../by-mail/secrets.ts'
import type { MailServices } from '../by-mail/services.ts'
import type { Sealer } from '../keys/sealing.ts'
import type { Mailer } from '../mail/compose.ts'
import type { SessionServices } from '../sessions/services.ts'
import type { Settings } from '../settings.ts'

/** Builds the services of everything that people do by mail. */
export function createMailServices(
  settings: Settings,
  {
    services,
    sealer,
    mailer,
  }: {
    readonly services: SessionServices
    readonly sealer: Sealer
    readonly mailer: Mailer
  },
): MailServices {
  return {
    sessions: services,
    mailer,
    sealer,
    hasher: createCodeHasher(sealer.deriveEach('mail-codes/v1', 32)),
    urlOf: (purpose, link) => linkUrl(settings, purpose, link),
    pause: async (ms) => {
      await setTimeout(ms)
    },
  }
}
