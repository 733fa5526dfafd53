import { MessageChannel, type MessagePort, type Worker } from 'node:worker_threads'

import { systemClock, type Clock } from '../../base/clock.ts'
import { StoreFault, messageOf } from '../../base/faults.ts'
import type { StoreEvent } from '../events.ts'
import type { Store } from '../store.ts'
import { Calls } from './calls.ts'
import { receiveError, type FromThread, type Opening, type ToThread } from './messages.ts'
import { giveThreadBack, takeThread } from './pool.ts'

/** How long to wait after the thread has ended by an error, in milliseconds. */
const RESTART_MS = 1_000

/** How the server opens its store. */
export interface ThreadStoreOptions {
  readonly clock: Clock
  readonly onEvent: (event: StoreEvent) => void
}

/**
 * Opens the store of a server in a thread of its own, so that a slow disk stalls no other work of the process. Takes
 * the lock of the data directory. Rejects with a `SetupError` if the store cannot be used.
 */
export async function openThreadStore(
  dataDir: string,
  options: ThreadStoreOptions,
): Promise<Store> {
  const thread = new StoreThread(dataDir, options)
  const methods = await thread.open()
  const store: object = {
    ...remote(methods, '', (group, method, values) => thread.call(group, method, values)),
    clock: options.clock,
    watch: (changed: Watcher) => thread.watch(changed),
    close: () => thread.close(),
  }
  // The thread has named all members of its own `Store`. The others are replaced here.
  return store as Store
}

/** The methods of a group and of the groups inside it, as calls to the thread. */
function remote(
  methods: Methods,
  path: string,
  call: (group: string, method: string, values: readonly unknown[]) => Promise<unknown>,
): object {
  const prefix = path === '' ? '' : `${path}.`
  const isInside = (group: string): boolean =>
    group !== path && group.startsWith(prefix) && !group.slice(prefix.length).includes('.')
  const own = (methods[path] ?? []).map((method) => [
    method,
    (...values: readonly unknown[]) => call(path, method, values),
  ])
  const inside = Object.keys(methods)
    .filter(isInside)
    .map((group) => [group.slice(prefix.length), remote(methods, group, call)])
  return Object.fromEntries([...own, ...inside])
}

type Watcher = Parameters<Store['watch']>[0]

type Methods = Extract<FromThread, { kind: 'opened' }>['methods']

/** The open store in its thread. */
interface Connection {
  readonly worker: Worker
  readonly port: MessagePort
  readonly calls: Calls
  /** Stops listening to the thread. */
  readonly release: () => void
}

