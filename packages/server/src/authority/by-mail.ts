import { setTimeout } from 'node:timers/promises'

import { linkUrl } from '../by-mail/links.ts'
import { CODE_KEYS, createCodeHasher } from '../by-mail/secrets.ts'
import type { MailServices } from '../by-mail/services.ts'
import { createInvitationWriter } from '../by-mail/write-invitation.ts'
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
  const hasher = createCodeHasher(sealer.deriveEach(CODE_KEYS, 32))
  return {
    sessions: services,
    mailer,
    sealer,
    hasher,
    writeInvitation: createInvitationWriter(settings, { hasher, mailer, random: services.random }),
    urlOf: (purpose, link) => linkUrl(settings, purpose, link),
    pause: async (ms) => {
      await setTimeout(ms)
    },
  }
}
