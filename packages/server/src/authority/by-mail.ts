import { setTimeout } from 'node:timers/promises'

import { linkUrl } from '../by-mail/links.ts'
import { CODE_KEYS, createCodeHasher } from '../by-mail/secrets.ts'
import type { CodeServices, MailServices } from '../by-mail/services.ts'
import { createInvitationWriter } from '../by-mail/write-invitation.ts'
import type { Sealer } from '../keys/sealing.ts'
import type { Mailer } from '../mail/compose.ts'
import type { SessionServices } from '../sessions/services.ts'
import type { Settings } from '../settings.ts'

/** Builds the services of mails with codes. Commands use them too. */
export function createCodeServices(
  settings: Pick<Settings, 'publicUrl' | 'links'>,
  parts: Pick<CodeServices, 'store' | 'random' | 'sealer' | 'mailer'>,
): CodeServices {
  return {
    ...parts,
    hasher: createCodeHasher(parts.sealer.deriveEach(CODE_KEYS, 32)),
    urlOf: (purpose, link) => linkUrl(settings, purpose, link),
  }
}

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
  const { store, random } = services
  const codes = createCodeServices(settings, { store, random, sealer, mailer })
  return {
    ...codes,
    sessions: services,
    writeInvitation: createInvitationWriter(settings, { ...codes, random }),
    pause: async (ms) => {
      await setTimeout(ms)
    },
  }
}
