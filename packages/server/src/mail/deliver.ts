import type { Logger } from 'pino'

import type { Clock, EpochMs } from '../base/clock.ts'
import { messageOf } from '../base/faults.ts'
import { Looks } from '../base/looks.ts'
import type { Random } from '../base/random.ts'
import type { Sealer } from '../keys/sealing.ts'
import type { ClaimedMail, MailFailure, Store } from '../store/store.ts'
import { openValues } from './compose.ts'
import type { MailRenderer } from './render.ts'
import { decideRetry, randomFraction, RETRY_TIMES, type RetryTimes } from './retry.ts'
import type { HandOver, MailTransport } from './transport.ts'

/** The times of the delivery, in milliseconds. */
export interface DeliveryTimes {
  /**
   * A mail waits for a random part of this time before it is sent. Otherwise the load of the sending would slow
   * down the next requests, and their times would reveal that an address is known.
   */
  readonly delayMs: number
  /** How long one worker has a mail. Longer than any hand-over. */
  readonly leaseMs: number
  /** The longest time between two looks into the outbox. */
  readonly lookMs: number
  /** The pause after the store has failed. */
  readonly repairMs: number
  /** How long `close` waits for mails in flight before it cuts their connections. */
  readonly closeMs: number
  readonly retry: RetryTimes
}

/** The times of a server. */
export const DELIVERY_TIMES: DeliveryTimes = {
  delayMs: 1_000,
  leaseMs: 300_000,
  lookMs: 60_000,
  repairMs: 1_000,
  closeMs: 5_000,
  retry: RETRY_TIMES,
}

/** The dependencies of the delivery. */
export interface DeliveryOptions {
  readonly store: Pick<Store, 'mail' | 'watch'>
  /** From `createMailSealer`. */
  readonly sealer: Sealer
  readonly render: MailRenderer
  readonly transport: MailTransport
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly times?: Partial<DeliveryTimes>
}

/** Mails that are handed over at once. */
const CONCURRENCY = 4

/**
 * The worker of the outbox. It looks for due mails soon after each commit and when the next mail is due, and
 * hands them over.
 *
 * All nodes deliver. Each mail belongs to one of them for the time of its lease, so a leader would add nothing but a
 * delay when it dies.
 *
 * A mail is sent at least once, unless it is refused for good or too old. A mail whose hand-over was acknowledged
 * is not sent again: if the store cannot record it, the worker remembers the mail and repeats the record before
 * anything else. Two cases remain in which a receiver may get a mail twice, each time with the same `Message-ID`:
 * the connection was lost after the mail and before its acknowledgement, or the process died between the
 * acknowledgement and its record.
 */
export class Delivery {
  readonly #options: DeliveryOptions
  readonly #times: DeliveryTimes
  readonly #unwatch: () => void
  readonly #stop = new AbortController()
  readonly #looks = new Looks(() => this.#look())
  /** The ids of mails in flight. */
  readonly #inFlight = new Set<string>()
  /** Mails that were acknowledged, and whose record is missing. */
  readonly #unrecorded = new Set<string>()
  #isLooking = false

  constructor(options: DeliveryOptions) {
    this.#options = options
    this.#times = { ...DELIVERY_TIMES, ...options.times }
    this.#unwatch = options.store.watch(() => this.#lookSoon())
    this.#lookSoon()
  }

  /**
   * Stops. Waits for mails in flight, and cuts their connections after `closeMs`. Mails that wait are sent after
   * the next start.
   */
  async close(): Promise<void> {
    this.#unwatch()
    await this.#looks.close(this.#times.closeMs, () => this.#stop.abort())
  }

  #lookSoon(): void {
    const { delayMs } = this.#times
    // Another commit must not shorten the delay.
    if (this.#looks.nextInMs <= delayMs) return
    this.#lookAfterDelay()
  }

