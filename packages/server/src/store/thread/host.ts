import { systemClock, type EpochMs } from '../../base/clock.ts'
import { StoreFault } from '../../base/faults.ts'
import type { StoreEvent } from '../events.ts'
import { openSqliteStore } from '../sqlite/store.ts'
import type { Store } from '../store.ts'
import { Gate } from './gate.ts'
import {
  sendError,
  type Answer,
  type Call,
  type Change,
  type FromThread,
  type Opening,
  type ToThread,
} from './messages.ts'

type CallsMessage = Extract<ToThread, { kind: 'calls' }>

/** Opens a store for the other side of the port, and serves it until that side closes it. */
export function serveStore(opening: Opening): void {
  const { port } = opening
  // A thread, not a window.
  // oxlint-disable-next-line unicorn/require-post-message-target-origin
  const send = (message: FromThread): void => port.postMessage(message)
  let host: StoreHost
  try {
    host = new StoreHost(opening, send)
  } catch (error) {
    send({ kind: 'failed', error: sendError(error) })
    port.close()
    return
  }
  port.on('message', (message: ToThread) => {
    if (message.kind === 'calls') host.receive(message)
    else {
      void host.close().finally(() => {
        send({ kind: 'closed' })
        port.close()
      })
    }
  })
}

/**
 * One open store. It begins all calls that have arrived in one turn, in their order, and sends the answers that are
 * ready together in one message.
 */
class StoreHost {
  readonly #store: Store
  readonly #groups: ReadonlyMap<string, object>
  readonly #gate: Gate
  readonly #send: (message: FromThread) => void
  readonly #unwatch: () => void
  #received: CallsMessage[] = []
  #answers: Answer[] = []
  #change: Change | undefined
  #isSending = false
  #nowMs: EpochMs | undefined

  constructor({ dataDir, gate, sendsTime }: Opening, send: (message: FromThread) => void) {
    const clock = sendsTime ? { nowMs: () => this.#nowMs ?? 0 } : systemClock
    const onEvent = (event: StoreEvent): void => send({ kind: 'event', event })
    this.#store = openSqliteStore(dataDir, { exclusive: true, clock, onEvent })
    this.#groups = groupsOf(this.#store)
    this.#gate = new Gate(gate)
    this.#send = send
    this.#unwatch = this.#store.watch((mayHaveEntries) => {
      this.#change = { mayHaveEntries: mayHaveEntries || this.#change?.mayHaveEntries === true }
      this.#sendSoon()
    })
    send({ kind: 'opened', methods: methodsOf(this.#groups) })
  }

  receive(message: CallsMessage): void {
    this.#received.push(message)
    if (this.#received.length === 1) setImmediate(() => this.#begin())
  }

  async close(): Promise<void> {
    this.#unwatch()
    this.#begin()
    await this.#store.close()
    this.#flush()
  }

  #begin(): void {
    const received = this.#received
    this.#received = []
    const newest = received.at(-1)?.calls.at(-1)
    if (newest === undefined) return
    const withdrawn = this.#gate.begin(newest[0])
    for (const { calls, nowMs } of received) {
      this.#nowMs = nowMs
      for (const call of calls) {
        if (call[0] > withdrawn) void this.#run(call)
        else this.#answer([call[0], false, sendError(new StoreFault('The call was withdrawn.'))])
      }
    }
  }

  async #run([id, group, method, values]: Call): Promise<void> {
    try {
      // The other side calls only methods that it got from `methodsOf`.
      const owner = this.#groups.get(group) as object
      const called = Reflect.get(owner, method) as (...values: unknown[]) => unknown
      this.#answer([id, true, await Reflect.apply(called, owner, values)])
    } catch (error) {
      this.#answer([id, false, sendError(error)])
    }
  }

  #answer(answer: Answer): void {
    this.#answers.push(answer)
    this.#sendSoon()
  }

  // `nextTick` runs after all promises that are settled now, and before the next batch waits for the disk.
  #sendSoon(): void {
    if (this.#isSending) return
    this.#isSending = true
    process.nextTick(() => this.#flush())
  }

  #flush(): void {
    this.#isSending = false
    if (this.#answers.length === 0 && this.#change === undefined) return
    const message = { kind: 'answers', answers: this.#answers, change: this.#change } as const
    this.#answers = []
    this.#change = undefined
    this.#send(message)
  }
}

/** The objects with methods in a store, by their path: `sso.records`. The path of the store itself is empty. */
function groupsOf(store: Store): ReadonlyMap<string, object> {
  const groups = new Map<string, object>()
  const add = (path: readonly string[], owner: object): void => {
    groups.set(path.join('.'), owner)
    for (const [name, member] of Object.entries(owner)) {
      // The clock of the other thread is nearer than a call.
      if (typeof member === 'object' && name !== 'clock') add([...path, name], member)
    }
  }
  add([], store)
  return groups
}

/** The names of the methods of each group. */
function methodsOf(groups: ReadonlyMap<string, object>): Record<string, string[]> {
  const methods: Record<string, string[]> = {}
  for (const [path, owner] of groups) {
    methods[path] = Object.entries(owner).flatMap(([name, member]) =>
      typeof member === 'function' ? [name] : [],
    )
  }
  return methods
}
