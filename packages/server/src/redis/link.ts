import { messageOf } from '../base/faults.ts'
import { closeRedis, connectRedis, LastError, type RedisConnection } from './connect.ts'

/** How long a caller waits for Redis, in milliseconds. After that, the database does the work. */
const WAIT_MS = 100
/** How long Redis is not asked after it has failed. */
const RETRY_MS = 1_000
/** How long the start waits for Redis, and how long a connection attempt may last before it is reported. */
const START_MS = 1_500

/** It is in the slot of a cluster that the work with a link uses. */
const PROBE_KEY = 'countersign:{throttle}:probe'

/** The events of a link for an operator. Each is reported once, when its state begins. */
export type RedisLinkEvent =
  /** Redis does not work. Whatever used it goes on in the database. */
  | { readonly event: 'redis_unavailable'; readonly error: string }
  /** Redis works again. */
  | { readonly event: 'redis_recovered' }

/**
 * Commands to a Redis that is never needed: a caller waits for a short time at most, and does the work without Redis
 * if it rejects. After a failure nobody waits, until a write has succeeded again.
 */
export class RedisLink {
  readonly #redis: RedisConnection
  readonly #lastError: LastError
  readonly #onEvent: (event: RedisLinkEvent) => void
  readonly #started: Promise<void>
  #start = (): void => {}
  #state: 'starting' | 'up' | 'down' = 'starting'
  #timer: NodeJS.Timeout
  #isClosed = false

  constructor(url: string, onEvent: (event: RedisLinkEvent) => void) {
    this.#onEvent = onEvent
    this.#started = new Promise((resolve) => (this.#start = resolve))
    this.#redis = connectRedis(url)
    this.#lastError = new LastError(this.#redis)
    this.#redis.on('ready', () => void this.#probe())
    this.#redis.on('close', () => this.#fail(this.#lastError.get()))
    this.#timer = setTimeout(() => this.#probeAgain(), START_MS).unref()
  }

  /** Whether Redis worked when it was last used. */
  get isUp(): boolean {
    return this.#state === 'up'
  }

  /** Waits until Redis works, but not for long: the start does not depend on it. */
  async started(): Promise<void> {
    await this.#started
  }

  /**
   * Runs commands. Rejects at once if Redis has failed before, after a tenth of a second if there is no answer, and if
   * Redis answers with an error. Commands that are given up may still be executed.
   */
  async run<T>(work: (redis: RedisConnection) => Promise<T>): Promise<T> {
    if (!this.isUp) throw this.#lastError.get()
    try {
      return await this.#bounded(work)
    } catch (error) {
      this.#fail(error)
      throw error
    }
  }

  /**
   * Runs a command like `run`. But an error that Redis answers does not mean that Redis has failed: the account may have
   * no permission for this command alone, and other commands work.
   */
  async tell(work: (redis: RedisConnection) => Promise<unknown>): Promise<void> {
    if (!this.isUp) throw this.#lastError.get()
    try {
      await this.#bounded(work)
    } catch (error) {
      if (!isAnswer(error)) this.#fail(error)
      throw error
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#timer)
    this.#start()
    closeRedis(this.#redis)
  }

  #bounded<T>(work: (redis: RedisConnection) => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const late = (): void => reject(new Error(`Redis did not answer within ${WAIT_MS} ms`))
      // If this process itself was busy, answers that have arrived meanwhile are read first.
      const timer = setTimeout(() => setImmediate(late), WAIT_MS)
      work(this.#redis)
        .then(resolve, reject)
        .finally(() => clearTimeout(timer))
    })
  }

  // A replica, or a server without memory, answers reads. So only a write shows that it works.
  async #probe(): Promise<void> {
    if (this.#isClosed || this.isUp) return
    try {
      await this.#bounded((redis) => redis.set(PROBE_KEY, '1', 'PX', RETRY_MS))
      this.#recover()
    } catch (error) {
      this.#fail(this.#redis.status === 'ready' ? error : this.#lastError.get())
    }
  }

  #probeAgain(): void {
    if (this.#redis.status === 'ready') void this.#probe()
    else this.#fail(this.#lastError.get())
  }

  #recover(): void {
    if (this.#isClosed) return
    const wasDown = this.#state === 'down'
    this.#state = 'up'
    clearTimeout(this.#timer)
    this.#start()
    if (wasDown) this.#onEvent({ event: 'redis_recovered' })
  }

  #fail(error: unknown): void {
    if (this.#isClosed) return
    const wasDown = this.#state === 'down'
    this.#state = 'down'
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#probeAgain(), RETRY_MS).unref()
    this.#start()
    if (!wasDown) this.#onEvent({ event: 'redis_unavailable', error: messageOf(error) })
  }
}

function isAnswer(error: unknown): boolean {
  return error instanceof Error && error.name === 'ReplyError'
}