/** The thread that serves one store. It is started again after it has ended by an error. */
class StoreThread {
  readonly #dataDir: string
  readonly #options: ThreadStoreOptions
  readonly #watchers = new Set<Watcher>()
  #connection: Connection | undefined
  #restart: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(dataDir: string, options: ThreadStoreOptions) {
    this.#dataDir = dataDir
    this.#options = options
  }

  /** Opens the store in a thread. Rejects with what the thread has thrown. */
  async open(): Promise<Methods> {
    const { clock, onEvent } = this.#options
    const sent = clock === systemClock ? undefined : clock
    const worker = takeThread()
    const { port1: port, port2 } = new MessageChannel()
    const calls = new Calls(port, sent, (isStalled) =>
      onEvent({ event: isStalled ? 'store_stalled' : 'store_recovered' }),
    )
    const opening: Opening = {
      dataDir: this.#dataDir,
      port: port2,
      gate: calls.gate.buffer,
      sendsTime: sent !== undefined,
    }
    try {
      const methods = await open(worker, port, opening)
      this.#connect(worker, port, calls)
      return methods
    } catch (error) {
      calls.end(new StoreFault(messageOf(error)))
      port.close()
      throw error
    }
  }

  call(group: string, method: string, values: readonly unknown[]): Promise<unknown> {
    return (
      this.#connection?.calls.call(group, method, values) ??
      Promise.reject(new StoreFault(this.#reason()))
    )
  }

  watch(changed: Watcher): () => void {
    this.#watchers.add(changed)
    return () => this.#watchers.delete(changed)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#restart)
    const connection = this.#connection
    this.#connection = undefined
    if (connection === undefined) return
    const { worker, port, calls, release } = connection
    const isClosed = await close(worker, port)
    calls.end(new StoreFault(this.#reason()))
    release()
    port.close()
    if (isClosed) giveThreadBack(worker)
  }

  #connect(worker: Worker, port: MessagePort, calls: Calls): void {
    const failed = (error: unknown): void => this.#stopped(error)
    const ended = (): void => this.#stopped(new Error('It has ended.'))
    const release = (): void => {
      worker.off('error', failed)
      worker.off('exit', ended)
    }
    worker.on('error', failed)
    worker.on('exit', ended)
    port.on('message', (message: FromThread) => {
      if (message.kind === 'event') this.#options.onEvent(message.event)
      if (message.kind !== 'answers') return
      if (message.change !== undefined) {
        for (const changed of this.#watchers) changed(message.change.mayHaveEntries)
      }
      calls.settle(message.answers)
    })
    port.unref()
    this.#connection = { worker, port, calls, release }
  }

  #stopped(error: unknown): void {
    const connection = this.#connection
    if (connection === undefined) return
    this.#connection = undefined
    connection.release()
    // A thread that has thrown is ending. Its errors from now on have been reported.
    connection.worker.on('error', () => {})
    connection.calls.end(new StoreFault(this.#reason(), { cause: error }))
    connection.port.close()
    this.#options.onEvent({ event: 'store_stopped', error: messageOf(error) })
    this.#restartLater()
  }

  #restartLater(): void {
    this.#restart = setTimeout(() => {
      this.open().then(
        () => this.#restarted(),
        (error: unknown) => {
          if (this.#isClosed) return
          this.#options.onEvent({ event: 'store_stopped', error: messageOf(error) })
          this.#restartLater()
        },
      )
    }, RESTART_MS).unref()
  }

  #restarted(): void {
    if (this.#isClosed) {
      void this.close()
      return
    }
    this.#options.onEvent({ event: 'store_recovered' })
    for (const changed of this.#watchers) changed(true)
  }

  #reason(): string {
    return this.#isClosed
      ? 'The database is closed.'
      : 'The thread of the database has ended and is started again.'
  }
}

/** Resolves when the thread has opened the store. If it could not, the thread goes back to the pool. */
function open(worker: Worker, port: MessagePort, opening: Opening): Promise<Methods> {
  return new Promise((resolve, reject) => {
    const done = (): void => {
      worker.off('error', fail)
      worker.off('exit', ended)
      port.off('message', receive)
    }
    const fail = (error: unknown): void => {
      done()
      reject(error)
    }
    const ended = (): void => fail(new Error('The thread of the database has ended.'))
    const receive = (message: FromThread): void => {
      if (message.kind === 'opened') {
        done()
        resolve(message.methods)
      } else if (message.kind === 'failed') {
        giveThreadBack(worker)
        fail(receiveError(message.error))
      }
    }
    worker.on('error', fail)
    worker.on('exit', ended)
    port.on('message', receive)
    worker.postMessage(opening, [opening.port])
  })
}

/** Resolves when the thread has closed the store: true. Or when it has ended: false. */
function close(worker: Worker, port: MessagePort): Promise<boolean> {
  // Neither the thread nor the port keeps the process alive until then.
  const alive = setInterval(() => {}, 1_000)
  return new Promise((resolve) => {
    const done = (isClosed: boolean): void => {
      clearInterval(alive)
      worker.off('exit', ended)
      resolve(isClosed)
    }
    const ended = (): void => done(false)
    worker.on('exit', ended)
    port.on('message', (message: FromThread) => {
      if (message.kind === 'closed') done(true)
    })
    // A thread, not a window.
    // oxlint-disable-next-line unicorn/require-post-message-target-origin
    port.postMessage({ kind: 'close' } satisfies ToThread)
  })
}
