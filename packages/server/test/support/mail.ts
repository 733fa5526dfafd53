import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import pino from 'pino'

import { systemClock, type Clock } from '../../src/base/clock.ts'
import { createSystemRandom } from '../../src/base/random.ts'
import { createSealer } from '../../src/keys/sealing.ts'
import { createMailer, createMailSealer, type Mailer } from '../../src/mail/compose.ts'
import { Delivery, type DeliveryTimes } from '../../src/mail/deliver.ts'
import { createRenderer } from '../../src/mail/render.ts'
import { parseSmtpUrl } from '../../src/mail/smtp-url.ts'
import { createSmtpTransport, type SmtpTimes } from '../../src/mail/smtp.ts'
import { openServerStore } from '../../src/store/open-server.ts'
import type { Store } from '../../src/store/store.ts'
import { ISSUER } from './authority.ts'
import { SECRET } from './tokens.ts'

/** Short times, so that tests need not wait. */
export const QUICK: DeliveryTimes = {
  delayMs: 5,
  leaseMs: 5_000,
  lookMs: 100,
  repairMs: 20,
  closeMs: 200,
  retry: { firstMs: 20, longestMs: 60 },
}

export const SENDER = { name: 'Countersign', address: 'no-reply@auth.example.com' }

/** An outbox on a real database, and its worker. */
export interface TestMail extends AsyncDisposable {
  readonly store: Store
  readonly mailer: Mailer
  /** The log lines of the worker. */
  readonly lines: readonly Readonly<Record<string, unknown>>[]
  /** Writes a password reset for an address. Returns the id of the mail. */
  post(to?: string, lifeMs?: number): Promise<string>
  /** Starts a worker. `store` replaces the store that it sees. */
  deliver(url: string, more?: { readonly store?: Pick<Store, 'mail' | 'watch'> }): Delivery
  /** `STATE REASON` of each mail, the oldest first. */
  states(): Promise<readonly string[]>
}

export async function openTestMail(
  options: {
    readonly times?: Partial<DeliveryTimes>
    readonly smtp?: Partial<SmtpTimes>
    readonly clock?: Clock
  } = {},
): Promise<TestMail> {
  const clock = options.clock ?? systemClock
  const random = createSystemRandom()
  const dataDir = mkdtempSync(join(tmpdir(), 'countersign-mail-'))
  const store = await openServerStore({ dataDir }, { clock, onEvent: () => {} })
  const sealer = createMailSealer(createSealer([SECRET], random), random)
  const mailer = createMailer({ sealer, random, locale: 'en' })
  const lines: Record<string, unknown>[] = []
  const logger = pino(
    { base: null },
    { write: (line: string) => lines.push(JSON.parse(line) as Record<string, unknown>) },
  )
  const workers: Delivery[] = []
  return {
    store,
    mailer,
    lines,
    async post(to = 'alice@example.com', lifeMs = 900_000) {
      const now = clock.nowMs()
      const values = {
        username: 'alice',
        code: 'WDJB-MJHT',
        url: `${ISSUER}/reset?token=a-secret`,
        expiresAt: now + lifeMs,
      }
      const mail = mailer.compose('reset_password', { to, accountId: 'acct_1', values }, now)
      await store.mail.add([mail])
      return mail.id
    },
    deliver(url, more = {}) {
      const server = parseSmtpUrl(url)
      if (server === undefined) throw new Error(`not an SMTP URL: ${url}`)
      const times: SmtpTimes = { connectMs: 500, silenceMs: 500, totalMs: 2_000, ...options.smtp }
      const worker = new Delivery({
        store: more.store ?? store,
        sealer,
        render: createRenderer({ publicUrl: ISSUER, templates: undefined }),
        transport: createSmtpTransport({ server, from: SENDER, times }),
        clock,
        random,
        logger,
        times: { ...QUICK, ...options.times },
      })
      workers.push(worker)
      return worker
    },
    async states() {
      const mails = await store.mail.list({ limit: 1_000 })
      return mails.map(({ state, reason }) => [state, reason ?? ''].join(' ').trim()).toReversed()
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(workers.map((worker) => worker.close()))
      await store.close()
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
}
