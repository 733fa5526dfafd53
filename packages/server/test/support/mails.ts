import { setTimeout } from 'node:timers/promises'

import pino from 'pino'

import type { AuthorityConfig } from '../../src/authority.ts'
import { createSystemRandom, type Random } from '../../src/base/random.ts'
import { openTestAuthority, type TestAuthority } from './authority.ts'

/** A mail in the outbox of a server in development. */
export interface SentMail {
  readonly kind: string
  readonly url: string
  readonly code: string
  /** The parameter `link` of the URL. */
  readonly link: string
}

/** An authority in development, and the mails that it sends. */
export interface MailingAuthority extends TestAuthority {
  /** All mails so far, the oldest first. */
  readonly mails: readonly SentMail[]
  /** Waits for the next mail that this was not called for, and returns it. */
  nextMail(): Promise<SentMail>
}

/** Opens an authority that keeps its mails in memory. Mails are sent at once. */
export async function openMailingAuthority(
  config: AuthorityConfig = {},
): Promise<MailingAuthority> {
  const { config: own, ...collected } = collectMails()
  return Object.assign(await openTestAuthority({ ...own, ...config }), collected)
}

/** Collects the mails of an authority in development, which is opened with `config`. */
export function collectMails(): Pick<MailingAuthority, 'mails' | 'nextMail'> & {
  readonly config: AuthorityConfig
} {
  const mails: SentMail[] = []
  let taken = 0
  const write = (line: string): void => {
    const { event, kind, url = '', code = '' } = JSON.parse(line) as Record<string, string>
    if (event !== 'mail_in_dev_outbox' || kind === undefined) return
    const link = url === '' ? '' : (new URL(url).searchParams.get('link') ?? '')
    mails.push({ kind, url, code, link })
  }
  return {
    config: {
      logger: pino({ level: 'info' }, { write }),
      random: withoutDelay(createSystemRandom()),
    },
    mails,
    async nextMail() {
      for (const until = performance.now() + 10_000; performance.now() < until;) {
        const mail = mails[taken]
        if (mail !== undefined) {
          taken += 1
          return mail
        }
        await setTimeout(2)
      }
      throw new Error('No mail came within 10 s.')
    },
  }
}

/** The delay of mails is the only use of four random bytes. */
function withoutDelay(random: Random): Random {
  return {
    bytes: (length) => (length === 4 ? Buffer.alloc(4) : random.bytes(length)),
  }
}
