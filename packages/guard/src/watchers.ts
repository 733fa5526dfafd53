import { asError } from './errors.ts'
import type { GuardSettings } from './guard-options.ts'

/**
 * How often listeners are called when nothing arrives, in milliseconds. A lease expires without any message.
 */
const WATCH_EVERY_MS = 500
/**
 * Entries may arrive two hundred times a second, and there may be thousands of listeners. The guard waits at
 * least this many milliseconds between two rounds of calls, and at least four times as long as the last round
 * took. So listeners use at most a fifth of the process's time. They are still called twice a second.
 */
const NOTIFY_GAP_MS = 10
const NOTIFY_GAP_FACTOR = 4

type Listener = () => void | Promise<void>

/** The listeners of a guard, which are called after each change of the log and at least twice a second. */
export class Watchers {
  readonly #settings: Pick<GuardSettings, 'elapsed' | 'onNotice'>
  readonly #versionOf: () => number | undefined
  readonly #listeners = new Set<Listener>()
  #timer: NodeJS.Timeout | undefined
  #notifying: NodeJS.Timeout | undefined
  /** The version of the log when the listeners were last called. */
  #notified: number | undefined

  /** `versionOf` returns the current version of the log; undefined without one. */
  constructor(
    settings: Pick<GuardSettings, 'elapsed' | 'onNotice'>,
    versionOf: () => number | undefined,
  ) {
    this.#settings = settings
    this.#versionOf = versionOf
  }

  /** Adds a listener. Returns the function that removes it. */
  add(listener: Listener): () => void {
    this.#listeners.add(listener)
    this.#timer ??= setInterval(() => this.#notify(), WATCH_EVERY_MS).unref()
    return () => {
      this.#listeners.delete(listener)
      if (this.#listeners.size === 0) this.stop()
    }
  }

  /** Notes that something changed. An echo does not change the version; its effect on leases is checked twice a second anyway. */
  noteChange(): void {
    const version = this.#versionOf()
    if (this.#listeners.size === 0 || version === this.#notified || this.#notifying !== undefined)
      return
    const { elapsed } = this.#settings
    const startedAt = elapsed()
    this.#notify()
    const gapMs = NOTIFY_GAP_FACTOR * (elapsed() - startedAt)
    this.#notifying = setTimeout(
      () => {
        this.#notifying = undefined
        this.noteChange()
      },
      Math.min(Math.max(gapMs, NOTIFY_GAP_MS), WATCH_EVERY_MS),
    ).unref()
  }

  /** Ends the calls. The next `add` starts them again. */
  stop(): void {
    clearInterval(this.#timer)
    clearTimeout(this.#notifying)
    this.#timer = undefined
    this.#notifying = undefined
  }

  #notify(): void {
    this.#notified = this.#versionOf()
    for (const listener of this.#listeners) void this.#call(listener)
  }

  async #call(listener: Listener): Promise<void> {
    try {
      await listener()
    } catch (error) {
      const { message } = asError(error)
      // There is no caller to throw to. An error thrown from a timer would end the process.
      try {
        this.#settings.onNotice(`A listener of guard.watch threw an error: ${message}`)
      } catch {}
    }
  }
}
