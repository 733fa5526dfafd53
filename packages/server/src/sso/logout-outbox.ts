import type { Logger } from 'pino'

import type { Clock, EpochMs } from '../base/clock.ts'
import { messageOf } from '../base/faults.ts'
import { Looks } from '../base/looks.ts'
import type { Random } from '../base/random.ts'
import { decideRetry, randomFraction, type RetryTimes } from '../mail/retry.ts'
import type { SsoLogout } from '../store/sso.ts'
import type { Store } from '../store/store.ts'
import { LogoutQueue } from './logout-queue.ts'
import type { LogoutAttempt, SendLogout } from './send-logout.ts'

/** The times of the outbox, in milliseconds. */
export interface LogoutTimes {
  /** How long one worker has a logout. Longer than any attempt. */
  readonly leaseMs: number
  /** The longest time between two looks into the outbox. */
  readonly lookMs: number
  /** The pause after the store or the signer has failed. */
  readonly repairMs: number
  /** How long `close` waits for attempts in flight before it ends them. */
  readonly closeMs: number
  /** When the outbox gives up, after the logout. */
  readonly giveUpMs: number
  /** How long an application that cannot be reached is left alone. */
  readonly restMs: number
  readonly retry: RetryTimes
}

/** The times of a server. */
export const LOGOUT_TIMES: LogoutTimes = {
  leaseMs: 60_000,
  lookMs: 5_000,
  repairMs: 1_000,
  closeMs: 2_000,
  giveUpMs: 86_400_000,
  restMs: 10_000,
  retry: { firstMs: 10_000, longestMs: 3_600_000 },
}

/** The dependencies of the outbox. */
export interface LogoutOutboxOptions {
  readonly store: Pick<Store, 'watch' | 'audit'> & { readonly sso: Pick<Store['sso'], 'logouts'> }
  readonly send: SendLogout
  /** Whether this server does the work that one node does for all. */
  readonly leads: () => boolean
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly times?: Partial<LogoutTimes>
}

/** Entries of the revocation log that one step reads. */
const STEP_ENTRIES = 500
/** Logouts that one look leases. */
const TAKEN_MAX = 64

/**
 * The worker of back-channel logout. It looks for ended sessions after each change of the revocation log, and tells the
 * applications in which they signed in. The first attempt begins at once.
 *
 * The leading node does it for all. A second node that believes to lead does no harm: the log is collected in one step,
 * and each logout belongs to one worker for the time of its lease.
 *
 * A logout is delivered at least once, or given up after a day. It can be delivered twice: the answer was lost, or the
 * process died before its record. Each delivery has a token of its own.
 */
export class LogoutOutbox {
  readonly #options: LogoutOutboxOptions
  readonly #times: LogoutTimes
  readonly #queue = new LogoutQueue()
  readonly #unwatch: () => void
  readonly #stop = new AbortController()
  readonly #looks = new Looks(() => this.#look())
  /** Applications that cannot be reached, and until when they are left alone. */
  readonly #resting = new Map<string, EpochMs>()
  #isLooking = false
  #mustLookAgain = false

