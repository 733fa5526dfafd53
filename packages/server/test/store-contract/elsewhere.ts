import { parentPort } from 'node:worker_threads'

import { messageOf } from '../../src/base/faults.ts'
import { openStore, type StoreSettings } from '../../src/store/open.ts'
import type { Store } from '../../src/store/store.ts'

/** A call that another thread makes. */
export interface Question {
  readonly id: number
  readonly settings: StoreSettings
  /** `close` closes the connection to that database. */
  readonly method: string
  readonly values: readonly unknown[]
  readonly nowMs: number
}

/** The result of a call. */
export interface Answer {
  readonly id: number
  readonly value?: unknown
  readonly error?: string
}

let nowMs = 0
const stores = new Map<string, Promise<Store>>()

parentPort?.on('message', (question: Question) => {
  nowMs = question.nowMs
  const reply = (answer: Omit<Answer, 'id'>): void => {
    // A thread, not a window.
    // oxlint-disable-next-line unicorn/require-post-message-target-origin
    parentPort?.postMessage({ id: question.id, ...answer })
  }
  call(question).then(
    (value) => reply({ value }),
    (error: unknown) => reply({ error: messageOf(error) }),
  )
})

async function call({ settings, method, values }: Question): Promise<unknown> {
  const database = settings.databaseUrl ?? settings.dataDir
  const opened =
    stores.get(database) ?? openStore(settings, { exclusive: false, clock: { nowMs: () => nowMs } })
  if (method === 'close') stores.delete(database)
  else stores.set(database, opened)
  const store = await opened
  let [owner, found]: [unknown, unknown] = [undefined, store]
  for (const name of method.split('.')) {
    if (typeof found !== 'object' || found === null) throw new TypeError(`no ${method}`)
    ;[owner, found] = [found, Reflect.get(found, name)]
  }
  if (typeof found !== 'function') throw new TypeError(`no ${method}`)
  return Reflect.apply(found, owner, values)
}