  #lookAfterDelay(): void {
    this.#looks.after(this.#times.delayMs * randomFraction(this.#options.random))
  }

  /** Never rejects. */
  async #look(): Promise<void> {
    // The look in progress may have missed the newest mail.
    if (this.#isLooking) return this.#lookAfterDelay()
    this.#isLooking = true
    try {
      await this.#begin()
    } catch (error) {
      this.#options.logger.error({ event: 'mail_outbox_failed', error: messageOf(error) })
      this.#looks.after(this.#times.repairMs)
    } finally {
      this.#isLooking = false
    }
  }

  async #begin(): Promise<void> {
    const { store, clock } = this.#options
    for (const id of this.#unrecorded) await this.#record(id)
    const free = CONCURRENCY - this.#inFlight.size
    if (this.#looks.isClosed || free <= 0) return // The end of a mail in flight looks again.
    const leasedUntil = clock.nowMs() + this.#times.leaseMs
    const mails = await store.mail.claim(clock.nowMs(), this.#times.leaseMs, free)
    for (const mail of mails) {
      // Its lease has ended, because the machine slept. The attempt that is in flight goes on.
      if (!this.#inFlight.has(mail.id)) this.#looks.track(this.#deliver(mail, leasedUntil))
    }
    if (mails.length > 0) return
    const dueAt = await store.mail.nextDueAt()
    if (dueAt === undefined) return
    this.#looks.after(Math.min(Math.max(dueAt - clock.nowMs(), 0), this.#times.lookMs))
  }

  /** Never rejects. */
  async #deliver(mail: ClaimedMail, leasedUntil: EpochMs): Promise<void> {
    this.#inFlight.add(mail.id)
    try {
      if (this.#unrecorded.has(mail.id)) await this.#record(mail.id)
      // Otherwise this process was paused past the lease, and another node may have the mail now.
      else if (this.#options.clock.nowMs() < leasedUntil)
        await this.#finish(mail, await this.#handOver(mail))
      this.#looks.after(0)
    } catch (error) {
      // Its lease will end, and then it is tried again.
      const { id } = mail
      this.#options.logger.error({ event: 'mail_outbox_failed', id, error: messageOf(error) })
      this.#looks.after(this.#times.repairMs)
    } finally {
      this.#inFlight.delete(mail.id)
    }
  }

  async #handOver(mail: ClaimedMail): Promise<HandOver> {
    const { sealer, render, transport, clock } = this.#options
    const { id, kind, recipient } = mail
    if (recipient === undefined) return { kind: 'sent' }
    if (this.#looks.isClosed) return { kind: 'retry', reason: 'stopped' }
    if (clock.nowMs() >= mail.notAfter) return { kind: 'final', reason: 'too_late' }
    const values = openValues(sealer, mail)
    // The secret of the server was replaced.
    if (values === undefined) return { kind: 'final', reason: 'values_unreadable' }
    const rendered = await render(kind, values, { ...mail, recipient })
    const outgoing = { ...rendered, id, kind, recipient, createdAt: mail.createdAt }
    return transport.send(outgoing, this.#stop.signal)
  }

  async #finish(mail: ClaimedMail, outcome: HandOver): Promise<void> {
    const { store, clock, random, logger } = this.#options
    const { id, kind, attempt, notAfter } = mail
    if (outcome.kind === 'sent') {
      this.#unrecorded.add(id)
      if (mail.recipient !== undefined) logger.info({ event: 'mail_sent', id, kind, attempt })
      return this.#record(id)
    }
    const now = clock.nowMs()
    const { reason } = outcome
    const retryAt =
      outcome.kind === 'retry'
        ? decideRetry({ attempt, notAfter }, this.#times.retry, now, randomFraction(random))
        : undefined
    const failure: MailFailure =
      retryAt === undefined
        ? { kind: 'final', attempt, reason }
        : { kind: 'retry', attempt, reason, retryAt }
    const line = { id, kind, attempt, reason, ...('error' in outcome && { error: outcome.error }) }
    if (retryAt === undefined) logger.error({ event: 'mail_failed', ...line })
    else logger.warn({ event: 'mail_retried', ...line, retry_at: new Date(retryAt).toISOString() })
    await store.mail.noteFailed(id, failure, now)
  }

  /** Records that a mail was handed over. Until that succeeds, the mail is not sent again. */
  async #record(id: string): Promise<void> {
    const { store, clock } = this.#options
    await store.mail.noteSent(id, clock.nowMs())
    this.#unrecorded.delete(id)
  }
}