  constructor(options: LogoutOutboxOptions) {
    this.#options = options
    this.#times = { ...LOGOUT_TIMES, ...options.times }
    this.#unwatch = options.store.watch((mayHaveEntries) => {
      if (mayHaveEntries) this.#looks.after(0)
    })
    this.#looks.after(0)
  }

  /** Stops. Waits for attempts in flight, and ends them after `closeMs`. What is left is sent after the next start. */
  async close(): Promise<void> {
    this.#unwatch()
    await this.#looks.close(this.#times.closeMs, () => this.#stop.abort())
  }

  /** Never rejects. */
  async #look(): Promise<void> {
    if (this.#isLooking) {
      // The look in progress may have missed the newest entry.
      this.#mustLookAgain = true
      return
    }
    this.#isLooking = true
    this.#looks.after(this.#times.lookMs)
    try {
      if (this.#options.leads()) await this.#collectAndTake()
    } catch (error) {
      this.#options.logger.error({ event: 'logout_outbox_failed', error: messageOf(error) })
      this.#looks.after(this.#times.repairMs)
    } finally {
      this.#isLooking = false
      if (this.#mustLookAgain) this.#looks.after(0)
      this.#mustLookAgain = false
    }
  }

  async #collectAndTake(): Promise<void> {
    const { logouts } = this.#options.store.sso
    let isMore = true
    while (isMore && !this.#looks.isClosed) isMore = (await logouts.collect(STEP_ENTRIES)).isMore
    // The end of an attempt looks again.
    const free = TAKEN_MAX - this.#queue.size
    if (this.#looks.isClosed || free <= 0) return
    const leasedUntil = this.#options.clock.nowMs() + this.#times.leaseMs
    const taken = await logouts.take(free, this.#times.leaseMs)
    for (const logout of taken) {
      if (!(await this.#postpone(logout))) this.#queue.add({ logout, leasedUntil })
    }
    this.#begin()
    if (taken.length === free) this.#looks.after(0)
  }

  /**
   * Leaves an application alone that was just not reached. Otherwise its logouts would wait for their timeouts one after
   * another, and those of the others behind them. Returns whether the logout was postponed.
   */
  async #postpone({ id, applicationId }: SsoLogout): Promise<boolean> {
    const { store, clock, random } = this.#options
    const until = this.#resting.get(applicationId)
    const now = clock.nowMs()
    if (until === undefined || now >= until) return false
    const nextAt = until + Math.round(this.#times.restMs * randomFraction(random))
    await store.sso.logouts.failed(id, nextAt)
    return true
  }

  /** Begins the attempts that may run now. */
  #begin(): void {
    for (let next = this.#queue.begin(); next !== undefined; next = this.#queue.begin()) {
      this.#looks.track(this.#attempt(next.logout, next.leasedUntil))
    }
  }

  /** Never rejects. */
  async #attempt(logout: SsoLogout, leasedUntil: EpochMs): Promise<void> {
    const { clock, logger, send } = this.#options
    try {
      // Otherwise another worker may have the logout now.
      if (!this.#looks.isClosed && clock.nowMs() < leasedUntil) {
        await this.#finish(logout, await send(logout, this.#stop.signal))
      }
      this.#looks.after(0) // There is room for another one.
    } catch (error) {
      // Its lease will end, and then it is tried again.
      const { id } = logout
      logger.error({ event: 'logout_outbox_failed', id, error: messageOf(error) })
      this.#looks.after(this.#times.repairMs)
    } finally {
      this.#queue.end(logout)
      if (!this.#looks.isClosed) this.#begin()
    }
  }

  async #finish(logout: SsoLogout, attempt: LogoutAttempt): Promise<void> {
    const { store, clock, random, logger } = this.#options
    const { id, applicationId, attempts, createdAt } = logout
    if (attempt.kind !== 'failed') {
      this.#resting.delete(applicationId)
      if (attempt.kind === 'delivered') {
        logger.info({ event: 'logout_sent', id, application: applicationId, attempt: attempts + 1 })
      }
      return store.sso.logouts.delivered(id)
    }
    const { retry, giveUpMs } = this.#times
    const now = clock.nowMs()
    const due = { attempt: attempts + 1, notAfter: createdAt + giveUpMs }
    const nextAt = decideRetry(due, retry, now, randomFraction(random))
    const { reason, error } = attempt
    const line = {
      id,
      application: applicationId,
      attempt: attempts + 1,
      reason,
      ...(error === undefined ? {} : { error }),
    }
    await store.sso.logouts.failed(id, nextAt)
    if (isDown(reason)) {
      // At the latest, the next attempt of this logout finds out whether it works again.
      const restUntil = now + this.#times.restMs
      this.#resting.set(applicationId, Math.min(nextAt ?? restUntil, restUntil))
      for (const { logout: other } of this.#queue.drop(applicationId)) await this.#postpone(other)
    }
    if (nextAt === undefined) {
      logger.error({ event: 'logout_not_delivered', ...line })
      return this.#audit(logout, reason)
    }
    logger.warn({ event: 'logout_retried', ...line, retry_at: new Date(nextAt).toISOString() })
  }

  async #audit({ applicationId, accountId }: SsoLogout, reason: string): Promise<void> {
    const { store, clock } = this.#options
    await store.audit.append({
      at: clock.nowMs(),
      actor: 'system',
      event: 'logout_not_delivered',
      outcome: 'refused',
      accountId,
      sessionId: undefined,
      address: undefined,
      detail: `${applicationId} ${reason}`,
    })
  }
}

/** Whether the application as a whole does not work, and not only this logout. */
function isDown(reason: string): boolean {
  return !/^status_4(?!29)\d\d$/.test(reason)
}
