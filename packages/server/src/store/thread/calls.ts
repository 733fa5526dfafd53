import type { MessagePort } from 'node:worker_threads'

import type { Clock } from '../../base/clock.ts'
import { StoreFault } from '../../base/faults.ts'
import { limits } from '../../base/limits.ts'
import { Gate } from './gate.ts'
import { receiveError, type Answer, type Call, type ToThread } from './messages.ts'

/** How long the thread may be silent while calls wait, in milliseconds. Then they fail. */
const STALL_MS = 1_000
const CHECK_MS = 250

interface Waiting {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

/**
 * The calls to one thread. Calls of one turn of the event loop travel in one message.
 *
 * While the disk does not answer, the thread waits for it. After a second of silence, all calls that the thread has
 * not begun are withdrawn and fail, and new calls fail at once, until the thread answers again. A call that it has
 * begun keeps waiting: only the thread knows its result.
 */
export class Calls {
  readonly gate = new Gate()
  readonly #port: MessagePort
  readonly #clock: Clock | undefined
  readonly #onStall: (isStalled: boolean) => void
  readonly #timer: NodeJS.Timeout
  readonly #waiting = new Map<number, Waiting>()
  #outbox: Call[] = []
  #newestId = 0
  #heardAt = 0
  #checkedAt = performance.now()
  #isStalled = false
  #fault: StoreFault | undefined

  /** `clock` is sent with each message. Undefined if the thread reads the clock of the machine itself. */
  constructor(port: MessagePort, clock: Clock | undefined, onStall: (isStalled: boolean) => void) {
    this.#port = port
    this.#clock = clock
    this.#onStall = onStall
    this.#timer = setInterval(() => this.#check(), CHECK_MS).unref()
  }

  /** Calls a method in the thread. */
  call(group: string, method: string, values: readonly unknown[]): Promise<unknown> {
    if (this.#fault !== undefined) return Promise.reject(this.#fault)
    if (this.#isStalled) return Promise.reject(new StoreFault(STALLED))
    if (this.#waiting.size >= limits.storeCallsMax) {
      return Promise.reject(new StoreFault('Too many calls wait for the database.'))
    }
    return new Promise((resolve, reject) => {
      if (this.#waiting.size === 0) {
        this.#heardAt = performance.now()
        this.#port.ref()
      }
      this.#newestId += 1
      this.#waiting.set(this.#newestId, { resolve, reject })
      this.#outbox.push([this.#newestId, group, method, values])
      // After the event loop has read all sockets that are ready.
      if (this.#outbox.length === 1) setImmediate(() => this.#send())
    })
  }

  /** Settles calls that the thread has answered. */
  settle(answers: readonly Answer[]): void {
    this.#heardAt = performance.now()
    if (this.#isStalled) {
      this.#isStalled = false
      this.#onStall(false)
    }
    for (const [id, isOk, value] of answers) {
      const waiting = this.#waiting.get(id)
      if (waiting === undefined) continue // It was withdrawn.
      this.#waiting.delete(id)
      // Only `sendError` makes values that are not ok.
      if (isOk) waiting.resolve(value)
      else waiting.reject(receiveError(value as Parameters<typeof receiveError>[0]))
    }
    if (this.#waiting.size === 0) this.#port.unref()
  }

  /** Rejects every call that waits, and all later ones. */
  end(fault: StoreFault): void {
    clearInterval(this.#timer)
    this.#fault ??= fault
    this.#outbox = []
    this.#reject(0, fault)
  }

  /** Sends the calls of this turn. */
  #send(): void {
    const calls = this.#outbox
    if (calls.length === 0) return
    this.#outbox = []
    const nowMs = this.#clock?.nowMs()
    try {
      // A thread, not a window.
      // oxlint-disable-next-line unicorn/require-post-message-target-origin
      this.#port.postMessage({ kind: 'calls', calls, nowMs } satisfies ToThread)
    } catch (error) {
      // A value of one call cannot leave this thread, which is a bug of its caller.
      if (calls.length === 1)
        this.settle(calls.map(([id]) => [id, false, { name: 'other', message: '', cause: error }]))
      else for (const call of calls) this.#sendAlone(call)
    }
  }

  #sendAlone(call: Call): void {
    this.#outbox = [call]
    this.#send()
  }

  #check(): void {
    const now = performance.now()
    // If this thread was itself stopped or busy, so may the other have been.
    if (now - this.#checkedAt > 2 * CHECK_MS) this.#heardAt = now
    this.#checkedAt = now
    if (!this.#isSilent()) return
    // Answers that have arrived meanwhile are read first.
    setImmediate(() => {
      if (!this.#isSilent()) return
      this.#isStalled = true
      this.#outbox = []
      this.#reject(this.gate.withdraw(this.#newestId), new StoreFault(STALLED))
      this.#onStall(true)
    })
  }

  #isSilent(): boolean {
    if (this.#waiting.size === 0 || this.#isStalled) return false
    return performance.now() - this.#heardAt >= STALL_MS
  }

  #reject(afterId: number, fault: StoreFault): void {
    for (const [id, { reject }] of this.#waiting) {
      if (id <= afterId) continue
      this.#waiting.delete(id)
      reject(fault)
    }
    if (this.#waiting.size === 0) this.#port.unref()
  }
}

const STALLED = 'The database does not answer: its disk is too slow or frozen.'
